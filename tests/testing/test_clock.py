from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from aos.testing import SeededIds, VirtualClock


def test_time_stands_still_until_it_is_advanced() -> None:
    clock = VirtualClock(datetime(2030, 5, 1, tzinfo=UTC))
    assert clock.now() == clock.now() == datetime(2030, 5, 1, tzinfo=UTC)
    assert clock.monotonic() == 0
    clock.advance(90)
    assert clock.now() == datetime(2030, 5, 1, 0, 1, 30, tzinfo=UTC)
    assert clock.monotonic() == 90


def test_many_small_steps_add_up_exactly() -> None:
    clock = VirtualClock()
    start = clock.now()
    for _ in range(10_000):
        clock.advance(0.1)
    assert clock.now() - start == timedelta(seconds=1_000)


def test_time_cannot_go_back() -> None:
    with pytest.raises(ValueError, match="go back"):
        VirtualClock().advance(-1)


def test_callbacks_come_in_order_of_time_each_at_its_moment() -> None:
    clock = VirtualClock()
    seen: list[tuple[str, float]] = []
    clock.call_later(2, lambda: seen.append(("late", clock.monotonic())))
    clock.call_later(1, lambda: seen.append(("first", clock.monotonic())))
    clock.call_at(clock.now() + timedelta(seconds=1), lambda: seen.append(("second", clock.monotonic())))
    clock.call_later(3, lambda: seen.append(("never", clock.monotonic())))
    clock.advance(2.5)
    assert seen == [("first", 1), ("second", 1), ("late", 2)]
    assert clock.monotonic() == 2.5


def test_a_callback_may_set_another_within_the_same_step() -> None:
    clock = VirtualClock()
    seen: list[float] = []

    def again() -> None:
        seen.append(clock.monotonic())
        if len(seen) < 3:
            clock.call_later(1, again)

    clock.call_later(1, again)
    clock.advance(10)
    assert seen == [1, 2, 3]


def test_a_cancelled_callback_is_not_called_nor_waited_for() -> None:
    clock = VirtualClock()
    timer = clock.call_later(1, lambda: pytest.fail("it was cancelled"))
    clock.call_later(5, lambda: None)
    timer.cancel()
    timer.cancel()
    assert not timer.waiting
    assert clock.next_due() == 5
    clock.advance(2)
    assert clock.next_due() == 3
    clock.advance(3)
    assert clock.next_due() is None


def test_what_was_due_before_now_comes_with_the_next_step() -> None:
    clock = VirtualClock()
    clock.advance(10)
    seen: list[float] = []
    clock.call_at(clock.now() - timedelta(seconds=5), lambda: seen.append(clock.monotonic()))
    assert clock.next_due() == 0
    clock.advance(0)
    assert seen == [10]


async def test_sleepers_wake_when_their_time_has_come() -> None:
    clock = VirtualClock()
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async def until() -> None:
        await clock.sleep_until(datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC))
        woken.append("until")

    tasks = [asyncio.create_task(job) for job in (sleeper("slow", 3), until(), sleeper("quick", 1), sleeper("now", 0))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert woken == ["now"]
    clock.advance(2)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert woken == ["now", "quick", "until"]
    clock.advance_to(clock.now() + timedelta(seconds=1))
    await asyncio.gather(*tasks)
    assert woken[-1] == "slow"


async def test_a_sleeper_that_is_cancelled_leaves_nothing_behind() -> None:
    clock = VirtualClock()
    task = asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.next_due() is None


def test_advancing_to_the_past_does_nothing() -> None:
    clock = VirtualClock()
    clock.advance(5)
    clock.advance_to(clock.now() - timedelta(seconds=1))
    assert clock.monotonic() == 5


def test_one_seed_gives_one_series() -> None:
    def series(seed: int | str) -> list[str | float]:
        ids = SeededIds(seed)
        return [ids.new(), ids.random(), ids.new(), ids.random()]

    assert series(7) == series(7)
    assert series("7/host-1") == series("7/host-1")
    assert len({str(series(seed)) for seed in (7, 8, "7/host-1", "7/host-2")}) == 4


def test_ids_are_unique_and_fit_a_key() -> None:
    ids = SeededIds(1)
    made = [ids.new() for _ in range(1_000)]
    assert len(set(made)) == 1_000
    assert all(len(id_) == 32 and id_.isalnum() for id_ in made)
    assert all(0 <= ids.random() < 1 for _ in range(1_000))


async def test_the_smallest_wait_moves_the_clock() -> None:
    clock = VirtualClock()
    fired: list[float] = []
    clock.call_later(1e-14, lambda: fired.append(clock.monotonic()))
    clock.advance(1)
    assert fired == [1e-06]
