"""The lists of requests: all of them, those that are open, and those open for one person; newest first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aos.kernel.errors import Conflict
from aos.kernel.journal import JournalEntry
from aos.kernel.ports import Delete, Entity, Insert, Operation, Replace, TableStore, Upsert
from aos.workflows.human.request import TYPE
from aos.workflows.human.request_state import RequestState, summary

TABLE = "requests"
PARTITION = "requests"
ALL = "all:"
OPEN = "open:"
ANYBODY = "for-anybody:"
_LATEST = 10**14
"""Subtracted from, milliseconds since 1970 sort newest first."""
_TRIES = 5


def milliseconds(at: datetime) -> int:
    """Since 1970, whole ones."""
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def place_of(at: datetime, identity: str) -> str:
    """Where something of this moment stands in a list, newest first."""
    return f"{_LATEST - milliseconds(at):014d}-{identity}"


def list_of(person: str) -> str:
    """Begins the keys of what is open for one person."""
    return f"for-{hashlib.sha256(person.encode()).hexdigest()[:32]}:"


class RequestIndex:
    """A read model fed by the requests' commits.

    A request's rows, one for each list it is in, change in one transaction with the version they show; so a list
    never has what a later version took out.
    """

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    def concerns(self, agent: str, version: int) -> bool:  # noqa: ARG002  # every turn of a request matters
        return agent.startswith(f"{TYPE}:")

    async def apply(self, entry: JournalEntry, state: Mapping[str, Any]) -> None:
        """Bring a request's rows up to the version of this entry, unless they are there already."""
        request = RequestState.model_validate(state)
        if request.request is None or request.opened_at is None:
            return
        for _ in range(_TRIES):
            try:
                await self._write(entry.version, request, place_of(request.opened_at, request.request.id))
            except Conflict:
                continue
            return
        raise Conflict(f"The lists of {entry.agent!r} kept changing while they were written.")

    async def page(
        self, lists: tuple[str, ...], *, limit: int, after: str | None = None, where: Mapping[str, str] | None = None
    ) -> list[tuple[str, dict[str, Any]]]:
        """What stands in any of the lists, newest first.

        Args:
            lists: `ALL`, `OPEN`, `ANYBODY` or `list_of(person)`.
            limit: At most so many.
            after: Only what stands behind this place.
            where: `kind` or `status`.

        Returns:
            Places and summaries.
        """
        found: dict[str, dict[str, Any]] = {}
        for name in lists:
            found.update(await self._read(name, limit, after, where))
        return sorted(found.items())[:limit]

    async def _read(
        self, name: str, limit: int, after: str | None, where: Mapping[str, str] | None
    ) -> list[tuple[str, dict[str, Any]]]:
        # A blank sorts before all that an id may hold: the range begins right behind `after`.
        first = name if after is None else f"{name}{after} "
        found: list[tuple[str, dict[str, Any]]] = []
        cursor: str | None = None
        while len(found) < limit:
            page = await self._tables.scan(
                TABLE, PARTITION, first=first, before=f"{name}~", where=where, limit=limit - len(found), cursor=cursor
            )
            found += [(e.row.removeprefix(name), json.loads(str(e.values["shown"]))) for e in page.entities]
            cursor = page.cursor
            if cursor is None:
                break
        return found

    async def _write(self, version: int, request: RequestState, place: str) -> None:
        stored = await self._tables.get(TABLE, PARTITION, ALL + place)
        if stored is not None and int(str(stored.values["version"])) >= version:
            return
        assert request.request is not None  # noqa: S101  # callers write only what was asked
        shown = json.dumps(summary(request), ensure_ascii=False)
        lists = _lists(request)
        values = {"kind": request.request.kind, "status": request.status.value, "shown": shown}
        main = Entity(PARTITION, ALL + place, {**values, "version": version, "lists": json.dumps(lists)})
        earlier = json.loads(str(stored.values["lists"])) if stored is not None else []
        operations: list[Operation] = [Insert(main) if stored is None else Replace(main, stored.etag or "")]
        operations += [Upsert(Entity(PARTITION, name + place, values)) for name in lists]
        operations += [Delete(PARTITION, name + place) for name in earlier if name not in lists]
        await self._tables.commit(TABLE, operations)


def _lists(request: RequestState) -> list[str]:
    """The lists a request is in besides that of all."""
    if not request.is_open:
        return []
    return [OPEN, *([list_of(person) for person in request.audience] or [ANYBODY])]
