"""What a team remembers between turns. What may be large is in rows: the order, outputs, the transcript, the result."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

ORDER = "order"
RESULT = "result"
LINE = "t:"
KEPT = "o:"
"""Rows: what it was set to work with, what came of it, lines of the transcript, outputs that are kept by name."""
MOST_TASK = 500
"""Characters of the task that the state keeps; the order has all."""


class TeamStatus(StrEnum):
    """Where a team stands. All but `pending` and `running` are final."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self not in (TeamStatus.PENDING, TeamStatus.RUNNING)


class Order(BaseModel):
    """What a team was set to work with: its definition as JSON, the task, and what it needs for it."""

    team: dict[str, Any]
    task: str
    inputs: dict[str, Any] = Field(default_factory=dict)


class TeamState(BaseModel):
    """The state of a team.

    Attributes:
        name, kind: Of its definition.
        task: What it was asked, its beginning.
        status, reason: Where it stands, and why it ended.
        memo: The play's memory.
        turns: Contributions asked for.
        lines: Length of the transcript.
        open: Who was asked and has not answered: the address, by name.
        held: What is needed to answer whoever set the team to work.
        stopped: Why it was cancelled, where that came before the order.
    """

    name: str = ""
    kind: str = ""
    task: str = ""
    status: TeamStatus = TeamStatus.PENDING
    reason: str = ""
    memo: dict[str, Any] = Field(default_factory=dict)
    turns: int = 0
    lines: int = 0
    open: dict[str, str] = Field(default_factory=dict)
    cost_usd: float = 0.0
    tokens: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    held: dict[str, Any] | None = None
    stopped: str | None = None


def line_key(number: int) -> str:
    """Row of a line, numbered from 1."""
    return f"{LINE}{number:08d}"
