from __future__ import annotations

import asyncio

import pytest

from aos.functions.pause import LONGEST, pausing, seconds_before
from aos.kernel.errors import Conflict, StoreUnavailable


def test_pauses_grow_with_the_deliveries_and_outlast_a_short_outage() -> None:
    down = StoreUnavailable("Down.")
    pauses = [seconds_before(count, down) for count in range(1, 11)]
    assert pauses[:3] == [0.5, 1.0, 2.0]
    assert max(pauses) == LONGEST
    assert sum(pauses) > 120
    assert seconds_before(10_000, down) == LONGEST


def test_who_lost_a_race_comes_back_at_once_but_not_for_ever() -> None:
    lost = Conflict("Somebody else has it.")
    assert seconds_before(1, lost) == 0
    assert seconds_before(4, lost) == 4


async def test_a_failed_invocation_waits_and_then_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(StoreUnavailable):
        async with pausing(3):
            raise StoreUnavailable("Down.")
    async with pausing(3):
        pass
    assert slept == [2.0]
