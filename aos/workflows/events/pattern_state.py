"""What a pattern remembers at hand: numbers only. Its partial matches are in rows."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel


class PatternState(BaseModel):
    """The state of a pattern.

    Attributes:
        seen: Events that met one of its conditions.
        kept: Of these the ones that may still become part of a match.
        matches: How often it matched.
        dropped: Events that were given up because too many were kept.
        debounced: Events that came right after a match, and count as part of it.
        unreadable: Events whose data a condition or the key could not be told of.
        next_expiry: When partial matches are looked through next.
    """

    seen: int = 0
    kept: int = 0
    matches: int = 0
    dropped: int = 0
    debounced: int = 0
    unreadable: int = 0
    next_expiry: datetime | None = None
