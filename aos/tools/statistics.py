"""How each tool has done in this process: a few numbers a tool, kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class ToolStatistics:
    """Counters of one tool.

    Attributes:
        calls: Tries in all; a result that a step remembered is none.
        successes, failures, timeouts: How they ended. A timeout is a failure too.
        seconds: What they took together; `slowest` is the longest.
    """

    calls: int = 0
    successes: int = 0
    failures: int = 0
    timeouts: int = 0
    seconds: float = 0.0
    slowest: float = 0.0

    def count(self, seconds: float, *, succeeded: bool, timed_out: bool = False) -> None:
        self.calls += 1
        self.successes += succeeded
        self.failures += not succeeded
        self.timeouts += timed_out
        self.seconds += seconds
        self.slowest = max(self.slowest, seconds)

    def to_json(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "successes": self.successes,
            "failures": self.failures,
            "timeouts": self.timeouts,
            "success_rate": self.successes / self.calls if self.calls else None,
            "avg_duration_seconds": self.seconds / self.calls if self.calls else None,
            "max_duration_seconds": self.slowest,
        }
