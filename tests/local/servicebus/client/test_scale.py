"""Many sessions and many messages through one broker."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from aos.local.servicebus.client import MultiplexedReceiver, OutgoingMessage
from aos.local.servicebus.engine import Bus, QueueDescription, Topology
from aos.local.servicebus.server.broker_server import BrokerServer

SESSIONS = 2_000
MESSAGES = 20_000


def started(*queues: QueueDescription) -> BrokerServer:
    bus = Bus()
    bus.apply(Topology(queues=queues))
    return BrokerServer(bus)


async def test_two_thousand_sessions_are_each_served_once_and_in_order() -> None:
    async with (
        started(QueueDescription(name="inbox", requires_session=True)) as server,
        MultiplexedReceiver.connect(server.connection_string) as client,
    ):
        for step in range(2):
            await client.send(
                "inbox", [OutgoingMessage(b"%d" % step, session_id=f"s{number}") for number in range(SESSIONS)]
            )
        served: dict[str, list[bytes]] = defaultdict(list)

        async def pump() -> None:
            while (session := await client.accept_next_session("inbox", timeout=0.2)) is not None:
                messages = await session.receive(10, 1)
                assert session.session_id not in served
                served[session.session_id] = [message.body for message in messages]
                await session.complete(messages)
                await session.close()

        await asyncio.gather(*(pump() for _ in range(16)))
        assert len(served) == SESSIONS
        assert all(bodies == [b"0", b"1"] for bodies in served.values())


async def test_thousands_of_sessions_can_be_held_at_once() -> None:
    async with (
        started(QueueDescription(name="inbox", requires_session=True)) as server,
        MultiplexedReceiver.connect(server.connection_string) as client,
    ):
        held = await asyncio.gather(*(client.accept_session("inbox", f"s{number}") for number in range(2_000)))
        assert server.bus.statistics("inbox").locked_sessions == 2_000
        await client.send("inbox", [OutgoingMessage(b"x", session_id="s1234")])
        (message,) = await held[1234].receive(1, 5)
        assert message.session_id == "s1234"


async def test_twenty_thousand_messages_pass_through_in_order() -> None:
    async with (
        started(QueueDescription(name="q")) as server,
        MultiplexedReceiver.connect(server.connection_string) as client,
    ):

        async def send() -> None:
            for start in range(0, MESSAGES, 5_000):
                await client.send("q", [OutgoingMessage(b"%d" % number) for number in range(start, start + 5_000)])

        sending = asyncio.create_task(send())
        receiver = await client.receiver("q", prefetch=1_000)
        expected = 0
        while expected < MESSAGES:
            messages = await receiver.receive(500, 10)
            for message in messages:
                assert int(message.body) == expected
                expected += 1
            await receiver.complete(messages)
        await sending
        counts = server.bus.statistics("q")
        assert (counts.active, counts.size_bytes) == (0, 0)


async def test_hundreds_of_connections() -> None:
    async with started(QueueDescription(name="q")) as server:
        clients = [MultiplexedReceiver.connect(server.connection_string) for _ in range(300)]
        await asyncio.gather(*(client.open() for client in clients))
        assert server.connections == 300
        receivers = await asyncio.gather(*(client.receiver("q") for client in clients))
        waiting = [asyncio.create_task(receiver.receive(1, 10)) for receiver in receivers]
        await clients[0].send("q", [OutgoingMessage(b"%d" % number) for number in range(300)])
        received = await asyncio.gather(*waiting)
        assert sorted(int(message.body) for (message,) in received) == list(range(300))
        await asyncio.gather(*(client.close() for client in clients))
