"""One entry of a conversation, the summary of many, and the rows they are kept in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from aos.kernel.message import format_time, parse_time

Role = Literal["user", "assistant", "system", "tool"]
ROLES: frozenset[str] = frozenset(get_args(Role))

_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,128}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 10**16 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What was said once. Entries are never changed: a correction is another entry, which names the one it corrects.

    Attributes:
        number: Its place in the conversation, from 0.
        role: On whose side it was said, as models understand it.
        who: Who said it: an address, or the source of a message.
        content: The text; of an entry that was corrected the newest, of one that was redacted nothing.
        time: When (UTC).
        message_id: Of the message in whose turn it was said.
        labels: What is to be known of the content, such as `untrusted:web`.
        tokens: Estimated length.
        meta: The author's own.
        corrects, redacts: The entry it corrects or takes back.
        corrected_by, redacted_by: The entry that did so with this one.
        cut: Whether the window holds only the beginning; the history has all of it.
    """

    number: int
    role: Role
    who: str
    content: str
    time: datetime
    message_id: str
    labels: frozenset[str] = frozenset()
    tokens: int = 0
    meta: Mapping[str, Any] = field(default_factory=dict)
    corrects: int | None = None
    redacts: int | None = None
    corrected_by: int | None = None
    redacted_by: int | None = None
    cut: bool = False

    def to_json(self) -> dict[str, Any]:
        """The entry as JSON; what is not set is left out."""
        entry: dict[str, Any] = {
            "number": self.number,
            "role": self.role,
            "who": self.who,
            "content": self.content,
            "time": format_time(self.time),
            "message_id": self.message_id,
            "tokens": self.tokens,
        }
        if self.labels:
            entry["labels"] = sorted(self.labels)
        if self.meta:
            entry["meta"] = dict(self.meta)
        for name in ("corrects", "redacts", "corrected_by", "redacted_by"):
            if getattr(self, name) is not None:
                entry[name] = getattr(self, name)
        if self.cut:
            entry["cut"] = True
        return entry

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Entry:
        values = dict(entry)
        values["time"] = parse_time(values["time"])
        values["labels"] = frozenset(values.get("labels", ()))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Summary:
    """The running summary of all entries before `until`.

    Attributes:
        text: The summary.
        until: The first entry it does not cover.
        labels: Those of everything that went into it.
        by: `model`, or `extract` where sentences were taken as they are.
        time: When it was made (UTC).
    """

    text: str
    until: int
    labels: frozenset[str]
    by: str
    time: datetime

    def to_json(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "until": self.until,
            "labels": sorted(self.labels),
            "by": self.by,
            "time": format_time(self.time),
        }

    @classmethod
    def from_json(cls, summary: Mapping[str, Any]) -> Summary:
        return cls(
            summary["text"],
            summary["until"],
            frozenset(summary["labels"]),
            summary["by"],
            parse_time(summary["time"]),
        )


def tokens_of(text: str) -> int:
    """A rough count: four characters a token."""
    return len(text) // 4 + 1


def key_of(conversation: str) -> str:
    """What a conversation's rows are called: its id where that fits a key, else its digest."""
    if _PLAIN.fullmatch(conversation):
        return conversation
    return f"@{hashlib.sha256(conversation.encode()).hexdigest()[:40]}"


def entries_prefix(conversation: str) -> str:
    return f"c:{key_of(conversation)}:"


def entry_key(conversation: str, number: int) -> str:
    return f"{entries_prefix(conversation)}{number:010d}"


def changes_prefix(conversation: str) -> str:
    """Of the rows that tell which entries were corrected or redacted, and by which."""
    return f"d:{key_of(conversation)}:"


def change_key(conversation: str, number: int) -> str:
    return f"{changes_prefix(conversation)}{number:010d}"


def shelf_key(conversation: str) -> str:
    """Of the row that holds the window of a conversation that is not in the agent's state."""
    return f"w:{key_of(conversation)}"


LIST_PREFIX = "l:"


def list_key(conversation: str, created: datetime) -> str:
    """Of the row by which the conversation is listed, newest first."""
    return f"{LIST_PREFIX}{_LAST - _micros(created):016d}:{key_of(conversation)}"


AGE_PREFIX = "x:"


def age_key(conversation: str, oldest: datetime) -> str:
    """Of the row by which conversations are found whose oldest entry is due for deletion."""
    return f"{AGE_PREFIX}{_micros(oldest):016d}:{key_of(conversation)}"


def age_before(moment: datetime) -> str:
    """All age rows of entries older than `moment` sort before this."""
    return f"{AGE_PREFIX}{_micros(moment):016d}"


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
