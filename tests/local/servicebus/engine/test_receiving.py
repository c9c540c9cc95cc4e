from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from aos.local.servicebus.engine import (
    Bus,
    EntityNotFound,
    Message,
    OperationTimedOut,
    SessionCannotBeLocked,
    SessionLockLost,
    TimerDriver,
    accept_session,
    receive,
)
from tests.local.servicebus.engine.virtual import VirtualClock, bodies, make_queue, send


async def test_receive_waits_for_the_first_message(bus: Bus) -> None:
    queue = make_queue(bus)
    waiting = asyncio.create_task(receive(queue, 10))
    await asyncio.sleep(0)
    send(queue, "a", "b")
    assert bodies(await waiting) == ["a", "b"]


async def test_receive_gives_up_in_time(bus: Bus) -> None:
    queue = make_queue(bus)
    assert await receive(queue, timeout=0.001) == []
    send(queue, "a")
    assert bodies(queue.receive(1)) == ["a"]


async def test_a_cancelled_receive_leaves_the_message_alone(bus: Bus) -> None:
    queue = make_queue(bus)
    waiting = asyncio.create_task(receive(queue))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    send(queue, "a")
    assert bodies(queue.receive(1)) == ["a"]


async def test_waiting_ends_with_the_entity_and_with_the_session(bus: Bus) -> None:
    queue = make_queue(bus)
    sessions = make_queue(bus, "sessions", requires_session=True)
    on_queue = asyncio.create_task(receive(queue))
    on_session = asyncio.create_task(receive(sessions.accept_session("a")))
    await asyncio.sleep(0)
    bus.delete_queue("orders")
    sessions.steal_session("a")
    with pytest.raises(EntityNotFound):
        await on_queue
    with pytest.raises(SessionLockLost):
        await on_session


async def test_accepting_waits_for_a_session_with_messages(bus: Bus) -> None:
    queue = make_queue(bus, requires_session=True)
    waiting = asyncio.create_task(accept_session(queue))
    await asyncio.sleep(0)
    send(queue, "a", session_id="s")
    receiver = await waiting
    assert receiver.session_id == "s"
    with pytest.raises(SessionCannotBeLocked):
        await accept_session(queue, "s")
    assert (await accept_session(queue, "t")).session_id == "t"


async def test_accepting_times_out_by_the_clock_of_the_bus(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus, requires_session=True)
    waiting = asyncio.create_task(accept_session(queue, timeout=timedelta(hours=1)))
    await asyncio.sleep(0)
    clock.move(bus, hours=1)
    with pytest.raises(OperationTimedOut):
        await waiting


async def test_a_session_given_to_a_cancelled_caller_goes_back(bus: Bus) -> None:
    queue = make_queue(bus, requires_session=True)
    waiting = asyncio.create_task(accept_session(queue))
    await asyncio.sleep(0)
    send(queue, "a", session_id="s")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert queue.accept_session("s").session_id == "s"


async def test_the_driver_moves_the_bus_in_real_time() -> None:
    bus = Bus()
    queue = make_queue(bus, lock_duration=timedelta(milliseconds=20))
    async with TimerDriver(bus):
        queue.schedule([Message(b"later", scheduled_for=bus.now() + timedelta(milliseconds=20))])
        first = await receive(queue)
        again = await receive(queue)
    assert bodies(first) == bodies(again) == ["later"]
    assert (first[0].delivery_count, again[0].delivery_count) == (0, 1)
    assert bus.on_earlier_due is None


async def test_a_session_that_comes_to_somebody_who_was_cancelled_goes_to_the_next(bus: Bus) -> None:
    queue = make_queue(bus, requires_session=True)
    first = asyncio.ensure_future(accept_session(queue))
    second = asyncio.ensure_future(accept_session(queue))
    await asyncio.sleep(0)
    first.cancel()
    # Before the first has had the time to leave the line.
    send(queue, "a", session_id="s")
    assert (await second).session_id == "s"
    with pytest.raises(asyncio.CancelledError):
        await first
