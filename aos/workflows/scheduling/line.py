"""The line of a lane: works that wait, in two orders, so that the first and the oldest are each found at once."""

from __future__ import annotations

from aos.kernel.errors import StoreUnavailable
from aos.kernel.rows import Rows
from aos.workflows.scheduling.work_record import AGE, LINE, WorkRecord, record_of


class Line:
    """The waiting works of the lane whose turn it is; each method costs a fixed number of operations."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def put(self, record: WorkRecord) -> None:
        self._rows.put(record.line_key, record.shown())
        self._rows.put(record.age_key, {"id": record.id})
        record.keep(self._rows)

    async def take(self, record: WorkRecord) -> None:
        await self._rows.delete(record.line_key)
        await self._rows.delete(record.age_key)

    async def raise_to(self, record: WorkRecord, priority: int) -> None:
        """Move a waiting work up to a priority."""
        await self._rows.delete(record.line_key)
        record.priority = priority
        self._rows.put(record.line_key, record.shown())
        record.keep(self._rows)

    async def first(self) -> WorkRecord | None:
        """The work whose turn it is by priority, deadline and arrival."""
        return await self._at_head(LINE)

    async def oldest(self) -> WorkRecord | None:
        return await self._at_head(AGE)

    async def _at_head(self, order: str) -> WorkRecord | None:
        found = await self._rows.page(order, limit=1)
        if not found:
            return None
        key, value = found[0]
        record = await record_of(self._rows, value["id"])
        if record is None:
            raise StoreUnavailable(f"Row {key!r} of a lane names a work that is not there.", code="row_dangling")
        return record
