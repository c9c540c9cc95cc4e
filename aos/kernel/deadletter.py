"""The dead-letter store: every message that was given up, with its reason, to look at and to send again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aos.kernel.errors import AosError, NotAllowedNow, NotFound
from aos.kernel.json_text import to_bytes
from aos.kernel.message import RESUBMITTED, Message, format_time, parse_time
from aos.kernel.packing import pack, unpack
from aos.kernel.ports import BlobStore, Clock, Entity, TableStore, Upsert, Value

PARTITION = "dead"
_LATEST = 10**14
"""Milliseconds no date of ours reaches; subtracted from, it makes newer records sort first."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that was given up.

    Attributes:
        id: Its name in the store.
        agent: For whom it was; empty where that could not be read.
        time: When it was given up (RFC 3339).
        error: Why: `code`, `message`, `details`.
        message: The envelope; None where the body could not be read.
        body: The raw text of a body that is no envelope.
        status: `open`, or `resubmitted`.
    """

    id: str
    agent: str
    time: str
    error: Mapping[str, Any]
    message: Mapping[str, Any] | None = None
    body: str | None = None
    status: str = "open"

    def to_json(self) -> dict[str, Any]:
        content = {name: getattr(self, name) for name in ("id", "agent", "time", "status", "error", "message")}
        return content if self.body is None else content | {"body": self.body}


def dead_letter(agent: str, message: Message, error: AosError, now: datetime) -> dict[str, Any]:
    """The record of a message that was given up in a turn, as the journal keeps it."""
    return {
        "id": _identify(message.time, f"{agent}\n{message.dedupe_key}"),
        "agent": agent,
        "time": format_time(now),
        "error": error.to_json(),
        "message": message.to_json(),
    }


def unsendable(agent: str, time: str, sent: Mapping[str, Any], error: AosError) -> dict[str, Any]:
    """The record of a message that `agent` sent and the bus will not take; `sent` as its journal keeps it."""
    return {
        "id": _identify(parse_time(time), sent["id"]),
        "agent": agent,
        "time": time,
        "error": error.to_json() | {"code": "not_sendable", "details": {"entity": sent["entity"], "id": sent["id"]}},
        "body": json.dumps(sent["body"], ensure_ascii=False)[:100_000],
    }


class DeadLetters:
    """Reads and writes the store."""

    def __init__(self, tables: TableStore, blobs: BlobStore, clock: Clock, *, table: str) -> None:
        self._tables = tables
        self._blobs = blobs
        self._clock = clock
        self._table = table

    async def add(self, record: Mapping[str, Any]) -> None:
        """Store a record made by `dead_letter`. Storing it again changes nothing."""
        if await self._tables.get(self._table, PARTITION, record["id"]) is None:
            await self._write(DeadLetter(**record))

    async def add_unreadable(self, body: bytes, error: AosError, *, at: datetime | None = None) -> None:
        """Store a body that is no envelope, which the bus took `at`."""
        now = at or self._clock.now()
        text = body.decode("utf-8", errors="replace")
        identity = hashlib.sha256(body).hexdigest()
        record = DeadLetter(_identify(now, identity), "", format_time(now), error.to_json(), body=text[:100_000])
        await self._write(record)

    async def get(self, id: str) -> DeadLetter:
        """One record. Raises `NotFound`."""
        entity = await self._tables.get(self._table, PARTITION, id)
        if entity is None:
            raise NotFound(f"There is no dead letter {id!r}. List them to see which there are.")
        return await self._read(entity)

    async def page(
        self,
        *,
        agent: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[DeadLetter], str | None]:
        """Records, newest first, and a cursor where there are more."""
        where: dict[str, str | int | bool] = {}
        if agent:
            where["agent"] = agent
        if status:
            where["status"] = status
        page = await self._tables.scan(self._table, PARTITION, where=where, limit=limit, cursor=cursor)
        return [await self._read(entity) for entity in page.entities], page.cursor

    async def message(self, id: str) -> Message:
        """The message of a record as it is to be sent again: the same, under an id of its own.

        Raises:
            NotFound: there is no such record.
            NotAllowedNow: it was resubmitted already, or its body was never a message.
        """
        record = await self.get(id)
        if record.message is None:
            raise NotAllowedNow(f"Dead letter {id!r} is not a message that can be read; correct it at its sender.")
        if record.status != "open":
            raise NotAllowedNow(f"Dead letter {id!r} was resubmitted already.")
        original = Message.from_json(dict(record.message))
        now = self._clock.now()
        return replace(
            original, id=f"{RESUBMITTED}{id}", causation_id=original.first_id, attempt=1, deadline=None, time=now
        )

    async def close(self, id: str) -> None:
        """Mark a record as resubmitted."""
        record = await self.get(id)
        await self._write(replace(record, status="resubmitted"))

    async def _write(self, record: DeadLetter) -> None:
        content = to_bytes(record.to_json())
        packed = pack("content", content)
        if packed.blob:
            await self._blobs.put(packed.blob[0], packed.blob[1])
        values: dict[str, Value] = {"agent": record.agent, "status": record.status, **packed.values}
        entity = Entity(PARTITION, record.id, values)
        await self._tables.commit(self._table, [Upsert(entity)])

    async def _read(self, entity: Entity) -> DeadLetter:
        content = json.loads(await unpack("content", entity.values, self._blobs))
        return DeadLetter(**content)


def _identify(sent: datetime, identity: str) -> str:
    """Newest first in key order, and the same whenever the same message is given up."""
    age = _LATEST - int(sent.timestamp() * 1000)
    return f"{age:014d}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
