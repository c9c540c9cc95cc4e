"""Bulkheads: so many calls of a kind at a time, a short line for those that wait, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aos.reliability.errors import BulkheadFullError


class Bulkhead:
    """Lets `max_concurrent` callers in, and `max_queue` more wait in the order they came.

    Args:
        max_concurrent: Callers at a time.
        max_queue: Callers that may wait.
        timeout: Longest wait in seconds; None waits as long as the caller does.
        name: Of what is protected, for messages.
    """

    def __init__(
        self, max_concurrent: int, max_queue: int = 0, *, timeout: float | None = 30.0, name: str = "bulkhead"
    ) -> None:
        self.name = name
        self.max_concurrent = max_concurrent
        self.max_queue = max_queue
        self.active = 0
        self._timeout = timeout
        self._waiting: deque[asyncio.Future[None]] = deque()

    @classmethod
    def of(cls, criticality: str) -> Bulkhead:
        """The usual sizes: `critical` 10 and 20 waiting, `normal` 5 and 10, `background` 2 and 5."""
        concurrent, queue = _SIZES[criticality]
        return cls(concurrent, queue, name=criticality)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def try_acquire(self) -> bool:
        """Enter if there is room and nobody is waiting."""
        if self.active >= self.max_concurrent or self._waiting:
            return False
        self.active += 1
        return True

    async def acquire(self, within: float | None = None) -> None:
        """Enter, waiting in line if need be.

        Args:
            within: Longest wait in seconds, in place of the bulkhead's own.

        Raises:
            BulkheadFullError: the line is full, or the wait was too long.
        """
        if self.try_acquire():
            return
        if len(self._waiting) >= self.max_queue:
            raise self._full(f"{self.waiting} are waiting already")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        seconds = self._timeout if within is None else within
        try:
            async with asyncio.timeout(seconds):
                await turn
        except TimeoutError:
            self._give_up(turn)
            raise self._full(f"the wait was over {seconds:g} s") from None
        except asyncio.CancelledError:
            self._give_up(turn)
            raise

    def release(self) -> None:
        """Leave. The next in line enters."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.active -= 1

    @asynccontextmanager
    async def slot(self, within: float | None = None) -> AsyncIterator[None]:
        """Be inside for the length of the block. Raises `BulkheadFullError`."""
        await self.acquire(within)
        try:
            yield
        finally:
            self.release()

    def stats(self) -> dict[str, Any]:
        return {"name": self.name, "active": self.active, "waiting": self.waiting, "max": self.max_concurrent}

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        # The turn may have come in the same moment; it then goes to the next in line.
        if turn.done() and not turn.cancelled():
            self.release()
        elif turn in self._waiting:
            self._waiting.remove(turn)

    def _full(self, why: str) -> BulkheadFullError:
        return BulkheadFullError(
            f"{self.name} has all its {self.max_concurrent} places taken, and {why}. Try again later.",
            retry_after=1.0,
        )


class Throttler(Bulkhead):
    """The usual bulkhead for a service's callers: 10 at a time, 100 waiting, for 30 seconds at most."""

    def __init__(self, max_concurrent: int = 10, max_queue: int = 100, timeout: float = 30.0) -> None:
        super().__init__(max_concurrent, max_queue, timeout=timeout, name="throttler")


_SIZES = {"critical": (10, 20), "normal": (5, 10), "background": (2, 5)}
