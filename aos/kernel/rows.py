"""Rows an agent keeps beside its head: what grows with its life, or is too much to carry from turn to turn.

A row is `r:<key>` of the agent's partition, written in the transaction that commits the turn. Reading one costs a
storage operation, and only the turns that need it pay for it; the journal names each row a turn wrote, by its digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aos.kernel.errors import InvalidInput, TerminalError
from aos.kernel.json_text import to_bytes
from aos.kernel.packing import Packed, pack, unpack
from aos.kernel.ports import BlobStore, Delete, Entity, Operation, TableStore, Upsert

PREFIX = "r:"
MOST_ROWS = 40
"""Rows that one message may write: a transaction holds 100, and shares them with head, journal and held messages."""
MOST_BYTES = 1024 * 1024
"""Bytes that one message may write into rows, compressed where that is shorter; larger values go to blobs."""
_END = "~"
_KEY = re.compile(r"[A-Za-z0-9._:@-]{1,200}")


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """A value to be committed."""

    value: bytes
    packed: Packed

    @property
    def size(self) -> int:
        """Bytes in the transaction."""
        return sum(len(str(part)) if not isinstance(part, bytes) else len(part) for part in self.packed.values.values())

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.value).hexdigest()


@dataclass(frozen=True, slots=True)
class RemovedRow:
    """A row to be deleted; `stored` where there is one in the table, and not only in this turn."""

    stored: bool
    value: None = None
    packed: None = None
    size: int = 0
    digest: None = None


RowChange = WrittenRow | RemovedRow


class StoredRows:
    """The committed rows of all agents."""

    def __init__(self, tables: TableStore, blobs: BlobStore, table: str) -> None:
        self._tables = tables
        self._blobs = blobs
        self._table = table

    async def get(self, agent: str, key: str) -> bytes | None:
        """The JSON of a row, or None. One storage operation."""
        entity = await self._tables.get(self._table, agent, PREFIX + check_key(key))
        return None if entity is None else await unpack("value", entity.values, self._blobs)

    async def page(
        self, agent: str, prefix: str, *, after: str | None = None, before: str | None = None, limit: int = 50
    ) -> list[tuple[str, Any]]:
        """Rows whose keys begin with `prefix`, in order of their keys, with their values.

        Args:
            agent: Whose.
            prefix: Of the keys.
            after: Only keys above this one.
            before: Only keys below this one.
            limit: At most so many; fewer means that there are no more.
        """
        found = await self.read(agent, prefix, after=after, before=before, limit=limit)
        return [(key, json.loads(value)) for key, value in found]

    async def read(
        self, agent: str, prefix: str, *, after: str | None, before: str | None, limit: int
    ) -> list[tuple[str, bytes]]:
        """As `page`, with the values as they are stored."""
        check_key(prefix)
        # A blank sorts before all that a key may hold: the range begins right above `after`.
        first = PREFIX + max(prefix, "" if after is None else after + " ")
        end = PREFIX + min(prefix + _END, prefix + _END if before is None else before)
        found: list[tuple[str, bytes]] = []
        cursor: str | None = None
        while len(found) < limit:
            left = min(limit - len(found), 1_000)
            page = await self._tables.scan(self._table, agent, first=first, before=end, limit=left, cursor=cursor)
            for entity in page.entities:
                value = await unpack("value", entity.values, self._blobs)
                found.append((entity.row.removeprefix(PREFIX), value))
            cursor = page.cursor
            if cursor is None:
                break
        return found


class Rows:
    """The rows of the agent whose turn it is, as the turn has left them so far.

    Args:
        stored: Where they are.
        agent: Whose they are.
        earlier: What earlier messages of the same turn wrote.
        written: What this message writes; filled here.
    """

    def __init__(
        self, stored: StoredRows, agent: str, earlier: Mapping[str, RowChange], written: dict[str, RowChange]
    ) -> None:
        self._stored = stored
        self._agent = agent
        self._earlier = earlier
        self._written = written

    def put(self, key: str, value: Any) -> None:
        """Write a row, replacing one of the same key, once this turn is committed.

        Args:
            key: 1 to 200 letters, digits and `._:@-`. Keys are kept in order, so pad numbers with zeros.
            value: JSON.

        Raises:
            InvalidInput: the key has another shape.
            TerminalError: the value is not JSON, or the message writes more than a transaction holds.
        """
        check_key(key)
        try:
            encoded = to_bytes(value)
        except (TypeError, ValueError) as error:
            raise TerminalError(f"The row {key!r} is not JSON: {error}.", code="row_not_json") from error
        self._written[key] = WrittenRow(encoded, pack("value", encoded))
        self._check_room()

    async def delete(self, key: str) -> bool:
        """Remove a row once this turn is committed. False if there is none."""
        if await self._value(key) is None:
            return False
        self._written[key] = RemovedRow(await self._stored.get(self._agent, key) is not None)
        self._check_room()
        return True

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a row, or `default`. One storage operation, unless this turn wrote it."""
        value = await self._value(key)
        return default if value is None else json.loads(value)

    async def page(
        self, prefix: str, *, after: str | None = None, before: str | None = None, limit: int = 50
    ) -> list[tuple[str, Any]]:
        """Rows whose keys begin with `prefix`, in order of their keys; see `StoredRows.page`."""
        mine = dict(self._own(prefix, after, before))
        # Each row this turn deletes may hide one of those asked for.
        hidden = sum(value is None for value in mine.values())
        found = await self._stored.read(self._agent, prefix, after=after, before=before, limit=limit + hidden)
        merged: dict[str, bytes | None] = {**dict(found), **mine}
        return [(key, json.loads(value)) for key, value in sorted(merged.items()) if value is not None][:limit]

    def _own(self, prefix: str, after: str | None, before: str | None) -> Iterator[tuple[str, bytes | None]]:
        for key, row in {**self._earlier, **self._written}.items():
            if key.startswith(prefix) and (after is None or key > after) and (before is None or key < before):
                yield key, row.value

    async def _value(self, key: str) -> bytes | None:
        for written in (self._written, self._earlier):
            if key in written:
                return written[key].value
        return await self._stored.get(self._agent, key)

    def _check_room(self) -> None:
        size = sum(row.size for row in self._written.values())
        if len(self._written) > MOST_ROWS or size > MOST_BYTES:
            raise TerminalError(
                f"One message may write {MOST_ROWS} rows and {MOST_BYTES:,} bytes of them. Send the agent a message "
                "to go on with the rest in another turn.",
                code="too_many_rows",
            )


def operations(agent: str, written: Mapping[str, RowChange]) -> list[Operation]:
    """What the commit does to the table."""
    changes: list[Operation] = []
    for key, row in written.items():
        if isinstance(row, WrittenRow):
            changes.append(Upsert(Entity(agent, PREFIX + key, row.packed.values)))
        elif row.stored:
            changes.append(Delete(agent, PREFIX + key))
    return changes


def digests(written: Mapping[str, RowChange]) -> dict[str, str | None]:
    """What the journal says of them: SHA-256 of the value as stored, None for a deleted row."""
    return {key: row.digest for key, row in written.items()}


def check_key(key: str) -> str:
    """The key, if it is one. Raises `InvalidInput`."""
    if not _KEY.fullmatch(key):
        raise InvalidInput(f"{key!r} is no key of a row. Use 1 to 200 letters, digits and the characters . _ : @ -")
    return key
