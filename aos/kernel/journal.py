"""The journal: one entry a turn, hash-chained; at once outbox, audit trail and replay log.

An entry's hash is SHA-256 over the previous entry's hash (64 hex digits) followed by the entry's body, byte for
byte as stored. Changing, removing or inserting an entry breaks the chain from there on; the head holds its end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aos.kernel import patch
from aos.kernel.errors import NotFound
from aos.kernel.head import GENESIS, Head
from aos.kernel.json_text import to_bytes
from aos.kernel.packing import Packed, pack, unpack
from aos.kernel.ports import BlobStore, Entity, TableStore, Value

PREFIX = "j:"
_ORDER = "order"


def row_key(version: int) -> str:
    return f"{PREFIX}{version:016d}"


@dataclass(slots=True)
class JournalEntry:
    """What one turn did.

    Attributes:
        agent, version, turn, time: Which turn of whom, its id, and when it ended.
        trace: Trace id of the work it belongs to.
        received: One record a message: the envelope, `outcome` and, where it failed, `error`.
        sent: The outgoing messages in order: `entity`, `session`, `id`, `at`, `body`.
        patch: How the state changed (see `aos.kernel.patch`).
        decisions: Recorded decisions with their rationale.
        facts: What the agent put on record.
        dead: Dead letters the turn made.
        order: The operator's order, where the turn was one: `event`, `from`, `to`, `by`, `reason`, `scope`.
        rows: Rows it wrote, by key: SHA-256 of the value, None where it deleted one (see `aos.kernel.rows`).
        usage: What it cost up to and including the commit.
        duration_ms: From rehydration to commit.
        previous, hash: The chain.
    """

    agent: str
    version: int
    turn: str
    time: str
    trace: str = ""
    received: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    patch: patch.Patch = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    dead: list[dict[str, Any]] = field(default_factory=list)
    order: dict[str, str] = field(default_factory=dict)
    rows: dict[str, str | None] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    duration_ms: float = 0.0
    previous: str = GENESIS
    hash: str = ""

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def seal(self, previous: str) -> tuple[Entity, Packed]:
        """Chain the entry to `previous`, and return the entity to insert."""
        self.previous = previous
        body = self._body()
        self.hash = chain_hash(previous, body)
        packed = pack("body", body)
        values: dict[str, Value] = {
            "previous": previous,
            "hash": self.hash,
            "turn": self.turn,
            **packed.values,
        }
        if self.order:
            values["kind"] = _ORDER
        return Entity(self.agent, row_key(self.version), values), packed

    def _body(self) -> bytes:
        content = {name: getattr(self, name) for name in self.__slots__ if name not in ("previous", "hash")}
        for name in ("order", "rows"):
            if not content[name]:
                del content[name]
        return to_bytes(content)


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of recomputing one agent's chain. `problem` is None when all is well."""

    agent: str
    entries: int
    problem: str | None = None


class Journal:
    """Reads the journals of agents; only a turn's commit writes them."""

    def __init__(self, tables: TableStore, blobs: BlobStore, table: str) -> None:
        self._tables = tables
        self._blobs = blobs
        self._table = table

    async def entry(self, agent: str, version: int) -> JournalEntry:
        """One entry. Raises `NotFound`."""
        entity = await self._tables.get(self._table, agent, row_key(version))
        if entity is None:
            raise NotFound(f"Agent {agent!r} has no journal entry {version}.")
        return (await self._read(entity))[0]

    async def entries(self, agent: str, *, after: int = 0, limit: int = 100) -> list[JournalEntry]:
        """Up to `limit` entries with versions above `after`, oldest first."""
        return [entry async for entry, _ in self._walk(agent, after, limit)]

    async def orders(self, agent: str, *, after: int = 0, limit: int = 100) -> list[JournalEntry]:
        """As `entries`, only those that were an operator's order, or an agent's birth under one."""
        return [entry async for entry, _ in self._walk(agent, after, limit, {"kind": _ORDER})]

    async def verify(self, agent: str, head: Head | None) -> Verification:
        """Recompute the hash chain of an agent and replay its patches against the head."""
        previous, count = GENESIS, 0
        state: Any = {}
        async for entry, body in self._walk(agent, 0, None):
            count += 1
            if entry.version != count:
                return Verification(agent, count - 1, f"entry {count} is missing")
            if entry.previous != previous:
                return Verification(agent, count, f"entry {count} does not follow from the one before it")
            if chain_hash(previous, body) != entry.hash:
                return Verification(agent, count, f"entry {count} was changed after it was written")
            previous = entry.hash
            state = patch.apply(state, entry.patch)
        return Verification(agent, count, _against_head(head, count, previous, state))

    async def _walk(
        self, agent: str, after: int, limit: int | None, where: Mapping[str, str | int | bool] | None = None
    ) -> AsyncIterator[tuple[JournalEntry, bytes]]:
        cursor: str | None = None
        left = limit
        while True:
            page = await self._tables.scan(
                self._table,
                agent,
                first=row_key(after + 1),
                before=PREFIX + "~",
                where=where,
                limit=min(left or 1_000, 1_000),
                cursor=cursor,
            )
            for entity in page.entities:
                yield await self._read(entity)
                if left is not None:
                    left -= 1
                    if left == 0:
                        return
            cursor = page.cursor
            if cursor is None:
                return

    async def _read(self, entity: Entity) -> tuple[JournalEntry, bytes]:
        body = await unpack("body", entity.values, self._blobs)
        entry = JournalEntry(**json.loads(body))
        entry.previous = str(entity.values["previous"])
        entry.hash = str(entity.values["hash"])
        return entry, body


def chain_hash(previous: str, body: bytes) -> str:
    return hashlib.sha256(previous.encode() + body).hexdigest()


def _against_head(head: Head | None, count: int, chain: str, state: Any) -> str | None:
    if head is None:
        return "there are entries but no head" if count else None
    if head.version != count:
        return f"the head is at version {head.version}, the journal at {count}"
    if head.chain != chain:
        return "the head does not hold the hash of the newest entry"
    if json.loads(head.state) != state:
        return "the state in the head is not what the journal's changes add up to"
    return None
