"""Single flight: equal requests that run at the same time share one execution."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    passengers: int = 0


class SingleFlight(Generic[T]):
    """Runs the work for a key once however many ask for it meanwhile.

    One of them being cancelled does not disturb the others; when the last one is, so is the work.
    """

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    async def run(self, key: str, work: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """The result for `key`, and whether it was shared with somebody who asked earlier.

        An error of the work is raised for everybody.
        """
        flight = self._flights.get(key)
        shared = flight is not None
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.ensure_future(_coroutine(work)))
            flight.task.add_done_callback(partial(self._land, key))
        flight.passengers += 1
        try:
            return await asyncio.shield(flight.task), shared
        except asyncio.CancelledError:
            if flight.passengers == 1 and not flight.task.done():
                self._flights.pop(key, None)
                flight.task.cancel()
                await asyncio.wait([flight.task])
            raise
        finally:
            flight.passengers -= 1

    def _land(self, key: str, task: asyncio.Task[Any]) -> None:
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]
        if not task.cancelled():
            # Marks the error as seen where every passenger has gone.
            task.exception()


async def _coroutine(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
