"""How hard a request is, judged by its words: a rule that anybody can follow, and overrule."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

COMPLEX_WORDS = (
    "report",
    "analysis",
    "comprehensive",
    "detailed",
    "integrate",
    "workflow",
    "process",
    "multiple",
    "collaborate",
    "coordinate",
)
"""Each that a request holds counts once."""
OUTSIDE_WORDS = ("data", "integrate", "sync", "api")
"""Any of these means that systems outside have to be reached, over MCP."""


class Level(StrEnum):
    SIMPLE = "simple"
    MODERATE = "moderate"
    COMPLEX = "complex"


_ESTIMATES = {Level.SIMPLE: 30, Level.MODERATE: 60, Level.COMPLEX: 120}


@dataclass(frozen=True, slots=True)
class Complexity:
    """What the words of a request say about it.

    Attributes:
        level: How hard it is.
        words: The words that say so.
        outside: The words that call for systems outside.
        estimated: How long it may take.
        multi_agent: Whether several agents should work on it.
        mcp: Whether tools of MCP servers are needed.
    """

    level: Level
    words: tuple[str, ...]
    outside: tuple[str, ...]
    estimated: timedelta
    multi_agent: bool
    mcp: bool

    def to_json(self) -> dict[str, object]:
        return {
            "level": self.level.value,
            "words": list(self.words),
            "outside_words": list(self.outside),
            "estimated_seconds": int(self.estimated.total_seconds()),
            "requires_multi_agent": self.multi_agent,
            "requires_mcp": self.mcp,
        }


def judge(text: str) -> Complexity:
    """Judge a request by its words, whatever their case; a longer word does not count for the one in it."""
    found = set(re.findall(r"[a-z]+", text.lower()))
    words = tuple(word for word in COMPLEX_WORDS if word in found)
    outside = tuple(word for word in OUTSIDE_WORDS if word in found)
    level = Level.SIMPLE if not words else Level.MODERATE if len(words) <= 2 else Level.COMPLEX
    return Complexity(
        level=level,
        words=words,
        outside=outside,
        estimated=timedelta(seconds=_ESTIMATES[level]),
        multi_agent=len(words) >= 2,
        mcp=bool(outside),
    )
