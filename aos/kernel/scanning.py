"""Reads all rows of a range, however many pages they are on. For ranges that are known to be short."""

from __future__ import annotations

from aos.kernel.ports import Entity, TableStore

_PAGE = 1_000


async def all_rows(
    tables: TableStore, table: str, partition: str, *, first: str = "", before: str | None = None
) -> list[Entity]:
    """The rows with `first <= row < before`, in row order. Raises `StoreUnavailable`."""
    found: list[Entity] = []
    cursor: str | None = None
    while True:
        page = await tables.scan(table, partition, first=first, before=before, limit=_PAGE, cursor=cursor)
        found += page.entities
        cursor = page.cursor
        if cursor is None:
            return found
