"""A sign of life from each host, and what it has done since it started."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from aos import __version__
from aos.kernel.message import format_time, parse_time
from aos.kernel.meter import process_total
from aos.kernel.ports import Clock, Delete, Entity, Ids, Operation, TableStore, Upsert

TABLE = "hosts"
PARTITION = "hosts"
ALIVE_FOR = timedelta(minutes=3)
"""A host that has not been heard of for longer is taken for gone."""


class Heartbeat:
    """Writes this host's row, and reads those of all."""

    def __init__(self, tables: TableStore, clock: Clock, ids: Ids) -> None:
        self._tables = tables
        self._clock = clock
        self.instance = ids.new()
        self.started = clock.now()

    async def beat(self) -> None:
        row = {
            "seen": format_time(self._clock.now()),
            "started": format_time(self.started),
            "version": __version__,
            "usage": json.dumps(process_total.to_json()),
        }
        await self._tables.commit(TABLE, [Upsert(Entity(PARTITION, self.instance, row))])

    async def hosts(self) -> list[dict[str, Any]]:
        """The hosts heard of lately."""
        page = await self._tables.scan(TABLE, PARTITION, limit=1_000)
        return [
            {"instance": entity.row, **entity.values, "usage": json.loads(str(entity.values["usage"]))}
            for entity in page.entities
            if self._is_alive(str(entity.values["seen"]))
        ]

    async def sweep(self) -> int:
        """Remove the rows of hosts that are gone; returns how many."""
        page = await self._tables.scan(TABLE, PARTITION, limit=1_000)
        gone: list[Operation] = [
            Delete(PARTITION, entity.row) for entity in page.entities if not self._is_alive(str(entity.values["seen"]))
        ]
        for start in range(0, len(gone), 100):
            await self._tables.commit(TABLE, gone[start : start + 100])
        return len(gone)

    @property
    def uptime(self) -> float:
        """Seconds since this host started."""
        now: datetime = self._clock.now()
        return (now - self.started).total_seconds()

    def _is_alive(self, seen: str) -> bool:
        return self._clock.now() - parse_time(seen) <= ALIVE_FOR
