"""Idempotency: work for a key is done once, and whoever asks again gets the first result."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aos.kernel.errors import Conflict, RetryableError
from aos.kernel.packing import pack, unpack
from aos.kernel.ports import BlobStore, Clock, Delete, Entity, Insert, Replace, TableStore

DAY = 86_400.0


class WorkInProgress(RetryableError):
    """Somebody else is doing the work at this moment."""

    code = "work_in_progress"


def idempotency_key(message_id: str, business_key: str) -> str:
    """SHA-256 of both, in hexadecimal."""
    return hashlib.sha256(f"{message_id}:{business_key}".encode()).hexdigest()


def request_key(request: Any) -> str:
    """SHA-256 of a JSON value with its fields sorted: equal requests have equal keys."""
    text = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Idempotency:
    """Results of finished work, by key.

    Args:
        tables: Where they are, a row for each key, inserted before the work begins.
        blobs: For results that a row cannot hold.
        clock: The time.
        ttl: Seconds a result is kept.
        lease: Seconds after which work that never finished may be begun again.
        table: Name of the table.
    """

    def __init__(
        self,
        tables: TableStore,
        blobs: BlobStore,
        clock: Clock,
        *,
        ttl: float = DAY,
        lease: float = 300.0,
        table: str = "idempotency",
    ) -> None:
        self._tables = tables
        self._blobs = blobs
        self._clock = clock
        self._ttl = ttl
        self._lease = lease
        self._table = table

    async def run(self, key: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """The JSON result of `work`, which is called only if nobody has finished it under this key.

        Raises:
            WorkInProgress: somebody is at it. Its lease bounds how long that can last.
        """
        entity = await self._tables.get(self._table, key, "result")
        if entity is not None and not self._is_over(entity):
            if entity.values["status"] != "done":
                raise self._in_progress()
            return json.loads(await unpack("result", entity.values, self._blobs))
        etag = await self._begin(key, entity)
        try:
            result = await work()
        except BaseException:
            await asyncio.shield(self._tables.commit(self._table, [Delete(key, "result", etag)]))
            raise
        packed = pack("result", json.dumps(result, ensure_ascii=False).encode())
        if packed.blob:
            await self._blobs.put(packed.blob[0], packed.blob[1])
        values = {**packed.values, "status": "done", "until": self._now() + self._ttl, "executed_at": self._now()}
        await self._tables.commit(self._table, [Replace(Entity(key, "result", values), etag)])
        return result

    async def _begin(self, key: str, old: Entity | None) -> str:
        fresh = Entity(key, "result", {"status": "running", "until": self._now() + self._lease})
        write = Insert(fresh) if old is None or old.etag is None else Replace(fresh, old.etag)
        try:
            (etag,) = await self._tables.commit(self._table, [write])
        except Conflict:
            raise self._in_progress() from None
        return etag or ""

    def _is_over(self, entity: Entity) -> bool:
        until = entity.values["until"]
        return isinstance(until, int | float) and until <= self._now()

    def _now(self) -> float:
        return self._clock.now().timestamp()

    @staticmethod
    def _in_progress() -> WorkInProgress:
        return WorkInProgress("This work is being done at the moment. Ask again shortly.", retry_after=1.0)
