from __future__ import annotations

import asyncio
from typing import Any

from aos.kernel import meter
from aos.local.servicebus.client.contract import OutgoingMessage
from aos.local.servicebus.client.multiplexed import MultiplexedReceiver
from aos.local.servicebus.engine import Bus
from aos.local.servicebus.server.broker_server import BrokerServer
from tests.local.host.conftest import StartHost, app_module, next_seen


async def until_empty(bus: Bus, entity: str) -> None:
    while (counts := bus.statistics(entity)).active + counts.locked:  # noqa: ASYNC110  # the engine tells nobody
        await asyncio.sleep(0.005)


async def test_a_queue_message_is_completed_and_its_output_sent(
    start_host: StartHost, broker: BrokerServer, client: MultiplexedReceiver, bus: Bus
) -> None:
    async with start_host(broker.connection_string):
        await client.send("incoming", [OutgoingMessage(b"forward me")])
        assert await next_seen("one") == ("one", "forward me", 1)
        outgoing = await client.receiver("outgoing")
        (message,) = await outgoing.receive(1, wait=5)
        assert message.body == b"from one: forward me"
        await outgoing.complete([message])
        await until_empty(bus, "incoming")


async def test_a_message_whose_function_fails_comes_again(
    start_host: StartHost, broker: BrokerServer, client: MultiplexedReceiver, bus: Bus
) -> None:
    async with start_host(broker.connection_string):
        await client.send("incoming", [OutgoingMessage(b"fail")])
        assert [(await next_seen("one"))[2] for _ in range(3)] == [1, 2, 3]
        await until_empty(bus, "incoming")
    assert bus.statistics("incoming").dead_letter == 0


async def test_a_message_whose_function_takes_too_long_is_abandoned(
    start_host: StartHost, broker: BrokerServer, client: MultiplexedReceiver
) -> None:
    override = {"AzureFunctionsJobHost__functionTimeout": "00:00:00.05"}
    async with start_host(broker.connection_string, settings=override):
        await client.send("incoming", [OutgoingMessage(b"wait")])
        assert [(await next_seen("one"))[2] for _ in range(2)] == [1, 2]


async def test_calls_run_side_by_side_up_to_their_number(
    start_host: StartHost, broker: BrokerServer, client: MultiplexedReceiver, bus: Bus
) -> None:
    async with start_host(broker.connection_string):
        await client.send("incoming", [OutgoingMessage(b"wait") for _ in range(6)])
        for _ in range(4):
            await next_seen("one")
        await client.send("batches", [OutgoingMessage(b"marker")])
        assert (await next_seen("one", "many"))[0] == "many"
        app_module().gate.set()
        for _ in range(2):
            await next_seen("one")
        await until_empty(bus, "incoming")


async def test_batches_topics_and_dead_letters_reach_their_functions(
    start_host: StartHost, broker: BrokerServer, client: MultiplexedReceiver
) -> None:
    await client.send("batches", [OutgoingMessage(b"1"), OutgoingMessage(b"2"), OutgoingMessage(b"die")])
    receiver = await client.receiver("batches")
    *others, doomed = await receiver.receive(3, wait=5)
    await receiver.dead_letter([doomed], reason="Tired")
    await receiver.release(others)
    await receiver.close()
    await client.send("events", [OutgoingMessage(b"news", subject="s")])
    async with start_host(broker.connection_string):
        notes: dict[str, tuple[Any, ...]] = {}
        while set(notes) != {"many", "event", "dead"}:
            note = await next_seen("many", "event", "dead")
            notes[note[0]] = note[1:]
    assert notes == {"many": ([b"1", b"2"],), "event": ("news", "s"), "dead": ("die", "Tired")}


async def test_each_session_comes_in_order_and_whole(
    start_host: StartHost, broker: BrokerServer, client: MultiplexedReceiver, bus: Bus
) -> None:
    sessions, each = 60, 5
    for number in range(each):
        await client.send(
            "mailboxes", [OutgoingMessage(str(number).encode(), session_id=f"s{s}") for s in range(sessions)]
        )
    got: dict[str, list[str]] = {}
    with meter.metered() as usage:
        async with start_host(broker.connection_string):
            while sum(map(len, got.values())) < sessions * each:
                _, session, bodies = await next_seen("mailbox")
                got.setdefault(session, []).extend(bodies)
            await until_empty(bus, "mailboxes")
    expected = [str(number) for number in range(each)]
    assert got == {f"s{s}": expected for s in range(sessions)}
    assert (usage.bus_receives, usage.bus_completes) == (sessions * each, sessions * each)


async def test_a_session_that_waits_takes_the_place_of_an_idle_one_at_once(
    start_host: StartHost, broker: BrokerServer, client: MultiplexedReceiver
) -> None:
    # Four places with five seconds of idling each: nine sessions would take ten seconds otherwise.
    async with start_host(broker.connection_string), asyncio.timeout(4):
        for session in range(9):
            await client.send("mailboxes", [OutgoingMessage(b"x", session_id=f"s{session}")])
            assert await next_seen("mailbox") == ("mailbox", f"s{session}", ["x"])


async def test_what_comes_while_a_message_fails_is_delivered_after_it_again(
    start_host: StartHost, broker: BrokerServer, client: MultiplexedReceiver
) -> None:
    async with start_host(broker.connection_string), asyncio.timeout(10):
        await client.send("mailboxes", [OutgoingMessage(b"fail once", session_id="s")])
        assert await next_seen("mailbox") == ("mailbox", "s", ["fail once"])
        await client.send("mailboxes", [OutgoingMessage(b"later", session_id="s")])
        app_module().gate.set()
        order: list[str] = []
        while len(order) < 2:
            order += (await next_seen("mailbox"))[2]
    assert order == ["fail once", "later"]


async def test_no_more_sessions_run_at_once_than_allowed(
    start_host: StartHost, broker: BrokerServer, client: MultiplexedReceiver
) -> None:
    async with start_host(broker.connection_string):
        await client.send("mailboxes", [OutgoingMessage(b"wait", session_id=f"s{s}") for s in range(6)])
        for _ in range(4):
            await next_seen("mailbox")
        await client.send("incoming", [OutgoingMessage(b"marker")])
        assert (await next_seen("mailbox", "one"))[0] == "one"
        app_module().gate.set()
        assert {(await next_seen("mailbox"))[1] for _ in range(2)} <= {f"s{s}" for s in range(6)}


async def test_messages_under_way_at_the_end_of_the_grace_are_abandoned(
    start_host: StartHost, broker: BrokerServer, client: MultiplexedReceiver
) -> None:
    async with start_host(broker.connection_string, grace=0.05):
        await client.send("mailboxes", [OutgoingMessage(b"wait", session_id="s")])
        await client.send("incoming", [OutgoingMessage(b"wait")])
        await next_seen("mailbox")
        await next_seen("one")
    session = await client.accept_session("mailboxes", "s")
    (again,) = await session.receive(1, wait=5)
    assert (again.body, again.delivery_count) == (b"wait", 1)
    receiver = await client.receiver("incoming")
    (again,) = await receiver.receive(1, wait=5)
    assert (again.body, again.delivery_count) == (b"wait", 1)


async def test_the_host_outlives_the_broker(start_host: StartHost, bus: Bus) -> None:
    first = BrokerServer(bus)
    await first.start()
    async with start_host(first.connection_string) as host:
        await first.stop()
        async with (
            BrokerServer(bus, port=first.port) as second,
            MultiplexedReceiver.connect(second.connection_string) as client,
        ):
            await client.send("mailboxes", [OutgoingMessage(b"after", session_id="s")])
            assert await next_seen("mailbox") == ("mailbox", "s", ["after"])
            assert host.status()["connections"] == {"ServiceBus": True}


async def test_a_queue_that_appears_later_is_served_then(
    start_host: StartHost, broker: BrokerServer, client: MultiplexedReceiver, bus: Bus
) -> None:
    incoming = bus.queue("incoming")
    bus.delete_queue("incoming")
    async with start_host(broker.connection_string):
        bus.create_queue(incoming)
        await client.send("incoming", [OutgoingMessage(b"hello")])
        assert await next_seen("one") == ("one", "hello", 1)
