from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from aos.testing import VirtualClock
from aos.testing.simulation.loop import NothingToWaitFor, VirtualTimeLoop


def run(work: Coroutine[Any, Any, Any], clock: VirtualClock) -> Any:
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(clock)) as runner:
        return runner.run(work)


def test_time_passes_only_on_the_clock() -> None:
    clock = VirtualClock()
    woken: list[tuple[str, float]] = []

    async def sleep(name: str, seconds: float) -> None:
        await (clock.sleep(seconds) if name == "clock" else asyncio.sleep(seconds))
        woken.append((name, asyncio.get_running_loop().time()))

    async def both() -> None:
        await asyncio.gather(sleep("loop", 7200), sleep("clock", 3600))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await clock.sleep(61)

    run(both(), clock)
    assert woken == [("clock", 3600.0), ("loop", 7200.0)]
    assert clock.monotonic() == 7260


def test_a_program_that_would_stand_still_is_told_so() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(NothingToWaitFor):
        run(wait(), VirtualClock())
