"""What a turn has decided but not done: buffered effects, message by message, so that one can be taken back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aos.kernel.outgoing import Outgoing
from aos.kernel.rows import RowChange


@dataclass(slots=True)
class Effects:
    """Everything the handling of one message wants to happen at the commit."""

    outgoing: list[Outgoing] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    dead: list[dict[str, Any]] = field(default_factory=list)
    usage: dict[str, float] = field(default_factory=dict)
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    reminders: dict[str, str | None] = field(default_factory=dict)
    resumed: set[str] = field(default_factory=set)
    rows: dict[str, RowChange] = field(default_factory=dict)

    def absorb(self, other: Effects) -> None:
        """Add what a further message decided."""
        self.outgoing += other.outgoing
        self.decisions += other.decisions
        self.facts += other.facts
        self.dead += other.dead
        self.asked |= other.asked
        self.reminders |= other.reminders
        self.resumed |= other.resumed
        self.rows |= other.rows
        for name, amount in other.usage.items():
            self.usage[name] = self.usage.get(name, 0) + amount
