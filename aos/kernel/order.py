"""Messages held back as rows of the agent's partition: behind one that is to be retried, or until an agent may work."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aos.kernel.head import Waiting
from aos.kernel.json_text import to_bytes
from aos.kernel.message import Message
from aos.kernel.packing import pack, unpack
from aos.kernel.ports import BlobStore, Delete, Entity, Insert, Operation, TableStore

BEHIND = "w:"
"""Begins the rows of messages that wait behind one, where order is strict."""
ASIDE = "p:"
"""Begins the rows of messages that were put aside because their agent may not work."""
DRAIN = 20
"""Held messages taken up in one turn; a message of the agent to itself goes on with the rest."""


def row_key(prefix: str, number: int) -> str:
    return f"{prefix}{number:016d}"


class HeldRows:
    """Rows of held messages, of one kind, that a turn adds and removes."""

    def __init__(self, tables: TableStore, blobs: BlobStore, table: str, agent: str, *, prefix: str = BEHIND) -> None:
        self._tables = tables
        self._blobs = blobs
        self._table = table
        self._agent = agent
        self._prefix = prefix
        self._added: dict[int, Entity] = {}
        self._removed: list[int] = []

    async def hold(self, waiting: Waiting, message: Message) -> None:
        """Put a message at the end of the line."""
        body = to_bytes(message.to_json())
        packed = pack("message", body)
        if packed.blob:
            await self._blobs.put(packed.blob[0], packed.blob[1])
        self._added[waiting.next] = Entity(self._agent, row_key(self._prefix, waiting.next), packed.values)
        waiting.next += 1

    async def oldest(self, waiting: Waiting, *, limit: int = DRAIN) -> Sequence[Message]:
        """The messages at the front of the line, at most `limit`."""
        first, stop = waiting.first, min(waiting.next, waiting.first + limit)
        stored = min([stop, *self._added])
        entities = [self._added[number] for number in range(stored, stop)]
        if first < stored:
            entities = [*await self._stored(first, stored), *entities]
        return [
            Message.from_json(json.loads(await unpack("message", entity.values, self._blobs))) for entity in entities
        ]

    async def _stored(self, first: int, before: int) -> list[Entity]:
        found: list[Entity] = []
        cursor: str | None = None
        while True:
            page = await self._tables.scan(
                self._table,
                self._agent,
                first=row_key(self._prefix, first),
                before=row_key(self._prefix, before),
                limit=DRAIN,
                cursor=cursor,
            )
            found += page.entities
            cursor = page.cursor
            if cursor is None:
                return found

    def release(self, waiting: Waiting) -> None:
        """Take the first message out of the line."""
        if self._added.pop(waiting.first, None) is None:
            self._removed.append(waiting.first)
        waiting.first += 1

    def operations(self) -> list[Operation]:
        deletes: list[Operation] = [Delete(self._agent, row_key(self._prefix, number)) for number in self._removed]
        return [*deletes, *(Insert(entity) for entity in self._added.values())]
