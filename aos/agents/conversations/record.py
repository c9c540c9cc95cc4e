"""What an agent has at hand of one conversation: the window of its newest entries, the summary of the rest, counts.

It is JSON in the agent's state, or in a row while other conversations are in use. Entries of the window are keyed by
their numbers, so that a turn's patch in the journal holds the entries that came and not the whole window.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from aos.agents.conversations.entry import Entry, Summary, tokens_of
from aos.agents.conversations.limits import ConversationLimits
from aos.kernel.message import check_labels, format_time, parse_time

_TITLE = 80
_HIGH, _LOW = 0.75, 0.5
"""Parts of a window's bounds: above the first it is summarised down to the second, so that it rarely drops anything."""
_SHARE = 4
"""An entry has at most this fraction of a window; of a longer one the window holds the beginning."""


class Record:
    """One conversation as it stands.

    Args:
        id: The conversation.
        kept: Its JSON; changed in place.
        limits: Bounds of the window.
    """

    def __init__(self, id: str, kept: dict[str, Any], limits: ConversationLimits) -> None:
        self.id = id
        self.kept = kept
        self._limits = limits

    @staticmethod
    def new(now: datetime) -> dict[str, Any]:
        moment = format_time(now)
        return {
            "next": 0,
            "first": 0,
            "created": moment,
            "last": moment,
            "oldest": None,
            "title": "",
            "labels": [],
            "window": {},
            "tokens": 0,
            "bytes": 0,
            "summary": None,
            "summarised": 0,
            "folding": None,
        }

    @property
    def next(self) -> int:
        """The number the next entry gets."""
        return int(self.kept["next"])

    @property
    def first(self) -> int:
        """The first entry that was not deleted for its age; so many were."""
        return int(self.kept["first"])

    @property
    def window(self) -> list[Entry]:
        """The newest entries, oldest first."""
        return [Entry.from_json(entry) for entry in self.kept["window"].values()]

    @property
    def labels(self) -> frozenset[str]:
        """Labels of everything that was ever said in it."""
        return frozenset(self.kept["labels"])

    @property
    def summary(self) -> Summary | None:
        return Summary.from_json(self.kept["summary"]) if self.kept["summary"] else None

    @property
    def summarised(self) -> int:
        """The first entry that is not in the summary."""
        return max(int(self.kept["summarised"]), self.first)

    @property
    def oldest(self) -> datetime | None:
        """Time of the first entry there is."""
        return parse_time(self.kept["oldest"]) if self.kept["oldest"] else None

    @property
    def created(self) -> datetime:
        return parse_time(self.kept["created"])

    @property
    def size(self) -> int:
        """Bytes of the window and the summary."""
        return int(self.kept["bytes"]) + (_size(self.kept["summary"]) if self.kept["summary"] else 0)

    def add(self, entry: Entry) -> None:
        """Take up an entry; the oldest leave the window until the rest is within its bounds."""
        kept = self.kept
        kept["next"] = entry.number + 1
        kept["last"] = format_time(entry.time)
        kept["oldest"] = kept["oldest"] or kept["last"]
        if entry.corrects is None and entry.redacts is None:
            kept["title"] = kept["title"] or _title(entry)
        kept["labels"] = sorted(check_labels({*kept["labels"], *entry.labels}))
        self._put(self._shortened(entry))
        while len(kept["window"]) > 1 and self._filled() > 1:
            self._drop(next(iter(kept["window"])))

    def change(self, by: Entry) -> None:
        """Have a correction or redaction show in the window."""
        number = by.redacts if by.redacts is not None else by.corrects
        if number is None:
            return
        concerned = {number, *(entry.number for entry in self.window if entry.corrected_by == number)}
        for entry in self.window:
            if entry.number in concerned:
                self._drop(str(entry.number), keep_place=True)
                self._put(self._shortened(_changed(entry, by)))
        if by.redacts is not None and by.redacts < self.summarised:
            # The summary may say what was taken back; what else it says cannot be told apart.
            self.kept["summary"], self.kept["summarised"] = None, self._window_start()
        if self.first in concerned:
            self.kept["title"] = "" if by.redacts is not None else _title(by)

    def due(self) -> int:
        """Up to which entry the window is to be summarised; `summarised` where it has room yet."""
        if not self._limits.summarise or (self._filled() <= _HIGH and self._window_start() <= self.summarised):
            return self.summarised
        tokens, size = self.kept["tokens"], self.kept["bytes"]
        entries = list(self.kept["window"].values())
        until = self._window_start()
        for position, entry in enumerate(entries[:-1]):
            if self._share(len(entries) - position, tokens, size) <= _LOW:
                break
            tokens, size = tokens - entry["tokens"], size - _size(entry)
            until = entry["number"] + 1
        return max(until, self.summarised)

    def fold(self, summary: Summary) -> None:
        """Take a summary in place of the entries it covers."""
        self.kept["summary"], self.kept["summarised"] = summary.to_json(), summary.until
        self._drop_before(summary.until)

    def forget(self, first: int, oldest: datetime | None) -> None:
        """Entries before `first` were deleted; a summary goes with the last entry it covers."""
        self.kept["first"], self.kept["oldest"] = first, format_time(oldest) if oldest else None
        self._drop_before(first)
        summary = self.summary
        if summary is not None and summary.until <= first:
            self.kept["summary"] = None
        self.kept["title"] = next((_title(entry) for entry in self.window), "")
        if first == self.next:
            self.kept["labels"] = []

    def listed(self) -> dict[str, Any]:
        """What a list of conversations says of it."""
        kept = self.kept
        return {
            "conversation": self.id,
            "title": kept["title"],
            "created_at": kept["created"],
            "last_at": kept["last"],
            "entries": self.next - self.first,
            "removed": self.first,
            "labels": kept["labels"],
        }

    def _window_start(self) -> int:
        return int(next(iter(self.kept["window"]), self.next))

    def _drop_before(self, number: int) -> None:
        for key in [key for key in self.kept["window"] if int(key) < number]:
            self._drop(key)

    def _put(self, entry: Entry) -> None:
        stored = entry.to_json()
        self.kept["window"][str(entry.number)] = stored
        self.kept["tokens"] += entry.tokens
        self.kept["bytes"] += _size(stored)

    def _drop(self, key: str, *, keep_place: bool = False) -> None:
        window = self.kept["window"]
        entry = window[key] if keep_place else window.pop(key)
        self.kept["tokens"] -= entry["tokens"]
        self.kept["bytes"] -= _size(entry)

    def _filled(self) -> float:
        return self._share(len(self.kept["window"]), self.kept["tokens"], self.kept["bytes"])

    def _share(self, entries: int, tokens: int, size: int) -> float:
        limits = self._limits
        return max(entries / limits.max_entries, tokens / limits.max_tokens, size / limits.max_bytes)

    def _shortened(self, entry: Entry) -> Entry:
        letters = min(self._limits.max_bytes, self._limits.max_tokens * 4) // _SHARE
        if len(entry.content.encode()) > letters:
            content = entry.content.encode()[:letters].decode(errors="ignore")
            entry = replace(entry, content=content, tokens=tokens_of(content), cut=True)
        if _size(dict(entry.meta)) > letters:
            entry = replace(entry, meta={}, cut=True)
        return entry


def _title(entry: Entry) -> str:
    return " ".join(entry.content.split())[:_TITLE]


def _changed(entry: Entry, by: Entry) -> Entry:
    if by.redacts is not None:
        return replace(entry, content="", meta={}, tokens=0, redacted_by=by.number, cut=False)
    labels = check_labels(entry.labels | by.labels)
    return replace(entry, content=by.content, tokens=by.tokens, labels=labels, corrected_by=by.number, cut=False)


def _size(value: dict[str, Any]) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
