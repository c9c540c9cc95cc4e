"""Rate limits: so much in a period, within one process or among all of them."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable

from aos.kernel.ambient import SystemClock
from aos.kernel.errors import Conflict
from aos.kernel.ports import Clock, Entity, Insert, Replace, TableStore
from aos.reliability.errors import RateLimitError

_TRIES = 20


class RateLimiter:
    """At most `limit` units in any `period` seconds, by a sliding window.

    Args:
        limit: Units.
        period: Seconds.
        name: Of what is limited, for messages.
        clock: The time.
    """

    def __init__(
        self, limit: int = 100, period: float = 60.0, *, name: str = "rate limit", clock: Clock | None = None
    ) -> None:
        self.name = name
        self.limit = limit
        self.period = period
        self._clock = clock or SystemClock()
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0

    @property
    def remaining(self) -> int:
        self._expire()
        return max(0, self.limit - self._total)

    def wait(self, amount: int = 1) -> float:
        """Seconds until so many units are free; more than the limit waits for an empty window."""
        self._expire()
        excess = self._total + min(amount, self.limit) - self.limit
        now = self._clock.monotonic()
        for moment, units in self._spent:
            if excess <= 0:
                break
            excess -= units
            if excess <= 0:
                return max(0.0, moment + self.period - now)
        return 0.0

    def try_acquire(self, amount: int = 1) -> bool:
        if self.wait(amount) > 0:
            return False
        self.take(amount)
        return True

    def take(self, amount: int) -> None:
        """Count units whatever the limit says."""
        if amount > 0:
            self._spent.append((self._clock.monotonic(), amount))
            self._total += amount

    def give_back(self, amount: int) -> None:
        """Uncount units that were taken and not used, the latest first."""
        while amount > 0 and self._spent:
            moment, units = self._spent.pop()
            back = min(units, amount)
            self._total -= back
            amount -= back
            if units > back:
                self._spent.append((moment, units - back))

    def acquire(self, amount: int = 1) -> None:
        """Take units. Raises `RateLimitError` with the seconds to wait."""
        seconds = self.wait(amount)
        if seconds > 0:
            raise over(self.name, self.limit, self.period, seconds)
        self.take(amount)

    def _expire(self) -> None:
        oldest = self._clock.monotonic() - self.period
        while self._spent and self._spent[0][0] <= oldest:
            self._total -= self._spent.popleft()[1]


class SharedRateLimiter:
    """A token bucket in a table row: at most `limit` units in a period among all instances, refilled steadily.

    Args:
        tables: Where the buckets are, one row for each key.
        clock: The time; its seconds since 1970 are compared between instances.
        limit: Units a full bucket holds.
        period: Seconds in which an empty one fills.
        table: Name of the table.
        sleep: How to wait after a collision with another writer.
    """

    def __init__(
        self,
        tables: TableStore,
        clock: Clock,
        limit: int = 100,
        period: float = 60.0,
        *,
        table: str = "ratelimits",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._tables = tables
        self._clock = clock
        self.limit = limit
        self.period = period
        self._table = table
        self._sleep = sleep

    async def acquire(self, key: str, amount: int = 1) -> int:
        """Take units for `key`, for instance an API key's id.

        Returns:
            Whole units that are left.

        Raises:
            RateLimitError: there are not enough; it carries the seconds to wait.
        """
        for attempt in range(_TRIES):
            entity = await self._tables.get(self._table, key, "bucket")
            now = self._clock.now().timestamp()
            level = self._level(entity, now)
            if level < amount:
                raise over(key, self.limit, self.period, (amount - level) * self.period / self.limit)
            values = {"bucket": json.dumps({"level": level - amount, "at": now})}
            fresh = Entity(key, "bucket", values)
            write = Insert(fresh) if entity is None or entity.etag is None else Replace(fresh, entity.etag)
            try:
                await self._tables.commit(self._table, [write])
            except Conflict:
                await self._sleep(0.005 * (attempt + 1))
                continue
            return int(level - amount)
        raise over(key, self.limit, self.period, 1.0)

    def _level(self, entity: Entity | None, now: float) -> float:
        if entity is None:
            return float(self.limit)
        bucket = json.loads(str(entity.values["bucket"]))
        refilled = max(0.0, now - bucket["at"]) * self.limit / self.period
        return float(min(self.limit, bucket["level"] + refilled))


def over(name: str, limit: int, period: float, seconds: float) -> RateLimitError:
    return RateLimitError(
        f"{name} is over its {limit} in {period:g} s. Try again in {seconds:.1f} s.", retry_after=seconds
    )
