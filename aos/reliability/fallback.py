"""Falls back: the first way is retried, then each other way, and what happened is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

EXHAUSTED = "FALLBACK_EXHAUSTED"
Way = Callable[[Any], Awaitable[Any]]


class FallbackStrategy(StrEnum):
    """What is done when the first way fails.

    `retry` tries it again, then the others; `alternate` goes to the others at once; `degrade` does as `retry` and
    gives the stand-in in the end, marked as such; `abort` gives up after the first try.
    """

    RETRY = "retry"
    ALTERNATE = "alternate"
    DEGRADE = "degrade"
    ABORT = "abort"


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackConfig:
    """Attributes: max_retries: Tries with the first way. retry_delay: Seconds after the first; it doubles."""

    max_retries: int = 3
    retry_delay: float = 1.0
    max_alternate_attempts: int = 2
    default_strategy: FallbackStrategy = FallbackStrategy.RETRY


@dataclass(frozen=True, slots=True)
class FallbackResult:
    """What came of it. `degraded` marks a stand-in, which is not a success of any way."""

    success: bool
    result: Any
    error: str | None
    strategy_used: FallbackStrategy
    attempts: int
    degraded: bool = False
    failures: tuple[str, ...] = ()


@dataclass(slots=True)
class _Count:
    attempts: int = 0
    failures: int = 0


@dataclass(slots=True)
class _Run:
    task: Any
    attempts: int = 0
    failures: list[str] = field(default_factory=list)


class Fallback:
    """Several ways to do one thing, in order.

    Args:
        nodes: All ways, the first one first; or give `primary` and `fallbacks`.
        primary: The first way.
        fallbacks: The others.
        config: How often and how fast.
        stand_in: What `degrade` gives in the end, made from the task.
        succeeded: Whether a result is a good one, where that is not told by exceptions.
        sleep: How to wait.

    Raises:
        ValueError: there is no way at all.
    """

    def __init__(
        self,
        nodes: Sequence[Way] | None = None,
        *,
        primary: Way | None = None,
        fallbacks: Sequence[Way] = (),
        config: FallbackConfig | None = None,
        stand_in: Way | None = None,
        succeeded: Callable[[Any], bool] = lambda result: getattr(result, "success", True) is not False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        ways = list(nodes or ()) or ([primary] if primary is not None else []) + list(fallbacks)
        if not ways:
            raise ValueError("A fallback needs at least one way: give `nodes`, or `primary` and `fallbacks`.")
        self._ways = ways
        self._config = config or FallbackConfig()
        self._stand_in = stand_in
        self._succeeded = succeeded
        self._sleep = sleep
        self._counts = [_Count() for _ in ways]

    async def handle(self, task: Any, strategy: FallbackStrategy | None = None) -> FallbackResult:
        """Do the task, one way or another. Never raises for a way that failed."""
        chosen = strategy or self._config.default_strategy
        config, run = self._config, _Run(task)
        first = 1 if chosen in (FallbackStrategy.ALTERNATE, FallbackStrategy.ABORT) else config.max_retries
        found = await self._try(0, run, first, lambda tries: config.retry_delay * 2.0 ** (tries - 1))
        others = () if chosen is FallbackStrategy.ABORT else range(1, len(self._ways))
        for index in others:
            if found is not None:
                break
            found = await self._try(index, run, config.max_alternate_attempts, lambda _: config.retry_delay)
        failures = tuple(run.failures)
        if found is not None:
            return FallbackResult(True, found[0], None, chosen, run.attempts, failures=failures)
        if chosen is FallbackStrategy.DEGRADE and self._stand_in is not None:
            stand_in = await self._stand_in(task)
            return FallbackResult(False, stand_in, EXHAUSTED, chosen, run.attempts, degraded=True, failures=failures)
        message = "All retries and alternates failed"
        return FallbackResult(False, message, EXHAUSTED, chosen, run.attempts, failures=failures)

    def get_stats(self) -> dict[str, dict[str, int]]:
        """Attempts and failures of each way, by its place."""
        return {
            str(place): {"attempts": count.attempts, "failures": count.failures}
            for place, count in enumerate(self._counts)
        }

    async def _try(self, index: int, run: _Run, tries: int, pause: Callable[[int], float]) -> tuple[Any] | None:
        count = self._counts[index]
        for number in range(1, tries + 1):
            count.attempts += 1
            run.attempts += 1
            try:
                result = await self._ways[index](run.task)
            except Exception as error:  # noqa: BLE001 - whatever a way raises, the next one is there for it
                run.failures.append(f"{type(error).__name__}: {error}")
            else:
                if self._succeeded(result):
                    return (result,)
                run.failures.append(str(getattr(result, "error", None) or "not a success"))
            count.failures += 1
            if number < tries:
                await self._sleep(pause(number))
        return None
