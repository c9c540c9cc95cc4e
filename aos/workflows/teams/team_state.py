"""What a team remembers between turns; the transcript itself is in rows."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

LINE = "t:"
KEPT = "o:"
MOST_SHOWN = 4_000
"""Characters of a line that the window keeps; the row has all."""


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


class TeamState(BaseModel):
    """The state of a team.

    Attributes:
        team: Its definition as JSON.
        task, inputs: What it was asked.
        status, reason: Where it stands, and why it ended.
        memo: The play's memory.
        turns: Contributions asked for.
        lines: Length of the transcript.
        window: Its newest lines.
        open: Who was asked and has not answered: what he is asked for, by name.
        held: What is needed to answer whoever set the team to work.
        result: What came of it.
    """

    team: dict[str, Any] = Field(default_factory=dict)
    task: str = ""
    inputs: dict[str, Any] = Field(default_factory=dict)
    status: TeamStatus = TeamStatus.PENDING
    reason: str = ""
    memo: dict[str, Any] = Field(default_factory=dict)
    turns: int = 0
    lines: int = 0
    window: list[dict[str, Any]] = Field(default_factory=list)
    open: dict[str, str] = Field(default_factory=dict)
    cost_usd: float = 0.0
    tokens: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    held: dict[str, Any] | None = None
    result: dict[str, Any] | None = None


def line_key(number: int) -> str:
    """Row of a line, numbered from 1."""
    return f"{LINE}{number:08d}"
