"""What the bus in memory adds to the contract: waiting on the virtual clock, theft, peeking, faults."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from aos.azure.claims import open_body
from aos.kernel.errors import BusUnavailable, LockLost, NotFound, PayloadTooLarge
from aos.kernel.ports import MessageBus, OutboundMessage
from aos.local.servicebus.client import EntityReceiver, SessionReceiver
from aos.local.servicebus.engine import Fault, FaultKind
from aos.testing import MemoryBlobStore, MemoryBus, VirtualClock, agent_topology

INBOX = "agent-inbox"


def mail(id_: str, session: str = "a") -> OutboundMessage:
    return OutboundMessage(INBOX, id_.encode(), id_, session_id=session)


async def settle() -> None:
    """Let every task run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_it_has_the_shapes_of_the_ports() -> None:
    bus = MemoryBus()
    sender: MessageBus = bus
    await sender.send([mail("1")])
    session: SessionReceiver | None = await bus.accept_next_session(INBOX)
    receiver: EntityReceiver = await bus.receiver("aos-requests")
    assert session is not None
    assert (session.entity, session.closed, receiver.entity, receiver.closed) == (INBOX, False, "aos-requests", False)
    await session.close()
    await receiver.close()
    assert session.closed
    assert receiver.closed


async def test_waiting_for_a_session_ends_when_one_comes() -> None:
    clock = VirtualClock()
    bus = MemoryBus(clock)
    waiting = asyncio.create_task(bus.accept_next_session(INBOX, timeout=60))
    await settle()
    assert not waiting.done()
    await bus.send([mail("1", "late")])
    session = await waiting
    assert session is not None
    assert session.session_id == "late"


async def test_waiting_for_a_session_ends_with_its_time() -> None:
    clock = VirtualClock()
    bus = MemoryBus(clock)
    waiting = asyncio.create_task(bus.accept_next_session(INBOX, timeout=60))
    await settle()
    clock.advance(59)
    await settle()
    assert not waiting.done()
    clock.advance(1)
    assert await waiting is None


async def test_who_gives_up_waiting_for_a_session_takes_none() -> None:
    bus = MemoryBus(VirtualClock())
    waiting = asyncio.create_task(bus.accept_next_session(INBOX, timeout=60))
    await settle()
    waiting.cancel()
    await settle()
    await bus.send([mail("1")])
    assert await bus.accept_next_session(INBOX) is not None


async def test_waiting_for_a_message_ends_when_one_comes_or_with_its_time() -> None:
    clock = VirtualClock()
    bus = MemoryBus(clock)
    session = await bus.accept_session(INBOX, "a")
    waiting = asyncio.create_task(session.receive(5, wait=30))
    await settle()
    await bus.send([mail("1"), mail("2")])
    assert [message.message_id for message in await waiting] == ["1", "2"]
    waiting = asyncio.create_task(session.receive(5, wait=30))
    await settle()
    clock.advance(30)
    assert await waiting == []
    assert clock.next_due() is not None


async def test_waiting_without_end_ends_with_the_lock() -> None:
    clock = VirtualClock()
    bus = MemoryBus(clock)
    session = await bus.accept_session(INBOX, "a")
    waiting = asyncio.create_task(session.receive(1, wait=None))
    await settle()
    clock.advance(60)
    with pytest.raises(LockLost):
        await waiting


async def test_a_stolen_session_is_lost_to_its_holder() -> None:
    bus = MemoryBus()
    await bus.send([mail("1")])
    victim = await bus.accept_session(INBOX, "a")
    (message,) = await victim.receive()
    bus.steal_session(INBOX, "a")
    thief = await bus.accept_session(INBOX, "a")
    (again,) = await thief.receive()
    assert again.delivery_count == 1
    with pytest.raises(LockLost):
        await victim.complete([message])
    with pytest.raises(LockLost):
        await victim.receive()
    await thief.complete([again])
    assert bus.peek(INBOX) == []


async def test_locks_end_as_the_clock_advances_without_anybody_asking() -> None:
    clock = VirtualClock()
    bus = MemoryBus(clock, topology=agent_topology(lock_duration=timedelta(seconds=30)))
    session = await bus.accept_session(INBOX, "a")
    assert not session.closed
    clock.advance(30)
    assert session.closed


async def test_peeking_shows_all_and_takes_nothing() -> None:
    clock = VirtualClock()
    bus = MemoryBus(clock)
    await bus.send([mail("1"), mail("2", "b")])
    await bus.send([OutboundMessage(INBOX, b"", "3", session_id="a", scheduled_at=clock.now() + timedelta(days=1))])
    session = await bus.accept_session(INBOX, "a")
    await session.receive()
    assert [message.message_id for message in bus.peek(INBOX)] == ["1", "2", "3"]
    assert bus.engine.statistics(INBOX).scheduled == 1
    with pytest.raises(NotFound):
        bus.peek("nowhere")


async def test_some_of_what_is_settled_may_have_been_lost() -> None:
    clock = VirtualClock()
    bus = MemoryBus(clock)
    await bus.send([OutboundMessage("aos-requests", b"", id_) for id_ in ("1", "2")])
    receiver = await bus.receiver("aos-requests")
    (early,) = await receiver.receive()
    clock.advance(40)
    (late,) = await receiver.receive()
    clock.advance(30)
    with pytest.raises(LockLost) as caught:
        await receiver.complete([early, late])
    assert getattr(caught.value, "messages", ()) == (early,)
    assert [message.message_id for message in bus.peek("aos-requests")] == ["1"]


async def test_a_lock_on_a_message_can_be_renewed() -> None:
    clock = VirtualClock()
    bus = MemoryBus(clock)
    await bus.send([OutboundMessage("aos-requests", b"", "1")])
    receiver = await bus.receiver("aos-requests")
    messages = await receiver.receive()
    clock.advance(50)
    assert await receiver.renew(messages) == [clock.now() + timedelta(minutes=1)]
    clock.advance(50)
    await receiver.complete(messages)
    assert bus.peek("aos-requests") == []


async def test_a_closed_receiver_gives_back_what_it_had() -> None:
    bus = MemoryBus()
    await bus.send([OutboundMessage("aos-requests", b"", id_) for id_ in ("1", "2", "3")])
    receiver = await bus.receiver("aos-requests")
    first, _, _ = await receiver.receive(3)
    await receiver.complete([first])
    await receiver.close()
    other = await bus.receiver("aos-requests", mode="receive-and-delete")
    assert [(message.message_id, message.delivery_count) for message in await other.receive(3)] == [("2", 0), ("3", 0)]
    assert bus.peek("aos-requests") == []


async def test_deferred_and_released_messages() -> None:
    bus = MemoryBus()
    await bus.send([mail("1"), mail("2"), mail("3")])
    session = await bus.accept_session(INBOX, "a")
    first, second = await session.receive(2)
    await session.defer([first])
    await session.release([second])
    assert [(m.message_id, m.delivery_count) for m in await session.receive(3)] == [("2", 0), ("3", 0)]
    assert [message.message_id for message in bus.peek(INBOX)] == ["1", "2", "3"]


async def test_a_refusal_of_the_engine_is_an_unavailable_bus() -> None:
    bus = MemoryBus()
    bus.engine.faults.add(Fault(kind=FaultKind.THROTTLE, operation="send"))
    with pytest.raises(BusUnavailable):
        await bus.send([mail("1")])
    await bus.send([mail("1")])
    assert [message.message_id for message in bus.peek(INBOX)] == ["1"]


async def test_a_large_body_is_found_by_its_claim_check() -> None:
    blobs = MemoryBlobStore()
    bus = MemoryBus(blobs=blobs, max_body_bytes=10)
    await bus.send([OutboundMessage("aos-requests", b"x" * 11, "1")])
    (message,) = bus.peek("aos-requests")
    assert len(blobs.names()) == 1
    assert await open_body(message.body, blobs) == b"x" * 11


async def test_without_blobs_a_large_body_is_refused() -> None:
    bus = MemoryBus(max_body_bytes=10)
    with pytest.raises(PayloadTooLarge):
        await bus.send([OutboundMessage("aos-requests", b"x", "1"), OutboundMessage("aos-requests", b"x" * 11, "2")])
    assert bus.peek("aos-requests") == []


async def test_the_topology_can_be_named() -> None:
    bus = MemoryBus(topology=agent_topology(inbox="in", events="ev", requests="rq", response_queues=("app-responses",)))
    assert [queue.name for queue in bus.engine.queues()] == ["in", "rq", "app-responses"]
    await bus.send([OutboundMessage("ev", b"e", "1")])
    assert [message.body for message in bus.peek("ev/Subscriptions/router")] == [b"e"]
