"""Time that moves only when it is told to, and chance that repeats: what makes a test of an agent deterministic."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

_START = datetime(2026, 1, 1, tzinfo=UTC)
_MICROSECONDS = 1_000_000


class Timer:
    """A callback that waits for its moment. `cancel` may be called at any time, any number of times."""

    __slots__ = ("_callback", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self._callback: Callable[[], None] | None = callback

    @property
    def waiting(self) -> bool:
        return self._callback is not None

    def cancel(self) -> None:
        self._callback = None

    def fire(self) -> None:
        """Call back, unless that has been done or cancelled."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class VirtualClock:
    """A clock that stands still until `advance`. Its resolution is a microsecond.

    Args:
        start: What `now` tells at first (UTC, timezone-aware).
    """

    def __init__(self, start: datetime = _START) -> None:
        self._start = start
        # Whole microseconds, so that sums of many steps stay exact.
        self._elapsed = 0
        self._now = start
        self._timers: list[tuple[int, int, Timer]] = []
        self._order = 0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed / _MICROSECONDS

    def call_at(self, when: datetime, callback: Callable[[], None]) -> Timer:
        """Have `callback` called when the clock reaches `when`; by the next `advance` if that has passed."""
        return self._add((when - self._start) // timedelta(microseconds=1), callback)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Have `callback` called when `seconds` have passed."""
        return self._add(self._elapsed + _whole(seconds), callback)

    def next_due(self) -> float | None:
        """Seconds until the next callback is due, 0 if it is overdue; None when nothing waits."""
        while self._timers and not self._timers[0][2].waiting:
            heappop(self._timers)
        return max(0, self._timers[0][0] - self._elapsed) / _MICROSECONDS if self._timers else None

    def advance(self, seconds: float) -> None:
        """Let time pass. What falls due is called in order of time, the clock standing at that moment."""
        target = self._elapsed + _whole(seconds)
        while self._timers and self._timers[0][0] <= target:
            due, _, timer = heappop(self._timers)
            if timer.waiting:
                self._move_to(due)
                timer.fire()
        self._move_to(target)

    def advance_to(self, when: datetime) -> None:
        """Let time pass until `when`; nothing happens if that has passed."""
        self.advance(max(0.0, (when - self._now) / timedelta(seconds=1)))

    async def sleep(self, seconds: float) -> None:
        """Suspend the caller until the clock has been advanced by that much."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, lambda: None if woken.done() else woken.set_result(None))
        try:
            await woken
        finally:
            timer.cancel()

    async def sleep_until(self, when: datetime) -> None:
        """Suspend the caller until the clock has reached `when`."""
        await self.sleep((when - self._now) / timedelta(seconds=1))

    def _add(self, due: int, callback: Callable[[], None]) -> Timer:
        timer = Timer(due / _MICROSECONDS, callback)
        self._order += 1
        heappush(self._timers, (due, self._order, timer))
        return timer

    def _move_to(self, elapsed: int) -> None:
        if elapsed > self._elapsed:
            self._elapsed = elapsed
            self._now = self._start + timedelta(microseconds=elapsed)


def _whole(seconds: float) -> int:
    """Seconds as whole microseconds, rounded up: whoever waits for a moment finds it reached."""
    if seconds < 0:
        raise ValueError(f"time cannot go back by {-seconds} s")
    # What is nearer to a whole number than floating point can tell is that number; but whoever waits for what is left
    # of a sum of floats must get on, however little it is.
    return max(math.ceil(round(seconds * _MICROSECONDS, 3)), 1 if seconds else 0)


class SeededIds:
    """Ids and random numbers that are the same in every run with the same seed.

    Args:
        seed: A number or any text; give each participant of a test one of its own.
    """

    def __init__(self, seed: int | str = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable by purpose, guards nothing

    def new(self) -> str:
        """32 hexadecimal digits."""
        return f"{self._random.getrandbits(128):032x}"

    def random(self) -> float:
        return self._random.random()
