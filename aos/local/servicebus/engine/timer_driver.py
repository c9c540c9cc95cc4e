"""Drives a bus in real time: one timer on the event loop, set to the next thing that is due."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from aos.local.servicebus.engine.bus import Bus

# A sleeping laptop or a changed wall clock is noticed after this many seconds at the latest.
_LONGEST = 60.0


class TimerDriver:
    """While entered, calls `Bus.advance` when it is due. Takes over `Bus.on_earlier_due`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._bus.on_earlier_due = self._set
        self._set()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bus.on_earlier_due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._bus.next_due()
        if due is not None:
            delay = (due - self._bus.now()).total_seconds()
            self._timer = asyncio.get_running_loop().call_later(min(max(delay, 0.0), _LONGEST), self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._bus.advance()
        self._set()
