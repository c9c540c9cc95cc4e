"""Runs one call of a tool: timeouts, tries inside the turn's time, and what its errors say of what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from aos.kernel.ambient import RandomIds, SystemClock
from aos.kernel.errors import AosError, TerminalError, Throttled
from aos.kernel.ports import Clock, Ids
from aos.reliability.retry import classify
from aos.tools.declaration import Tool, ToolContext
from aos.tools.errors import NotDone, ToolFailed, ToolTimedOut
from aos.tools.statistics import ToolStatistics

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Workbench:
    """What calls are made with.

    Attributes:
        clock, ids: For durations, chance and the marks of reservations.
        sleep: How to wait between tries.
        margin: Seconds of the turn that are left for its commit.
    """

    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = field(default_factory=RandomIds)
    sleep: Sleep = asyncio.sleep
    margin: float = 2.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of a tool, with the tries it may take.

    Attributes:
        tool, arguments: What is called.
        agent, key: On whose behalf, under which idempotency key.
        remaining: Tells how many seconds of the turn are left.
        statistics: Where each try is counted.
    """

    bench: Workbench
    tool: Tool
    arguments: BaseModel
    agent: str
    key: str
    remaining: Callable[[], float]
    statistics: ToolStatistics

    async def run(self) -> Any:
        """The result as JSON.

        Raises:
            TerminalError: the tool will not do it.
            ToolTimedOut, ToolFailed: the tries are spent, or there is no time for another.
            NotDone, Throttled: likewise, and nothing has happened.
        """
        tries = 0
        while True:
            tries += 1
            try:
                return await self._try()
            except AosError as error:
                delay = self._pause(error, tries)
                if delay is None:
                    raise
            await self.bench.sleep(delay)

    async def _try(self) -> Any:
        started = self.bench.clock.monotonic()
        seconds = min(self.tool.timeout, self._time_left())
        if seconds <= 0:
            raise NotDone(f"There is no time left in the turn to call tool {self.tool.name!r}.")
        succeeded = timed_out = False
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                result = await self.tool.run(self.arguments, ToolContext(self.agent, self.key, seconds))
            succeeded = True
        except Exception as error:
            timed_out = limit.expired()
            raise self._understood(error, timed_out=timed_out, seconds=seconds) from error
        finally:
            took = self.bench.clock.monotonic() - started
            self.statistics.count(took, succeeded=succeeded, timed_out=timed_out)
        return result

    def _understood(self, error: Exception, *, timed_out: bool, seconds: float) -> AosError:
        name = self.tool.name
        if timed_out:
            return ToolTimedOut(f"Tool {name!r} did not finish within {seconds:g} seconds.")
        if isinstance(error, TerminalError | NotDone | Throttled):
            return error
        details = {"failure_class": classify(error).value}
        after = error.retry_after if isinstance(error, AosError) else None
        return ToolFailed(f"Tool {name!r} raised {type(error).__name__}: {error}", retry_after=after, details=details)

    def _pause(self, error: AosError, tries: int) -> float | None:
        """Seconds to wait before another try; None where none may follow."""
        harmless = isinstance(error, NotDone | Throttled) or self.tool.effect in ("read", "idempotent")
        cause = error.__cause__ if isinstance(error, ToolFailed) and isinstance(error.__cause__, Exception) else error
        if not harmless or isinstance(error, TerminalError) or tries >= self.tool.retry.attempts(classify(cause)):
            return None
        delay = max(self.tool.retry.delay(tries, self.bench.ids.random()), error.retry_after or 0.0)
        return delay if delay < self._time_left() else None

    def _time_left(self) -> float:
        return self.remaining() - self.bench.margin
