"""How long things may take, by kind, in seconds."""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["http", "database", "cache", "external_api", "file", "agent", "task", "general"]

TIMEOUTS: Final[dict[Kind, float]] = {
    "http": 30.0,
    "database": 10.0,
    "cache": 5.0,
    "external_api": 60.0,
    "file": 30.0,
    "agent": 300.0,
    "task": 600.0,
    "general": 30.0,
}
SHORTEST, LONGEST_SETTING = 0.1, 300.0


def bounded(seconds: float) -> float:
    """A configured timeout brought into 0.1 to 300 seconds."""
    return min(max(seconds, SHORTEST), LONGEST_SETTING)
