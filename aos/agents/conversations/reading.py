"""Reads entries from their rows, as corrections and redactions have left them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from aos.agents.conversations.entry import Entry, change_key, changes_prefix, entries_prefix, entry_key
from aos.kernel.message import check_labels

_MOST_CORRECTIONS = 20
"""Of corrections that are followed from one entry."""


class RowPages(Protocol):
    """Rows of one agent: those of a turn, or of the table between turns."""

    async def page(
        self, prefix: str, *, after: str | None = None, before: str | None = None, limit: int = 50
    ) -> list[tuple[str, Any]]: ...


async def read_entries(rows: RowPages, conversation: str, start: int, end: int) -> list[Entry]:
    """Entries `start` to `end - 1`, as far as they are there. Two storage operations, more where any was corrected."""
    if end <= start:
        return []
    bounds: dict[str, Any] = {"before": entry_key(conversation, end), "limit": end - start}
    if start:
        bounds["after"] = entry_key(conversation, start - 1)
    found = await rows.page(entries_prefix(conversation), **bounds)
    changes = await _changes(rows, conversation, start, end)
    return [await _applied(rows, conversation, Entry.from_json(entry), changes) for _, entry in found]


async def _changes(rows: RowPages, conversation: str, start: int, end: int) -> dict[int, Mapping[str, Any]]:
    bounds: dict[str, Any] = {"before": change_key(conversation, end), "limit": end - start}
    if start:
        bounds["after"] = change_key(conversation, start - 1)
    found = await rows.page(changes_prefix(conversation), **bounds)
    return {int(key.rpartition(":")[2]): change for key, change in found}


async def _applied(rows: RowPages, conversation: str, entry: Entry, changes: Mapping[int, Mapping[str, Any]]) -> Entry:
    change = changes.get(entry.number)
    if change is None:
        return entry
    by = int(change["by"])
    correction = None if change["redacted"] else await _newest(rows, conversation, by)
    if correction is None:
        return replace(entry, content="", meta={}, tokens=0, redacted_by=by)
    return replace(
        entry,
        content=correction.content,
        tokens=correction.tokens,
        labels=check_labels(entry.labels | correction.labels),
        corrected_by=correction.number,
    )


async def _newest(rows: RowPages, conversation: str, number: int) -> Entry | None:
    """What a correction says, or the correction of it; None where it was redacted or deleted."""
    for _ in range(_MOST_CORRECTIONS):
        change = (await _changes(rows, conversation, number, number + 1)).get(number)
        if change is None:
            break
        if change["redacted"]:
            return None
        number = int(change["by"])
    bounds = {"after": entry_key(conversation, number - 1), "before": entry_key(conversation, number + 1)}
    found = await rows.page(entries_prefix(conversation), **bounds, limit=1)
    return Entry.from_json(found[0][1]) if found else None
