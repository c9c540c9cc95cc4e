"""Load shedding: as a queue fills up, callers are slowed, then the less important ones are turned away."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aos.kernel.ports import Clock
from aos.reliability.errors import BackpressureError, LoadSheddingError
from aos.reliability.rate_limiter import RateLimiter

_IMPORTANT = 5


class Load(StrEnum):
    NORMAL = "normal"
    WARNING = "warning"
    CRITICAL = "critical"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """When a queue counts as full, as shares of `max_queue`; `per_second` bounds arrivals where given."""

    max_queue: int = 1_000
    warning: float = 0.8
    critical: float = 0.95
    per_second: int | None = None


class Backpressure:
    """Decides whether more work may join a queue. Less than critical work is shed first, critical work last."""

    def __init__(self, limits: QueueLimits | None = None, *, clock: Clock | None = None) -> None:
        self.limits = limits or QueueLimits()
        rate = self.limits.per_second
        self._rate = RateLimiter(rate, 1.0, name="arrivals", clock=clock) if rate is not None else None

    def load(self, depth: int) -> Load:
        share = depth / self.limits.max_queue
        if share >= 1:
            return Load.FULL
        if share >= self.limits.critical:
            return Load.CRITICAL
        return Load.WARNING if share >= self.limits.warning else Load.NORMAL

    def admit(self, depth: int, *, critical: bool = False) -> Load:
        """Let one piece of work join a queue of this depth.

        Returns:
            The load, for callers that slow down of their own accord at `warning`.

        Raises:
            LoadSheddingError: the queue is nearly full and the work is not critical.
            BackpressureError: the queue is full.
            RateLimitError: work arrives faster than `per_second`.
        """
        load = self.load(depth)
        if load is Load.FULL:
            raise BackpressureError(f"The queue holds {depth} of {self.limits.max_queue}. Try later.", retry_after=5.0)
        if load is Load.CRITICAL and not critical:
            raise LoadSheddingError(
                f"The queue holds {depth} of {self.limits.max_queue}; only critical work is taken. Try later.",
                retry_after=5.0,
            )
        if self._rate is not None:
            self._rate.acquire()
        return load


class LoadShedder:
    """A plain limit on work in hand, which work of priority 5 and above may exceed by a fifth."""

    def __init__(self, max_load: int) -> None:
        self.max_load = max_load

    def admit(self, load: int, priority: int = _IMPORTANT) -> None:
        """Raises `LoadSheddingError` where there is no room for work of this priority."""
        room = self.max_load * 1.2 if priority >= _IMPORTANT else self.max_load
        if load >= room:
            raise LoadSheddingError(
                f"{load} pieces of work are in hand, which is all there is room for at priority {priority}. Try later.",
                retry_after=1.0,
            )
