"""Affinity keys: works of one key go one after the other, in the order they came.

The first holds the key from its admission to its end; only it stands in line. A work that waits behind it lends it its
priority, so that critical work is not held up by what background work before it has to wait for.
"""

from __future__ import annotations

import hashlib
from typing import Any

from aos.kernel.rows import Rows
from aos.workflows.scheduling.work_record import WorkRecord, WorkStatus, record_of

HOLDER = "k:"
BEHIND = "a:"


class Affinity:
    """The affinity keys of the lane whose turn it is."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def enter(self, record: WorkRecord) -> bool:
        """Take the key of a work that has come, or stand behind those that have it; whether it has it now."""
        if record.asked.affinity is None:
            return True
        row = await self._rows.get(_holder_key(record))
        if row is None:
            self._rows.put(_holder_key(record), {"holder": record.id, "behind": 0, "lent": None})
            return True
        record.status = WorkStatus.BEHIND
        self._rows.put(_behind_key(record), record.shown())
        record.keep(self._rows)
        lent = row["lent"]
        if lent is None or record.priority >= lent["priority"]:
            lent = {"priority": record.priority, "number": record.number}
        self._rows.put(_holder_key(record), {**row, "behind": row["behind"] + 1, "lent": lent})
        return False

    async def holder(self, record: WorkRecord) -> WorkRecord | None:
        """The work that has the key of this one."""
        row = await self._rows.get(_holder_key(record))
        return None if row is None else await record_of(self._rows, row["holder"])

    async def leave(self, record: WorkRecord) -> WorkRecord | None:
        """Give the key of a work that has ended to the next; that one, or None."""
        if record.asked.affinity is None:
            return None
        row = await self._rows.get(_holder_key(record))
        found = await self._rows.page(_behind_prefix(record), limit=1) if row and row["behind"] else []
        following = await record_of(self._rows, found[0][1]["id"]) if found else None
        if row is None or following is None:
            await self._rows.delete(_holder_key(record))
            return None
        await self._rows.delete(_behind_key(following))
        self._rows.put(_holder_key(record), self._passed(row, following))
        following.status = WorkStatus.WAITING
        return following

    async def withdraw(self, record: WorkRecord) -> None:
        """Take out a work that stands behind another."""
        row = await self._rows.get(_holder_key(record))
        await self._rows.delete(_behind_key(record))
        if row is not None:
            lent = None if row["lent"] and row["lent"]["number"] == record.number else row["lent"]
            self._rows.put(_holder_key(record), {**row, "behind": row["behind"] - 1, "lent": lent})

    def _passed(self, row: dict[str, Any], following: WorkRecord) -> dict[str, Any]:
        lent = row["lent"]
        if lent is not None and lent["number"] <= following.number:
            lent = None
        if lent is not None:
            following.priority = max(following.priority, lent["priority"])
        return {"holder": following.id, "behind": row["behind"] - 1, "lent": lent}


def _digest(record: WorkRecord) -> str:
    return hashlib.sha256(str(record.asked.affinity).encode()).hexdigest()[:32]


def _holder_key(record: WorkRecord) -> str:
    return HOLDER + _digest(record)


def _behind_prefix(record: WorkRecord) -> str:
    return f"{BEHIND}{_digest(record)}:"


def _behind_key(record: WorkRecord) -> str:
    return f"{_behind_prefix(record)}{record.number:012d}"
