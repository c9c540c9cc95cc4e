"""The list of repairs: what the recovery of agents did, newest first, for thirty days."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from aos.kernel.message import format_time
from aos.kernel.ports import Clock, Delete, Entity, Operation, TableStore, Upsert

PARTITION = "repairs"
KEPT = timedelta(days=30)
_LATEST = 10**14
"""Subtracted from, milliseconds since 1970 sort newest first."""


class Repairs:
    """One row for each repair."""

    def __init__(self, tables: TableStore, clock: Clock, table: str) -> None:
        self._tables = tables
        self._clock = clock
        self._table = table

    async def add(self, agent: str, what: str) -> None:
        now = self._clock.now()
        row = f"{_age(now)}-{_digest(agent, what)}"
        values = {"agent": agent, "what": what, "time": format_time(now)}
        await self._tables.commit(self._table, [Upsert(Entity(PARTITION, row, {**values}))])

    async def page(self, *, limit: int = 50, cursor: str | None = None) -> tuple[list[dict[str, Any]], str | None]:
        """Repairs, newest first, and a cursor where there are more."""
        page = await self._tables.scan(self._table, PARTITION, limit=limit, cursor=cursor)
        return [dict(entity.values) for entity in page.entities], page.cursor

    async def sweep(self) -> int:
        """Forget the old ones, 1,000 at the most; returns how many."""
        first = _age(self._clock.now() - KEPT)
        page = await self._tables.scan(self._table, PARTITION, first=first, limit=1_000)
        gone: list[Operation] = [Delete(PARTITION, entity.row) for entity in page.entities]
        for start in range(0, len(gone), 100):
            await self._tables.commit(self._table, gone[start : start + 100])
        return len(gone)


def _age(moment: datetime) -> str:
    return f"{_LATEST - int(moment.timestamp() * 1000):014d}"


def _digest(agent: str, what: str) -> str:
    return hashlib.sha256(f"{agent}\n{what}".encode()).hexdigest()[:12]
