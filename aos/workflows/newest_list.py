"""A list of what agents of one type do, newest first: a read model with one row each, fed by their commits.

An id begins with the moment it was made, `20260131-093000-…`. Rows lag behind the agents by moments, and can be rebuilt
from them; a row never goes back to an older version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aos.kernel.errors import Conflict
from aos.kernel.ports import Entity, Ids, Insert, Replace, TableStore, Value

_LATEST = 10**14
"""Subtracted from, milliseconds since 1970 sort newest first."""
_REMEMBERED = 1_000


def new_id(now: datetime, ids: Ids) -> str:
    """An id made now (UTC)."""
    return f"{now:%Y%m%d-%H%M%S}-{ids.new()[:8]}"


def is_listed(item_id: str) -> bool:
    """Whether it is an id as `new_id` makes them; agents that were given another are in no list."""
    try:
        row_key(item_id)
    except ValueError:
        return False
    return True


def row_key(item_id: str) -> str:
    """Where an id stands. Raises ValueError for what is none."""
    made = datetime.strptime(item_id[:15], "%Y%m%d-%H%M%S")  # noqa: DTZ007  # only compared with its like
    return f"{_LATEST - int((made - datetime(1970, 1, 1)).total_seconds() * 1000):014d}-{item_id}"  # noqa: DTZ001


class NewestList:
    """Reads and feeds one list.

    Args:
        tables: Where it is.
        table: Name of its table, and of its partition.
    """

    def __init__(self, tables: TableStore, table: str) -> None:
        self._tables = tables
        self._table = table
        self._written: dict[str, tuple[int, str]] = {}
        """Version and ETag of the rows this instance wrote last."""

    async def get(self, item_id: str) -> dict[str, Any] | None:
        """What is shown of an item, or None."""
        if not is_listed(item_id):
            return None
        entity = await self._tables.get(self._table, self._table, row_key(item_id))
        return _shown(entity) if entity else None

    async def page(
        self, where: Mapping[str, str | None], *, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """What is shown of items whose columns equal `where` (None stands for any), newest first, and a cursor."""
        asked: dict[str, str | int | bool] = {name: value for name, value in where.items() if value}
        page = await self._tables.scan(self._table, self._table, where=asked, limit=limit, cursor=cursor)
        return [_shown(entity) for entity in page.entities], page.cursor

    async def write(self, item_id: str, version: int, columns: Mapping[str, Value], shown: Mapping[str, Any]) -> None:
        """Bring a row up to a version, unless it is there already.

        One operation where this instance wrote the row last, two otherwise.

        Args:
            item_id: Whose row.
            version: Of the agent; 0 for what was announced before its first turn.
            columns: What can be asked for.
            shown: What is shown, JSON.
        """
        row = row_key(item_id)
        values = {"version": version, **columns, "shown": json.dumps(shown, ensure_ascii=False)}
        entity = Entity(self._table, row, values)
        known, etag = self._written.get(item_id, (-1, None))
        if known >= version:
            return
        self._written.pop(item_id, None)
        try:
            if etag is None:
                etag = await self._older(row, version)
                if etag is None:
                    return
            written = await self._tables.commit(self._table, [Replace(entity, etag) if etag else Insert(entity)])
        except Conflict:
            # Somebody else fed the row in between: theirs may be the newer version, or ours still is.
            etag = await self._older(row, version)
            if etag is None:
                return
            written = await self._tables.commit(self._table, [Replace(entity, etag)])
        self._written[item_id] = (version, written[0] or "")
        if len(self._written) > _REMEMBERED:
            self._written.pop(next(iter(self._written)))

    async def _older(self, row: str, version: int) -> str | None:
        """ETag of the stored row if it is older than `version`, empty if there is none, None if it is not older."""
        found = await self._tables.get(self._table, self._table, row)
        if found is None:
            return ""
        return found.etag if int(str(found.values["version"])) < version else None


def _shown(entity: Entity) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(str(entity.values["shown"]))
    return shown
