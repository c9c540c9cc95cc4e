"""Results of the steps of a turn, kept as they complete so that a message that comes back never pays for them twice.

A result is a row `s:<message>:<step>` of the agent's partition. The commit that applies the message deletes it; one
that gives the message up does not, because a dead letter may be sent again.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aos.kernel.errors import Conflict
from aos.kernel.head import ROW, Head
from aos.kernel.json_text import to_bytes
from aos.kernel.message import Message
from aos.kernel.packing import pack, unpack
from aos.kernel.ports import BlobStore, Entity, Insert, TableStore
from aos.kernel.scanning import all_rows

PREFIX = "s:"


def row_prefix(message: Message) -> str:
    """Rows of one message, whatever its attempt: a retry finds what earlier tries paid for."""
    identity = f"{message.source}\n{message.first_id}"
    return f"{PREFIX}{hashlib.sha256(identity.encode()).hexdigest()[:32]}:"


class StepRows:
    """The rows of steps that an agent had at the start of a turn, read when first asked for.

    Args:
        tables: Where they are.
        table: Name of the table.
        head: The head the turn starts from.
        remembered: Whether it is one from memory, which may be out of date.
    """

    def __init__(self, tables: TableStore, table: str, head: Head, *, remembered: bool) -> None:
        self._tables = tables
        self._table = table
        self._head = head
        self._in_doubt = remembered
        self._found: dict[str, Entity] | None = None

    async def confirm(self) -> None:
        """Make sure that the turn starts from the newest head: what is about to be paid for may have been long ago.

        That is in doubt where the head is one from memory, and where the rows were read after it: whoever went on from
        it in between has deleted them.

        Raises:
            Conflict: another instance has gone on from it.
        """
        if not self._in_doubt:
            return
        entity = await self._tables.get(self._table, self._head.agent, ROW)
        if (entity.etag if entity else None) != self._head.etag:
            raise Conflict(f"What is remembered of {self._head.agent!r} is out of date; read its head.")
        self._in_doubt = False

    async def of(self, prefix: str) -> dict[str, Entity]:
        """Those that begin with `prefix`."""
        if self._found is None:
            self._found = await self._scan()
            self._in_doubt = True
        return {row: entity for row, entity in self._found.items() if row.startswith(prefix)}

    async def _scan(self) -> dict[str, Entity]:
        rows = await all_rows(self._tables, self._table, self._head.agent, first=PREFIX, before=PREFIX + "~")
        return {entity.row: entity for entity in rows}


class StepJournal:
    """The completed steps of one message."""

    def __init__(
        self,
        tables: TableStore,
        blobs: BlobStore,
        table: str,
        agent: str,
        message: Message,
        rows: StepRows,
        *,
        returning: bool,
    ) -> None:
        self._tables = tables
        self._blobs = blobs
        self._table = table
        self._agent = agent
        self._message = message
        self._stored = rows
        self._returning = returning
        self._known: dict[str, Entity] | None = None
        self.labels: set[str] = set()
        """Labels of what the steps brought in."""
        self.rows: set[str] = set()
        """Row keys that exist in the table and are to be deleted when the message is done."""

    @property
    def _prefix(self) -> str:
        return row_prefix(self._message)

    async def load(self) -> dict[str, Entity]:
        """What this delivery has completed so far, and earlier ones, where there were any; by row key."""
        if self._known is None:
            self._known = await self._stored.of(self._prefix) if self._returning else {}
            self.rows.update(self._known)
        return self._known

    async def recall(self, step: str) -> tuple[bool, Any]:
        """Whether the step was completed before, and its result."""
        entity = (await self.load()).get(self._prefix + step)
        if entity is None:
            await self._stored.confirm()
            return False, None
        return True, json.loads(await unpack("result", entity.values, self._blobs))

    async def keep(self, step: str, result: Any) -> Any:
        """Store a result. Where another delivery stored one first, that one counts and is returned."""
        row = self._prefix + step
        packed = pack("result", to_bytes(result))
        if packed.blob:
            await self._blobs.put(packed.blob[0], packed.blob[1])
        entity = Entity(self._agent, row, packed.values)
        try:
            await self._tables.commit(self._table, [Insert(entity)])
        except Conflict:
            stored = await self._tables.get(self._table, self._agent, row)
            if stored is None:
                raise
            entity = stored
            result = json.loads(await unpack("result", entity.values, self._blobs))
        (await self.load())[row] = entity
        self.rows.add(row)
        return result

    async def recorded(self) -> dict[str, Any]:
        """The results of all steps completed so far, in this delivery and earlier ones, by row key."""
        known = await self.load()
        return {row: json.loads(await unpack("result", known[row].values, self._blobs)) for row in sorted(known)}
