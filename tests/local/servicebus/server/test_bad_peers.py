"""What the broker does with peers that are broken, rude or malicious: it says why, and goes on."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aos.local.servicebus.amqp.composite import Composite
from aos.local.servicebus.amqp.frames import AMQP_HEADER, SASL_HEADER, SASL_TYPE, encode_frame
from aos.local.servicebus.amqp.message import encode_message, value_section
from aos.local.servicebus.amqp.performatives import (
    RECEIVER,
    SENDER,
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    SaslInit,
    SaslOutcome,
    Transfer,
)
from aos.local.servicebus.amqp.terminus import Accepted, Coordinator, Source, Target
from aos.local.servicebus.amqp.types import Symbol
from aos.local.servicebus.client import MultiplexedReceiver, OutgoingMessage
from aos.local.servicebus.engine import Bus, QueueDescription, Topology
from aos.local.servicebus.server.broker_server import BrokerServer
from tests.local.servicebus.amqp.test_frames import outcomes, performatives
from tests.local.servicebus.server.raw_peer import RawPeer, raw_peer


@pytest_asyncio.fixture
async def server() -> AsyncIterator[BrokerServer]:
    bus = Bus()
    bus.apply(Topology(queues=(QueueDescription(name="q"), QueueDescription(name="s", requires_session=True))))
    async with BrokerServer(bus) as server:
        yield server


@pytest_asyncio.fixture
async def peer(server: BrokerServer) -> AsyncIterator[RawPeer]:
    async with raw_peer(server.port) as peer:
        yield peer


async def still_works(server: BrokerServer) -> None:
    async with MultiplexedReceiver.connect(server.connection_string) as client:
        await client.send("q", [OutgoingMessage(b"still here")])
        receiver = await client.receiver("q", mode="receive-and-delete")
        assert [message.body for message in await receiver.receive(1, 5)] == [b"still here"]


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        pytest.param([b"\x00\x00\x00\x04\x02\x00\x00\x00"], "amqp:connection:framing-error", id="tiny frame"),
        pytest.param([b"\x7f\x00\x00\x00\x02\x00\x00\x00"], "amqp:connection:framing-error", id="huge frame"),
        pytest.param([b"\x00\x00\x00\x09\x02\x00\x00\x00\xff"], "amqp:decode-error", id="no performative"),
        pytest.param([Open("again")], "amqp:not-allowed", id="open twice"),
        pytest.param([Begin(None, 0, 1, 1)], "amqp:not-allowed", id="begin twice"),
        pytest.param([SaslInit("ANONYMOUS")], "amqp:connection:framing-error", id="sasl too late"),
        pytest.param([(Attach("x", 0, SENDER), 7)], "amqp:not-allowed", id="no such channel"),
        pytest.param([Attach("x", 70_000, SENDER)], "amqp:resource-limit-exceeded", id="handle over the limit"),
        pytest.param([Close(None), Open("x")], None, id="more after close"),
    ],
)
async def test_the_connection_is_closed_with_the_reason(
    server: BrokerServer, peer: RawPeer, sent: list[Any], condition: str | None
) -> None:
    await peer.open()
    for item in sent:
        if isinstance(item, bytes):
            peer.write(item)
        elif isinstance(item, tuple):
            peer.send(item[0], channel=item[1])
        else:
            kind = SASL_TYPE if isinstance(item, SaslInit) else 0
            peer.write(encode_frame(item, kind=kind))
    if condition is None:
        assert (await peer.until(Close)).error is None
    else:
        assert await peer.closed_with() == condition
    await still_works(server)


@pytest.mark.parametrize(
    ("frames", "condition"),
    [
        ([Transfer(5, 0, b"t")], "amqp:session:unattached-handle"),
        ([Flow(0, 1, 0, 1, 9, 0, 1)], "amqp:session:unattached-handle"),
        ([Attach("a", 0, SENDER, source=Source("a"), target=Target("$cbs"))] * 2, "amqp:session:handle-in-use"),
    ],
)
async def test_the_session_is_ended_with_the_reason(
    server: BrokerServer, peer: RawPeer, frames: list[Composite], condition: str
) -> None:
    await peer.open()
    for frame in frames:
        peer.send(frame)
    end = await peer.until(End)
    assert end.error.condition == condition
    peer.send(Begin(None, 0, 10, 10), channel=1)
    assert (await peer.until(Begin)).remote_channel == 1
    await still_works(server)


@pytest.mark.parametrize(
    ("attach", "condition"),
    [
        (Attach("a", 0, RECEIVER, source=Source("q"), target=Target("x")), "amqp:unauthorized-access"),
        (Attach("a", 0, SENDER, source=Source("x"), target=Target("q")), "amqp:unauthorized-access"),
        (Attach("a", 0, SENDER, source=Source("x"), target=Target("q/$management")), "amqp:unauthorized-access"),
        (Attach("a", 0, SENDER, source=Source("x"), target=Coordinator()), "amqp:not-implemented"),
        (Attach("a", 0, SENDER, source=Source("x"), target=Target(None)), "amqp:invalid-field"),
        (Attach("a", 0, RECEIVER), "amqp:invalid-field"),
    ],
)
async def test_a_link_is_refused_with_the_reason(
    server: BrokerServer, peer: RawPeer, attach: Attach, condition: str
) -> None:
    await peer.open()
    peer.send(attach)
    answer = await peer.until(Attach)
    assert (answer.source, answer.target) == (None, None)
    detach = await peer.until(Detach)
    assert (detach.closed, detach.error.condition) == (True, condition)
    await still_works(server)


async def test_another_protocol_is_answered_with_ours_and_the_end(server: BrokerServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"AMQP\x01\x01\x00\x00")
    assert await reader.read() == AMQP_HEADER
    writer.close()
    async with raw_peer(server.port) as peer:
        peer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await peer.closed_with() == "amqp:connection:framing-error"
    await still_works(server)


async def test_an_unknown_mechanism_is_refused(peer: RawPeer) -> None:
    peer.write(SASL_HEADER + encode_frame(SaslInit("PLAIN", b"\x00a\x00b"), kind=SASL_TYPE))
    assert (await peer.until(SaslOutcome)).code == 1


async def test_a_pipelined_opening_is_understood(peer: RawPeer) -> None:
    peer.write(
        SASL_HEADER
        + encode_frame(SaslInit("ANONYMOUS"), kind=SASL_TYPE)
        + AMQP_HEADER
        + encode_frame(Open("x"))
        + encode_frame(Begin(None, 0, 10, 10), 3)
        + encode_frame(Attach("a", 1, RECEIVER, source=Source("$cbs"), target=Target("me")), 3)
    )
    assert (await peer.until(Begin)).remote_channel == 3
    assert (await peer.until(Attach)).name == "a"


async def test_deliveries_that_never_end_do_not_fill_the_memory(server: BrokerServer, peer: RawPeer) -> None:
    await peer.open()
    peer.send(Attach("a", 0, SENDER, source=Source("x"), target=Target("$cbs"), initial_delivery_count=0))
    await peer.until(Flow)
    tracemalloc.start()
    for _ in range(400):
        peer.send(Transfer(0, 0, b"t", 0, False, True), b"x" * 60_000)
        await asyncio.sleep(0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024
    peer.send(Transfer(0, 0, b"t", 0, False, False))
    assert (await peer.until(Detach)).error.condition == "amqp:link:message-size-exceeded"


async def test_a_silent_peer_is_let_go_and_a_heartbeat_kept_up() -> None:
    async with BrokerServer(Bus(), idle_timeout=0.1) as server, raw_peer(server.port) as peer:
        await peer.open(idle_time_out=100)
        assert await peer.closed_with() == "amqp:resource-limit-exceeded"


async def test_a_peer_that_does_not_read_is_given_no_more_than_a_buffer_holds(server: BrokerServer) -> None:
    async with MultiplexedReceiver.connect(server.connection_string) as client:
        await client.send("q", [OutgoingMessage(b"x" * 200_000) for _ in range(100)])
    async with raw_peer(server.port) as peer:
        await peer.open(max_frame_size=65_536)
        await peer.authorize()
        peer.send(Attach("r", 0, RECEIVER, 0, 1, Source("q"), Target("r")))
        await peer.until(Attach)
        peer.send(Flow(0, 100_000, 0, 100_000, 0, 0, 1000))
        # The stream's own limit stops the reading here; the broker must stop too, and not queue 20 megabytes.
        for _ in range(500):
            await asyncio.sleep(0)
        assert 0 < server.bus.statistics("q").locked < 40


async def test_stopping_tells_the_clients(server: BrokerServer, peer: RawPeer) -> None:
    await peer.open()
    stopping = asyncio.create_task(server.stop())
    assert await peer.closed_with() == "amqp:connection:forced"
    peer.shut()
    await stopping
    assert server.connections == 0


def request(operation: str, body: dict[str, Any]) -> bytes:
    return encode_message(value_section(body), application_properties={"operation": f"com.microsoft:{operation}"})


small = st.integers(0, 3)
addresses = st.sampled_from(["q", "s", "q/$management", "$cbs", "q/$DeadLetterQueue", "nowhere"])
filters = st.sampled_from([None, {Symbol("com.microsoft:session-filter"): "a"}, {Symbol("x"): 1}])
plausible: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        Attach,
        st.sampled_from("ab"),
        small,
        st.booleans(),
        st.sampled_from([None, 0, 1, 2]),
        st.sampled_from([None, 0, 1]),
        st.builds(Source, addresses, filter=filters),
        st.builds(Target, addresses),
    ),
    st.builds(Flow, small, small, small, small, small, small, small, drain=st.booleans(), echo=st.booleans()),
    st.builds(Transfer, small, small, st.binary(max_size=4), small, st.booleans(), st.booleans()),
    st.builds(Disposition, st.booleans(), small, small, st.booleans(), outcomes),
    st.builds(Detach, small, st.booleans()),
)
payloads = st.sampled_from(
    [
        b"",
        b"\x00\x53\x75\xa0\x01x",
        b"\x00\x53\x74\xc1\x01\x00\x00\x53\x77\x40",
        encode_message(
            value_section({"lock-tokens": 1}), application_properties={"operation": "com.microsoft:renew-lock"}
        ),
        encode_message(
            value_section({"message-count": 5}), application_properties={"operation": "com.microsoft:peek-message"}
        ),
    ]
)
frame_bytes = st.one_of(
    performatives.map(encode_frame),
    st.tuples(plausible, payloads).map(
        lambda drawn: encode_frame(drawn[0], 0, drawn[1] if isinstance(drawn[0], Transfer) else b"")
    ),
)
mangled = st.tuples(frame_bytes, st.integers(8, 60), st.integers(0, 255)).map(
    lambda drawn: drawn[0][: drawn[1]] + bytes([drawn[2]]) + drawn[0][drawn[1] + 1 :]
)


async def attack(stream: list[bytes], *, opened: bool) -> None:
    bus = Bus()
    bus.apply(Topology(queues=(QueueDescription(name="q"), QueueDescription(name="s", requires_session=True))))
    async with BrokerServer(bus) as server:
        async with raw_peer(server.port) as peer:
            if opened:
                await peer.open()
                await peer.authorize()
            else:
                peer.write(AMQP_HEADER)
            for data in stream:
                peer.write(data)
            peer.shut()
            while await peer.next() is not None:
                pass
        await drain(server)
        await still_works(server)


async def drain(server: BrokerServer) -> None:
    async with MultiplexedReceiver.connect(server.connection_string) as client:
        receiver = await client.receiver("q", mode="receive-and-delete")
        while await receiver.receive(60, 0.01):
            pass


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.one_of(frame_bytes, frame_bytes, mangled, st.binary(max_size=64)), min_size=1, max_size=25),
    st.sampled_from([True, True, True, False]),
)
def test_no_frames_bring_the_broker_down(caplog: pytest.LogCaptureFixture, stream: list[bytes], opened: bool) -> None:
    asyncio.run(attack(stream, opened=opened))
    # A failure inside of the broker is caught, logged and closes one connection: it must not have happened.
    assert "The broker failed" not in caplog.text


async def test_a_disposition_over_all_ids_is_walked_over_what_there_is(server: BrokerServer, peer: RawPeer) -> None:
    await peer.open()
    peer.send(Disposition(RECEIVER, 0, 2**32 - 1, True, Accepted()))
    peer.send(Begin(None, 0, 10, 10), channel=1)
    assert (await peer.until(Begin)).remote_channel == 1
