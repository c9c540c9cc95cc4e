"""Idempotency keys: what was started under a key, so that the same request again starts nothing new."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from aos.kernel.errors import AlreadyExists, Conflict
from aos.kernel.message import format_time, parse_time
from aos.kernel.ports import Clock, Delete, Entity, Insert, Operation, Replace, TableStore, Value

KEEP = timedelta(hours=24)
"""How long a key that a caller gave is remembered."""
_PARTITION = "keys"


class IdempotencyKeys:
    """Keys of one kind of work.

    Args:
        tables: Where they are kept.
        table: Name of the table.
        clock: Tells the time.
    """

    def __init__(self, tables: TableStore, table: str, clock: Clock) -> None:
        self._tables = tables
        self._table = table
        self._clock = clock

    async def claim(self, key: str, item_id: str, fingerprint: str, keep: timedelta = KEEP) -> str:
        """Bind a key to an item, or find what it is bound to.

        Args:
            key: As the caller gave it, or as his request makes it.
            item_id: What would be started now.
            fingerprint: The same for the same request.
            keep: How long the key is remembered.

        Returns:
            The item the key stands for.

        Raises:
            AlreadyExists: the key was used for another request.
        """
        bound, earlier = await self.bind(key, item_id, fingerprint, keep)
        if earlier != fingerprint:
            raise AlreadyExists(
                f"The idempotency key was used for another request, {bound!r}. Use a new key for a new one.",
                code="idempotency_key_reused",
            )
        return bound

    async def bind(self, key: str, item_id: str, fingerprint: str, keep: timedelta) -> tuple[str, str]:
        """As `claim`; returns the item and the fingerprint that the key stands for, whatever that is."""
        row = hashlib.sha256(key.encode()).hexdigest()
        expires = format_time(self._clock.now() + keep)
        values: dict[str, Value] = {"task": item_id, "fingerprint": fingerprint, "expires": expires}
        entity = Entity(_PARTITION, row, values)
        try:
            await self._tables.commit(self._table, [Insert(entity)])
        except Conflict:
            found = await self._tables.get(self._table, _PARTITION, row)
            if found is None:
                raise
            if parse_time(str(found.values["expires"])) > self._clock.now():
                return str(found.values["task"]), str(found.values["fingerprint"])
            await self._tables.commit(self._table, [Replace(entity, found.etag or "")])
        return item_id, fingerprint

    async def sweep(self) -> int:
        """Remove expired keys; returns how many."""
        removed, cursor, now = 0, None, self._clock.now()
        while True:
            page = await self._tables.scan(self._table, _PARTITION, limit=1_000, cursor=cursor)
            expired: list[Operation] = [
                Delete(_PARTITION, entity.row, entity.etag)
                for entity in page.entities
                if parse_time(str(entity.values["expires"])) <= now
            ]
            for start in range(0, len(expired), 100):
                await self._tables.commit(self._table, expired[start : start + 100])
            removed += len(expired)
            cursor = page.cursor
            if cursor is None:
                return removed
