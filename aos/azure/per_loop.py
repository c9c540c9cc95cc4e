"""One SDK client per event loop: the asynchronous clients are bound to the loop that first used them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Makes a value at its first use in each event loop, and keeps it for that loop."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: dict[asyncio.AbstractEventLoop, T] = {}

    def get(self) -> T:
        """The running loop's value."""
        loop = asyncio.get_running_loop()
        value = self._values.get(loop)
        if value is None:
            self._forget_closed_loops()
            value = self._values[loop] = self._make()
        return value

    def take(self) -> T | None:
        """Remove and return the running loop's value, so that it can be closed."""
        return self._values.pop(asyncio.get_running_loop(), None)

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in self._values if loop.is_closed()]:
            del self._values[loop]
