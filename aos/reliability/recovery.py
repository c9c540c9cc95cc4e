"""Recovery: for each kind of service a chain of means that are tried in turn until one gives a result."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aos.kernel.errors import RetryableError
from aos.reliability.breaker import CircuitBreaker
from aos.reliability.errors import CircuitBreakerOpenError

Work = Callable[[], Awaitable[Any]]


class Means(StrEnum):
    RETRY = "retry"
    FALLBACK = "fallback"
    CIRCUIT_BREAKER = "circuit_breaker"
    GRACEFUL_DEGRADATION = "graceful_degradation"
    MANUAL_INTERVENTION = "manual_intervention"
    RESTART_SERVICE = "restart_service"
    FAILOVER = "failover"


CHAINS: Mapping[str, tuple[Means, ...]] = {
    "database": (Means.RETRY, Means.CIRCUIT_BREAKER, Means.FALLBACK),
    "redis": (Means.RETRY, Means.CIRCUIT_BREAKER, Means.FALLBACK),
    "external_api": (Means.RETRY, Means.CIRCUIT_BREAKER, Means.GRACEFUL_DEGRADATION),
    "auth": (Means.RETRY, Means.FALLBACK),
    "memory": (Means.GRACEFUL_DEGRADATION, Means.RESTART_SERVICE),
}


class RecoveryFailed(RetryableError):
    """No means of the chain helped; `details` list what each ended with."""

    code = "recovery_failed"


@dataclass(frozen=True, slots=True)
class Recovered:
    """A result, the means that gave it (None where nothing had failed), and whether it is a lesser one."""

    result: Any
    means: Means | None = None
    degraded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryConfig:
    """Seconds and counts.

    Attributes:
        retries: Further tries.
        first_delay, longest_delay: Before a retry; it doubles.
        fallback_timeout: Longest time for a means other than retrying.
        manual_threshold: Failures of a kind after which `needs_attention` says so.
    """

    retries: int = 3
    first_delay: float = 1.0
    longest_delay: float = 60.0
    fallback_timeout: float = 30.0
    manual_threshold: int = 10


class Recovery:
    """Runs work with the chain of its kind of service.

    A means that was given no way to act is passed over: there is no pretending to have restarted anything.

    Args:
        means: What each means does: `fallback`, `graceful_degradation`, `restart_service` (after which the work is
            tried once more), `failover`.
        breakers: For `circuit_breaker`, by kind: while it is open, the work is not tried.
        chains: By kind; the usual ones by default.
        config: Counts and times.
        sleep: How to wait.
    """

    def __init__(
        self,
        means: Mapping[Means, Work] | None = None,
        *,
        breakers: Mapping[str, CircuitBreaker] | None = None,
        chains: Mapping[str, Sequence[Means]] = CHAINS,
        config: RecoveryConfig | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._means = means or {}
        self._breakers = breakers or {}
        self._chains = chains
        self._config = config or RecoveryConfig()
        self._sleep = sleep
        self._failures: Counter[str] = Counter()

    def needs_attention(self, kind: str) -> bool:
        """Whether a kind of service failed so often, without a success since, that a person should look."""
        return self._failures[kind] >= self._config.manual_threshold

    async def run(self, kind: str, work: Work) -> Recovered:
        """The result of `work`, or of the first means of the chain that gives one. Raises `RecoveryFailed`."""
        reasons: list[str] = []
        guarded = self._guarded(kind, work)
        try:
            result = await guarded()
        except Exception as error:  # noqa: BLE001 - each means of the chain is there for it
            reasons.append(f"{type(error).__name__}: {error}")
            self._failures[kind] += 1
        else:
            self._failures[kind] = 0
            return Recovered(result)
        for means in self._chains.get(kind, (Means.RETRY,)):
            try:
                found = await self._apply(means, guarded)
            except Exception as error:  # noqa: BLE001 - the next means is there for it
                reasons.append(f"{means.value}: {type(error).__name__}: {error}")
                continue
            if found is not None:
                self._failures[kind] = 0
                return found
        raise RecoveryFailed(
            f"The {kind} could not be reached, and no means of recovery helped: {'; '.join(reasons)}.",
            details={"kind": kind, "reasons": reasons},
        )

    def _guarded(self, kind: str, work: Work) -> Work:
        breaker = self._breakers.get(kind)
        if breaker is None or Means.CIRCUIT_BREAKER not in self._chains.get(kind, ()):
            return work

        async def guarded() -> Any:
            async with breaker:
                return await work()

        return guarded

    async def _apply(self, means: Means, work: Work) -> Recovered | None:
        if means is Means.RETRY:
            return Recovered(await self._retry(work), means)
        act = self._means.get(means)
        if act is None:
            return None
        async with asyncio.timeout(self._config.fallback_timeout):
            result = await act()
        if means is Means.RESTART_SERVICE:
            return Recovered(await work(), means)
        return Recovered(result, means, degraded=means is Means.GRACEFUL_DEGRADATION)

    async def _retry(self, work: Work) -> Any:
        config = self._config
        for number in range(1, config.retries + 1):
            await self._sleep(min(config.longest_delay, config.first_delay * 2.0 ** (number - 1)))
            try:
                return await work()
            except Exception as error:
                if number == config.retries or isinstance(error, CircuitBreakerOpenError):
                    raise
        raise RecoveryFailed("No retries are allowed.")
