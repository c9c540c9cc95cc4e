"""The turn in the background that deletes entries whose time is over, a bounded number at a time, the oldest first."""

from __future__ import annotations

from datetime import datetime, timedelta

from aos.agents.conversations.entry import (
    AGE_PREFIX,
    Entry,
    age_before,
    change_key,
    entries_prefix,
    entry_key,
)
from aos.agents.conversations.record import Record
from aos.agents.conversations.shelf import EXPIRE, Shelf
from aos.agents.turn import Turn

_TICK = timedelta(microseconds=1)
_PAUSE = timedelta(seconds=1)
_BATCH = 15
"""Entries deleted in a turn, each with what tells of its correction."""


async def expire(turn: Turn, shelf: Shelf) -> None:
    """Delete what is due of the conversation with the oldest entry, and have the agent woken for the next."""
    keep_for = shelf.limits.keep_for
    shelf.remind_of_age(None)
    if keep_for is None:
        return
    cutoff = turn.now - keep_for + _TICK
    due = await turn.rows.page(AGE_PREFIX, before=age_before(cutoff), limit=1)
    if due:
        key, found = due[0]
        await turn.rows.delete(key)
        await _delete(turn, shelf, await shelf.take(found["conversation"]), cutoff)
        turn.send(turn.agent, EXPIRE, priority=1)
        return
    oldest = await turn.rows.page(AGE_PREFIX, limit=1)
    if oldest:
        first = (await shelf.take(oldest[0][1]["conversation"])).oldest
        # The clock of the host may be behind that of the bus.
        shelf.remind_of_age(max(turn.now + _PAUSE, first + keep_for) if first else None)


async def _delete(turn: Turn, shelf: Shelf, record: Record, cutoff: datetime) -> None:
    prefix, start = entries_prefix(record.id), record.first
    after = {"after": entry_key(record.id, start - 1)} if start else {}
    entries = [Entry.from_json(entry) for _, entry in await turn.rows.page(prefix, **after, limit=_BATCH + 1)]
    gone = [entry for entry in entries[:_BATCH] if entry.time < cutoff]
    for entry in gone:
        await turn.rows.delete(entry_key(record.id, entry.number))
        await turn.rows.delete(change_key(record.id, entry.number))
    rest = entries[len(gone) :]
    record.forget(rest[0].number if rest else record.next, rest[0].time if rest else None)
    shelf.age(record)
    shelf.save(record)
    turn.record("conversation.expired", conversation=record.id, deleted=len(gone), removed=record.first)
