"""The circuit breaker: a service that failed too often is left alone for a while, then tried with one call at a time.

Closed: calls pass; so many failures within the window open it. Open: calls are refused. Half-open, once the pause is
over: one probe at a time passes; so many successes close it, one failure opens it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TypeVar

from aos.kernel.ambient import RandomIds, SystemClock
from aos.kernel.ports import Clock
from aos.reliability.breaker_record import BreakerRecord
from aos.reliability.errors import CircuitBreakerOpenError

T = TypeVar("T")


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a breaker opens and closes. Times are in seconds.

    Attributes:
        failure_threshold: Failures that open it, within `failure_window`; a success in between forgives them.
        open_seconds: How long it stays open.
        success_threshold: Probes that must succeed to close it.
        probe_seconds: How long a probe may take before another one is let through.
    """

    failure_threshold: int = 5
    failure_window: float = 60.0
    open_seconds: float = 60.0
    success_threshold: int = 2
    probe_seconds: float = 120.0


class Permit:
    """Leave to make one call. Say how it went, once; what is said later is ignored."""

    def __init__(self, settle: Callable[[Permit, bool | None], None], epoch: int, *, is_probe: bool) -> None:
        self._settle: Callable[[Permit, bool | None], None] | None = settle
        self.epoch = epoch
        self.is_probe = is_probe

    def succeeded(self) -> None:
        self._end(True)

    def failed(self) -> None:
        self._end(False)

    def released(self) -> None:
        """The call says nothing about the service: it was cancelled, or was itself at fault."""
        self._end(None)

    def _end(self, outcome: bool | None) -> None:
        settle, self._settle = self._settle, None
        if settle is not None:
            settle(self, outcome)


class CircuitBreaker:
    """A breaker for one service.

    Use `admit` and the permit it returns, `async with breaker:`, or `call`.

    Args:
        failure_threshold: Failures that open it.
        timeout: Seconds it stays open.
        expected_exception: Only these count as failures in `async with` and `call`.
        name: Of the service, for messages.
        policy: All numbers at once, in place of the single ones.
        failure_window: Seconds within which the failures must fall.
        success_threshold: Probes that must succeed to close it.
        fallback: What `call` does in place of a refused call.
        clock: The time.
        instance: Whose probes these are, where breakers are shared.
    """

    def __init__(
        self,
        failure_threshold: int = 5,
        timeout: float = 60.0,
        expected_exception: type[BaseException] | tuple[type[BaseException], ...] = Exception,
        *,
        name: str = "service",
        policy: BreakerPolicy | None = None,
        failure_window: float = 60.0,
        success_threshold: int = 2,
        fallback: Callable[..., Awaitable[Any]] | None = None,
        clock: Clock | None = None,
        instance: str = "",
    ) -> None:
        self.name = name
        self.policy = policy or BreakerPolicy(
            failure_threshold=failure_threshold,
            open_seconds=timeout,
            failure_window=failure_window,
            success_threshold=success_threshold,
        )
        self.record = BreakerRecord()
        self.changes = 0
        """Counts what happened; sharing compares it to see whether there is news."""
        self._expected = expected_exception
        self._fallback = fallback
        self._clock = clock or SystemClock()
        self._instance = instance or RandomIds().new()
        self._count = 0
        self._epoch = 0
        self._probe: tuple[Permit, float] | None = None
        self._held: dict[asyncio.Task[Any] | None, list[Permit]] = {}

    @property
    def state(self) -> BreakerState:
        if not self.record.tripped:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.remaining > 0 else BreakerState.HALF_OPEN

    @property
    def remaining(self) -> float:
        """Seconds for which it stays open."""
        return max(0.0, self.record.open_until - self._now()) if self.record.tripped else 0.0

    @property
    def paused(self) -> float:
        """Seconds for which it is paused, open or not."""
        return max(0.0, self.record.paused_until - self._now())

    def refusal(self) -> CircuitBreakerOpenError | None:
        """Why a call would be refused now; None where it would pass."""
        now = self._now()
        if self.paused:
            return self._refusal(self.record.pause_reason or "is paused", self.paused)
        if self.state is BreakerState.OPEN:
            return self._refusal(self.record.reason or "failed too often", self.remaining)
        if self.state is BreakerState.HALF_OPEN and (ends := self._probe_ends()) > now:
            return self._refusal("is being probed by another call", min(1.0, ends - now))
        return None

    def admit(self) -> Permit:
        """Leave for one call. Raises `CircuitBreakerOpenError`."""
        if (refused := self.refusal()) is not None:
            raise refused
        probing = self.state is BreakerState.HALF_OPEN
        permit = Permit(self._settle, self._epoch, is_probe=probing)
        if probing:
            self._probe = (permit, self._now() + self.policy.probe_seconds)
        return permit

    def trip(self, seconds: float | None = None, reason: str = "") -> None:
        """Open it at once, whatever it counted."""
        now = self._now()
        pause = self.policy.open_seconds if seconds is None else seconds
        self._decide(tripped=True, opened_at=now, open_until=now + pause, reason=reason, successes=0)

    def pause(self, seconds: float, reason: str = "") -> None:
        """Refuse calls for a time without holding it against the service: it asked for the pause."""
        until = self._now() + seconds
        if until > self.record.paused_until:
            self._change(paused_until=until, pause_reason=reason, paused_at=self._now())

    def reset(self) -> None:
        """Close it and forget everything."""
        now = self._now()
        self._decide(tripped=False, reason="", successes=0, failures=(), cleared_at=now)
        self._change(paused_until=0.0, pause_reason="", paused_at=now)

    def adopt(self, record: BreakerRecord) -> None:
        """Take over what other instances know; the failures of all together may open it."""
        before = self.record.changed_at
        self.record = self.record.merged(record)
        if self.record.changed_at != before:
            self._epoch += 1
        self._open_if_over()

    def stats(self) -> dict[str, Any]:
        record = self.record
        return {
            "name": self.name,
            "state": self.state.value,
            "failure_count": len(self._recent()),
            "success_count": record.successes,
            "last_failure_time": record.last_failure,
            "opened_at": record.opened_at if record.tripped else None,
        }

    async def call(
        self,
        work: Callable[..., Awaitable[T]],
        *args: Any,
        fallback: Callable[..., Awaitable[T]] | None = None,
        **kwargs: Any,
    ) -> T:
        """Call `work`; where the breaker is open, `fallback` with the same arguments.

        Raises:
            CircuitBreakerOpenError: it is open, and there is no fallback.
        """
        other = fallback or self._fallback
        if other is not None and self.refusal() is not None:
            return await other(*args, **kwargs)
        async with self:
            return await work(*args, **kwargs)

    async def __aenter__(self) -> Self:
        permit = self.admit()
        self._held.setdefault(asyncio.current_task(), []).append(permit)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = asyncio.current_task()
        permit = self._held[task].pop()
        if not self._held[task]:
            del self._held[task]
        if error is None:
            permit.succeeded()
        elif isinstance(error, self._expected):
            permit.failed()
        else:
            permit.released()

    def _settle(self, permit: Permit, outcome: bool | None) -> None:
        if self._probe is not None and self._probe[0] is permit:
            self._probe = None
            self._change(probe_by="", probe_until=0.0, probe_at=self._now())
        # What began before the last change of state says nothing about the present one.
        if outcome is None or permit.epoch != self._epoch:
            return
        if outcome:
            self._on_success(permit)
        else:
            self._on_failure(permit)

    def _on_success(self, permit: Permit) -> None:
        if permit.is_probe:
            successes = self.record.successes + 1
            if successes >= self.policy.success_threshold:
                self._decide(tripped=False, successes=successes, failures=(), cleared_at=self._now())
            else:
                self._decide(successes=successes, same_epoch=True)
        elif not self.record.tripped and self.record.failures:
            self._change(failures=(), cleared_at=self._now())

    def _on_failure(self, permit: Permit) -> None:
        now = self._now()
        if permit.is_probe:
            self._change(last_failure=now)
            self.trip(reason="failed its probe")
        elif not self.record.tripped:
            self._count += 1
            failure = (now, f"{self._instance[:8]}:{self._count}")
            self._change(failures=(*self._recent(), failure), last_failure=now)
            self._open_if_over()

    def _open_if_over(self) -> None:
        if not self.record.tripped and len(self._recent()) >= self.policy.failure_threshold:
            self.trip(reason=f"failed {len(self._recent())} times within {self.policy.failure_window:g} s")

    def _probe_ends(self) -> float:
        """Until when somebody is probing."""
        own = self._probe[1] if self._probe else 0.0
        others = self.record.probe_until if self.record.probe_by not in ("", self._instance) else 0.0
        return max(own, others)

    def _recent(self) -> tuple[tuple[float, str], ...]:
        since = max(self._now() - self.policy.failure_window, self.record.cleared_at)
        return tuple(failure for failure in self.record.failures if failure[0] > since)

    def _decide(self, *, same_epoch: bool = False, **values: Any) -> None:
        # Two decisions in one tick of the clock must still be in order.
        changed = max(self._now(), self.record.changed_at + 1e-6)
        self._change(changed_at=changed, **values)
        if not same_epoch:
            self._epoch += 1

    def _change(self, **values: Any) -> None:
        self.record = replace(self.record, **values)
        self.changes += 1

    def _refusal(self, reason: str, seconds: float) -> CircuitBreakerOpenError:
        return CircuitBreakerOpenError(
            f"{self.name} {reason}; calls are refused for another {seconds:.1f} s.",
            retry_after=seconds,
            details={"breaker": self.name, "state": self.state.value},
        )

    def _now(self) -> float:
        return self._clock.now().timestamp()
