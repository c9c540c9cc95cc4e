"""The partial matches of one pattern in rows: by key, and by when they expire; the oldest give way where it is full."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from aos.agents import Turn
from aos.workflows.events.partial_match import PartialMatch
from aos.workflows.events.pattern_state import PatternState

BY_KEY = "p:"
BY_TIME = "t:"
MOST_EVENTS_KEPT = 10_000
EXPIRE = "pattern.expire"
_AT_ONCE = 10
"""Partial matches removed in one turn."""


class PartialMatches:
    """The partial matches of the pattern whose turn it is; each method costs a bounded number of operations."""

    def __init__(self, turn: Turn, state: PatternState, most: int) -> None:
        self._turn = turn
        self._state = state
        self._most = most

    async def get(self, key: Any) -> PartialMatch | None:
        found = await self._turn.rows.get(BY_KEY + _digest(key))
        return None if found is None else PartialMatch.model_validate(found)

    async def keep(self, before: PartialMatch | None, partial: PartialMatch) -> None:
        """Write a partial match in place of what it was before, and make room where there are too many events."""
        rows, state, name = self._turn.rows, self._state, _digest(partial.key)
        if before is not None:
            await rows.delete(_time_key(before))
            state.kept -= len(before.events)
        rows.put(BY_KEY + name, partial.model_dump(mode="json"))
        rows.put(_time_key(partial), {"key": name})
        state.kept += len(partial.events)
        if state.kept > self._most:
            await self._make_room(name)
        if state.next_expiry is None or partial.expires < state.next_expiry:
            self._watch(partial.expires)

    async def expire(self) -> None:
        """Remove what is of no use any more, and see when there will be more of it."""
        found = await self._turn.rows.page(BY_TIME, before=f"{BY_TIME}{_moment(self._turn.now)}:~", limit=_AT_ONCE)
        for key, value in found:
            await self._remove(key, value["key"])
        self._state.next_expiry = None
        left = await self._turn.rows.page(BY_TIME, limit=1)
        if left:
            expires = await self._turn.rows.get(BY_KEY + left[0][1]["key"])
            self._watch(PartialMatch.model_validate(expires).expires)

    async def _make_room(self, current: str) -> None:
        for key, value in await self._turn.rows.page(BY_TIME, limit=_AT_ONCE):
            if self._state.kept <= self._most:
                return
            if value["key"] != current:
                self._state.dropped += await self._remove(key, value["key"])

    async def _remove(self, time_key: str, name: str) -> int:
        """Remove a partial match; how many events it had."""
        rows = self._turn.rows
        found = await rows.get(BY_KEY + name)
        count = len(PartialMatch.model_validate(found).events) if found is not None else 0
        await rows.delete(time_key)
        await rows.delete(BY_KEY + name)
        self._state.kept -= count
        return count

    def _watch(self, moment: datetime) -> None:
        self._state.next_expiry = moment
        self._turn.remind("expire", EXPIRE, at=moment)


def _time_key(partial: PartialMatch) -> str:
    return f"{BY_TIME}{_moment(partial.expires)}:{_digest(partial.key)}"


def _moment(moment: datetime) -> str:
    return f"{int(moment.timestamp() * 1000):014d}"


def _digest(key: Any) -> str:
    text = json.dumps(key, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
