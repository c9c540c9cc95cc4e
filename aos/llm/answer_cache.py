"""Answers to identical prompts, kept for callers that ask for that: in this process, and among all in a table."""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections import OrderedDict
from dataclasses import dataclass

from aos.kernel.errors import AosError, InfrastructureError, PayloadTooLarge
from aos.kernel.ports import Clock, Entity, TableStore, Upsert
from aos.llm.request import ModelRequest
from aos.llm.response import Cost, ModelResponse
from aos.llm.route import Route
from aos.llm.structured import Mismatch, parse

_log = logging.getLogger(__name__)
_LARGEST = 60 * 1024
_NOT_IN_KEY = {"metadata", "idempotency_key"}
_ROUTE_IN_KEY = {"models", "tiers", "strategy", "local_only", "force"}


def cache_key(request: ModelRequest, route: Route) -> str:
    """SHA-256 over everything that makes the answer: the whole request, and who may answer it."""
    document = {
        "request": request.model_dump(mode="json", exclude=_NOT_IN_KEY),
        "route": {
            **route.model_dump(mode="json", include=_ROUTE_IN_KEY),
            "tiers": sorted(route.tiers),
        },
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def as_hit(request: ModelRequest, response: ModelResponse) -> ModelResponse | None:
    """A stored answer as this caller gets it: marked, free, and checked against the caller's own structure.

    None where it does not fit that structure, as after a change of the caller's model.
    """
    update: dict[str, object] = {"cached": True, "cost": Cost(usd=0.0), "latency": 0.0, "time_to_first_token": None}
    wanted = request.response_format
    if wanted is not None and not response.tool_calls:
        try:
            update["parsed"] = parse(wanted, response.text)
        except Mismatch:
            return None
    return response.model_copy(update=update)


@dataclass(slots=True)
class CacheStatistics:
    hits: int = 0
    misses: int = 0
    sets: int = 0
    evictions: int = 0


class AnswerCache:
    """Answers by the key of their prompt. Storage that fails is a miss, never an error.

    Args:
        clock: The time.
        tables: Where instances share answers; None keeps them in this process.
        entries: Answers kept in this process; the one longest unused goes first.
        table: Name of the table.
    """

    def __init__(
        self, clock: Clock, tables: TableStore | None = None, *, entries: int = 256, table: str = "modelanswers"
    ) -> None:
        self._clock = clock
        self._tables = tables
        self._entries = entries
        self._table = table
        self._local: OrderedDict[str, tuple[float, ModelResponse]] = OrderedDict()
        self.statistics = CacheStatistics()

    async def get(self, key: str, max_age: float | None) -> ModelResponse | None:
        """The answer, if it is not older than `max_age` seconds; None takes one of any age."""
        found = self._local.get(key)
        if found is None or self._is_old(found[0], max_age):
            found = await self._stored(key) or found
        if found is None or self._is_old(found[0], max_age):
            self.statistics.misses += 1
            return None
        self._remember(key, *found)
        self.statistics.hits += 1
        return found[1]

    async def put(self, key: str, response: ModelResponse) -> None:
        """Keep an answer. A degraded one is not worth keeping, and ignored."""
        if response.degraded:
            return
        now = self._clock.now().timestamp()
        self._remember(key, now, response)
        self.statistics.sets += 1
        if self._tables is None:
            return
        answer = zlib.compress(response.model_dump_json().encode(), 6)
        if len(answer) > _LARGEST:
            return
        try:
            await self._tables.commit(self._table, [Upsert(Entity(key, "answer", {"answer": answer, "at": now}))])
        except (InfrastructureError, PayloadTooLarge) as error:
            _warn(error)

    async def _stored(self, key: str) -> tuple[float, ModelResponse] | None:
        if self._tables is None:
            return None
        try:
            entity = await self._tables.get(self._table, key, "answer")
        except InfrastructureError as error:
            _warn(error)
            return None
        if entity is None:
            return None
        packed, moment = entity.values["answer"], entity.values["at"]
        if not isinstance(packed, bytes) or not isinstance(moment, float | int):
            return None
        return float(moment), ModelResponse.model_validate_json(zlib.decompress(packed))

    def _remember(self, key: str, moment: float, response: ModelResponse) -> None:
        self._local[key] = (moment, response)
        self._local.move_to_end(key)
        while len(self._local) > self._entries:
            self._local.popitem(last=False)
            self.statistics.evictions += 1

    def _is_old(self, moment: float, max_age: float | None) -> bool:
        return max_age is not None and self._clock.now().timestamp() - moment > max_age


def _warn(error: AosError) -> None:
    _log.warning("The cache of model answers is not shared at the moment: %s", error.message)
