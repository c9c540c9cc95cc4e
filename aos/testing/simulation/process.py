"""A process of the simulation: it can die, and stand still, at every operation it does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta
from typing import Any

from aos.kernel.errors import AosError
from aos.kernel.ports import OutboundMessage
from aos.testing.clock import VirtualClock
from aos.testing.faults import SimulatedCrash
from aos.testing.simulation.scene import Scene
from aos.testing.simulation.trouble import Trouble

_current: ContextVar[SimulatedProcess] = ContextVar("aos_simulated_process")

_SERVICE_TROUBLES = frozenset(
    {
        Trouble.FAIL,
        Trouble.THROTTLE,
        Trouble.LOSE_REQUEST,
        Trouble.LOSE_ANSWER,
        Trouble.LATE,
        Trouble.HALVE,
    }
)
_ROUTINE = frozenset({"bus.accept", "bus.receive"})


def current_process() -> SimulatedProcess:
    """The process whose code is running."""
    return _current.get()


delivery_began: ContextVar[float] = ContextVar("aos_simulated_delivery")
"""When the messages that are being handled were received, on the monotonic clock."""


class SimulatedProcess:
    """One process: tasks that live and die together.

    Args:
        name: Its name in the trace; every process has one of its own.
        scene: What it shares with the others.
    """

    def __init__(self, name: str, scene: Scene) -> None:
        self.name = name
        self.scene = scene
        self.alive = True
        self.gone = asyncio.Event()
        """Set when it has died."""
        self._clock: VirtualClock = scene.clock
        self._chance: random.Random = scene.chance
        self._thaws = 0.0
        self._after: Trouble | None = None
        # In order, so that they are ended in order.
        self._tasks: dict[asyncio.Task[None], None] = {}

    def start(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Run something in this process until it ends or the process does."""
        task = asyncio.get_running_loop().create_task(self._live(work))
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    async def stop(self) -> None:
        """End it as a process is ended that has nothing more to do."""
        self.alive = False
        tasks = self._cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def die(self) -> SimulatedCrash:
        """It is gone, with all it had in memory."""
        self.alive = False
        self.gone.set()
        self._cancel()
        self.scene.trace.note(self.name, "dies")
        return SimulatedCrash(self.name)

    @property
    def now(self) -> float:
        """Of the monotonic clock."""
        return self._clock.monotonic()

    # What every operation passes, see `ports.Process`

    async def reach(self, operation: str) -> Trouble | None:
        await self._wait(self.scene.latency())
        trouble = self.scene.troubles.strike(operation)
        if trouble is None:
            self.scene.trace.note(self.name, operation, worth_reading=operation not in _ROUTINE)
            return Trouble.FAIL if self.scene.out_of_reach(operation) else None
        self.scene.trace.note(self.name, f"{operation}: {trouble.value}")
        if trouble in _SERVICE_TROUBLES:
            self.scene.troubles.count(trouble)
            return trouble
        await self._suffer(trouble)
        return trouble

    async def leave(self) -> None:
        trouble, self._after = self._after, None
        if trouble is Trouble.CRASH_AFTER:
            self.scene.troubles.count(trouble)
            raise self.die()
        if trouble is Trouble.FREEZE_AFTER:
            self._freeze(trouble)
        await self._wait(self.scene.latency())

    def apply_later(self, call: Callable[[], Awaitable[Any]]) -> None:
        self.scene.apply_later(call)

    def page_size(self, limit: int) -> int:
        return self._chance.randint(1, min(3, limit)) if self.scene.troubles.befalls(Trouble.SHORT_PAGE) else limit

    def post(self, messages: Sequence[OutboundMessage]) -> Sequence[OutboundMessage]:
        return [self._postponed(message) for message in messages]

    async def copy(self, messages: Sequence[OutboundMessage]) -> None:
        for message in messages:
            if self.scene.troubles.befalls(Trouble.DUPLICATE):
                await self.scene.deliver_again(message)

    def _postponed(self, message: OutboundMessage) -> OutboundMessage:
        if message.scheduled_at is not None or not self.scene.troubles.befalls(Trouble.POSTPONE):
            return message
        return replace(message, scheduled_at=self._clock.now() + timedelta(seconds=self._chance.uniform(0.1, 20)))

    async def _suffer(self, trouble: Trouble) -> None:
        match trouble:
            case Trouble.CRASH:
                self.scene.troubles.count(trouble)
                raise self.die()
            case Trouble.FREEZE:
                self._freeze(trouble)
            case Trouble.SLOW:
                self.scene.troubles.count(trouble)
                await self._wait(self._chance.uniform(1, 90))
            case Trouble.THEFT:
                self.scene.steal_a_session()
            case Trouble.BURST:
                self.scene.troubles.count(trouble)
                self.scene.lose_services(self._chance.uniform(0.1, 5))
            case _:
                self._after = trouble
        await self._wait(0.0)

    def _freeze(self, trouble: Trouble) -> None:
        self.scene.troubles.count(trouble)
        self._thaws = self._clock.monotonic() + self._chance.uniform(0.5, 2.5) * self.scene.lock_seconds

    async def _wait(self, seconds: float) -> None:
        self._check()
        if seconds:
            await self._clock.sleep(seconds)
        while (left := self._thaws - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)
        self._check()

    def _check(self) -> None:
        if not self.alive:
            raise SimulatedCrash(self.name)

    def _cancel(self) -> list[asyncio.Task[None]]:
        """Not the one that is dying: it is on its way out with an exception of its own."""
        others = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        return others

    async def _live(self, work: Callable[[], Awaitable[None]]) -> None:
        _current.set(self)
        try:
            await work()
        except (SimulatedCrash, asyncio.CancelledError):
            if self.alive:
                raise
        except AosError as error:
            self.scene.problem(f"{self.name} gave up: {error!r}")
