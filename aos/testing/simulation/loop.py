"""An asyncio event loop whose time is a virtual clock: nobody waits, and the same program runs the same way again."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

from aos.testing.clock import VirtualClock


class NothingToWaitFor(Exception):  # the situation
    """Everybody waits, and nothing is due: the program would stand still for ever."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Runs callbacks in the order asyncio does; when there are none, moves `clock` to the next moment something is due.

    `loop.time()` is the clock's, so that `asyncio.timeout` and `asyncio.sleep` are counted on it too. Nothing outside
    of the process can wake it.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        super().__init__(_TimeTraveller(clock))

    def time(self) -> float:
        return self._clock.monotonic()


class _TimeTraveller(selectors.BaseSelector):
    """Stands where a loop waits for files, and moves the clock instead."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self._keys[number] = selectors.SelectorKey(fileobj, number, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            waits = [wait for wait in (timeout, self._clock.next_due()) if wait is not None]
            if not waits:
                raise NothingToWaitFor("Every task waits for another. Look for what should have woken one of them.")
            self._clock.advance(min(waits))
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys
