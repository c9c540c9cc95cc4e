"""Results of the steps of a turn, kept as they complete so that a message that comes back never pays for them twice.

A result is a row `s:<message>:<step>` of the agent's partition. The commit that finishes the message deletes it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aos.kernel.errors import Conflict
from aos.kernel.message import Message
from aos.kernel.packing import pack, unpack
from aos.kernel.ports import BlobStore, Entity, Insert, TableStore

PREFIX = "s:"


def row_prefix(message: Message) -> str:
    """Rows of one message, whatever its attempt: a retry finds what earlier tries paid for."""
    identity = f"{message.source}\n{message.id}"
    return f"{PREFIX}{hashlib.sha256(identity.encode()).hexdigest()[:32]}:"


class StepJournal:
    """The completed steps of one message."""

    def __init__(
        self,
        tables: TableStore,
        blobs: BlobStore,
        table: str,
        agent: str,
        message: Message,
        *,
        returning: bool,
    ) -> None:
        self._tables = tables
        self._blobs = blobs
        self._table = table
        self._agent = agent
        self._prefix = row_prefix(message)
        self._returning = returning
        self._known: dict[str, Entity] | None = None
        self.rows: set[str] = set()
        """Row keys that exist in the table and are to be deleted when the message is done."""

    async def load(self) -> None:
        """Find what earlier deliveries of the message completed: one scan, and only where there were any."""
        if self._known is not None:
            return
        self._known = {}
        cursor: str | None = None
        while self._returning:
            page = await self._tables.scan(
                self._table,
                self._agent,
                first=self._prefix,
                before=self._prefix + "~",
                limit=1_000,
                cursor=cursor,
            )
            self._known.update({entity.row: entity for entity in page.entities})
            cursor = page.cursor
            if cursor is None:
                break
        self.rows.update(self._known)

    async def recall(self, step: str) -> tuple[bool, Any]:
        """Whether the step was completed before, and its result."""
        await self.load()
        entity = (self._known or {}).get(self._prefix + step)
        if entity is None:
            return False, None
        return True, json.loads(await unpack("result", entity.values, self._blobs))

    async def keep(self, step: str, result: Any) -> Any:
        """Store a result. Where another delivery stored one first, that one counts and is returned."""
        row = self._prefix + step
        packed = pack("result", json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode())
        if packed.blob:
            await self._blobs.put(packed.blob[0], packed.blob[1])
        try:
            await self._tables.commit(self._table, [Insert(Entity(self._agent, row, packed.values))])
        except Conflict:
            entity = await self._tables.get(self._table, self._agent, row)
            if entity is None:
                raise
            result = json.loads(await unpack("result", entity.values, self._blobs))
        self.rows.add(row)
        return result
