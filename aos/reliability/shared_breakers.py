"""Breakers that instances share through a table, each with a copy of its own: reads and writes are bounded in rate.

An instance learns of the others' findings when it next asks, at most `refresh_seconds` late; without a table, or while
it is out of reach, each instance goes by what it saw itself.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from aos.kernel.errors import Conflict, InfrastructureError
from aos.kernel.ports import Clock, Entity, Ids, Insert, Replace, TableStore
from aos.reliability.breaker import BreakerPolicy, BreakerState, CircuitBreaker, Permit
from aos.reliability.breaker_record import BreakerRecord
from aos.reliability.errors import CircuitBreakerOpenError

_log = logging.getLogger(__name__)
_TRIES = 5


@dataclass(slots=True)
class _Copy:
    breaker: CircuitBreaker
    etag: str | None = None
    published: int = 0
    published_at: float = -1e9
    published_state: bool = False

    @property
    def has_news(self) -> bool:
        return self.breaker.changes != self.published

    @property
    def is_urgent(self) -> bool:
        return self.breaker.record.tripped != self.published_state or self.breaker.paused > 0


class SharedBreakers:
    """A group of breakers by name.

    Args:
        clock: The time.
        ids: For this instance's name.
        tables: Where the group is shared; None keeps it in this process.
        policy: Of breakers that are not given their own.
        group: Partition of the table; groups know nothing of each other.
        table: Its name.
        refresh_seconds: At most one read of the group in this time.
        publish_seconds: At most one write of a breaker in this time, unless it opened, closed or was paused.
        rest_seconds: How long the table is left alone after it was out of reach.
    """

    def __init__(
        self,
        clock: Clock,
        ids: Ids,
        tables: TableStore | None = None,
        *,
        policy: BreakerPolicy | None = None,
        group: str = "default",
        table: str = "breakers",
        refresh_seconds: float = 1.0,
        publish_seconds: float = 1.0,
        rest_seconds: float = 30.0,
    ) -> None:
        self._clock = clock
        self._tables = tables
        self._policy = policy or BreakerPolicy()
        self._group = group
        self._table = table
        self._refresh_seconds = refresh_seconds
        self._publish_seconds = publish_seconds
        self._rest_seconds = rest_seconds
        self._instance = ids.new()
        self._copies: dict[str, _Copy] = {}
        self._unclaimed: dict[str, tuple[BreakerRecord, str | None]] = {}
        self._refreshed_at = -1e9
        self._rests_until = -1e9

    def get(self, name: str, policy: BreakerPolicy | None = None) -> CircuitBreaker:
        """The breaker of that name, made at first use; `policy` counts then only."""
        copy = self._copies.get(name)
        if copy is None:
            breaker = CircuitBreaker(
                name=name, policy=policy or self._policy, clock=self._clock, instance=self._instance
            )
            copy = self._copies[name] = _Copy(breaker)
            if name in self._unclaimed:
                record, copy.etag = self._unclaimed.pop(name)
                self._adopt(copy, record)
        return copy.breaker

    async def admit(self, name: str) -> Permit:
        """Leave for one call, in view of what all instances know. Raises `CircuitBreakerOpenError`.

        A probe is claimed in the table first, so that there is one probe among all instances.
        """
        await self.refresh()
        breaker = self.get(name)
        permit = breaker.admit()
        tables = self._shared_in()
        if permit.is_probe and tables is not None and not await self._claim(tables, self._copies[name]):
            permit.released()
            raise CircuitBreakerOpenError(
                f"{name} is being probed by another instance; try again in a moment.",
                retry_after=1.0,
                details={"breaker": name, "state": breaker.state.value},
            )
        return permit

    async def refresh(self, *, now: bool = False) -> None:
        """Read what other instances found out, where the last reading is too old or `now` says so."""
        moment = self._clock.monotonic()
        tables = self._shared_in()
        if tables is None or (moment - self._refreshed_at < self._refresh_seconds and not now):
            return
        self._refreshed_at = moment
        try:
            await self._read_all(tables)
        except InfrastructureError as error:
            self._rest(error)

    async def publish(self) -> None:
        """Tell the other instances what was found out here. Costs nothing where there is no news."""
        for copy in list(self._copies.values()):
            moment = self._clock.monotonic()
            due = moment - copy.published_at >= self._publish_seconds
            tables = self._shared_in()
            if tables is not None and copy.has_news and (due or copy.is_urgent):
                copy.published_at = moment
                try:
                    await self._write(tables, copy)
                except InfrastructureError as error:
                    self._rest(error)

    def _shared_in(self) -> TableStore | None:
        """Where breakers are shared at this moment."""
        return self._tables if self._clock.monotonic() >= self._rests_until else None

    async def _read_all(self, tables: TableStore) -> None:
        cursor: str | None = None
        while True:
            page = await tables.scan(self._table, self._group, limit=1_000, cursor=cursor)
            for entity in page.entities:
                record = _record(entity)
                copy = self._copies.get(entity.row)
                if copy is None:
                    self._unclaimed[entity.row] = (record, entity.etag)
                else:
                    copy.etag = entity.etag
                    self._adopt(copy, record)
            cursor = page.cursor
            if cursor is None:
                return

    @staticmethod
    def _adopt(copy: _Copy, record: BreakerRecord) -> None:
        copy.breaker.adopt(record)
        copy.published_state = record.tripped

    async def _write(self, tables: TableStore, copy: _Copy) -> None:
        """Put the record in the table, merged with what others put there meanwhile."""
        name = copy.breaker.name
        for _ in range(_TRIES):
            changes, record = copy.breaker.changes, copy.breaker.record
            entity = Entity(self._group, name, {"record": record.dumps()})
            write = Insert(entity) if copy.etag is None else Replace(entity, copy.etag)
            try:
                (copy.etag,) = await tables.commit(self._table, [write])
            except Conflict:
                await self._catch_up(tables, copy)
                continue
            copy.published, copy.published_state = changes, record.tripped
            return

    async def _catch_up(self, tables: TableStore, copy: _Copy) -> None:
        entity = await tables.get(self._table, self._group, copy.breaker.name)
        copy.etag = entity.etag if entity else None
        if entity is not None:
            copy.breaker.adopt(_record(entity))

    async def _claim(self, tables: TableStore, copy: _Copy) -> bool:
        """Whether this instance may probe. Two that try at once are told apart by the row's ETag."""
        breaker = copy.breaker
        now = self._clock.now().timestamp()
        claimed = replace(
            breaker.record,
            probe_by=self._instance,
            probe_until=now + breaker.policy.probe_seconds,
            probe_at=now,
        )
        entity = Entity(self._group, breaker.name, {"record": claimed.dumps()})
        write = Insert(entity) if copy.etag is None else Replace(entity, copy.etag)
        try:
            (copy.etag,) = await tables.commit(self._table, [write])
        except Conflict:
            await self._catch_up_quietly(tables, copy)
            return False
        except InfrastructureError as error:
            self._rest(error)
            return True
        breaker.adopt(claimed)
        return breaker.state is BreakerState.HALF_OPEN

    async def _catch_up_quietly(self, tables: TableStore, copy: _Copy) -> None:
        try:
            await self._catch_up(tables, copy)
        except InfrastructureError as error:
            self._rest(error)

    def _rest(self, error: InfrastructureError) -> None:
        self._rests_until = self._clock.monotonic() + self._rest_seconds
        _log.warning("Breakers of group %r are not shared for %g s: %s", self._group, self._rest_seconds, error.message)


def _record(entity: Entity) -> BreakerRecord:
    try:
        return BreakerRecord.loads(str(entity.values["record"]))
    except (ValueError, KeyError, TypeError) as error:
        # Written by another version of the software; an instance that knows nothing of it starts afresh.
        _log.warning("Breaker %r of group %r cannot be read: %s", entity.row, entity.partition, error)
        return BreakerRecord()
