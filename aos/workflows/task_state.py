"""What a task agent remembers, and what the API shows of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MAX_EVENTS = 200


class TaskStatus(StrEnum):
    """Where a task stands. The last three are final."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED)


class TaskRequest(BaseModel):
    """What a business app asks for.

    Attributes:
        task_type: A registered kind of task.
        title: One line.
        description: What is wanted, for people.
        target: What it is about; agents remember by it.
        parameters: What this kind of task takes.
        priority: 1 to 10.
        owner: Who asked.
        deadline: When it has to be done.
    """

    model_config = ConfigDict(extra="forbid")

    task_type: str = Field(min_length=1, max_length=100)
    title: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=10_000)
    target: str = Field(min_length=1, max_length=1_000)
    parameters: dict[str, Any] = Field(default_factory=dict)
    priority: int = Field(default=5, ge=1, le=10)
    owner: str = Field(default="anonymous", max_length=200)
    deadline: datetime | None = None


class TaskEvent(BaseModel):
    """Something that happened in a task, for the people who watch it."""

    at: datetime
    text: str
    agent: str | None = None


class Participant(BaseModel):
    """An agent's part in a task."""

    agent: str
    status: TaskStatus = TaskStatus.RUNNING
    started_at: datetime
    finished_at: datetime | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class TaskState(BaseModel):
    """The state of a task agent."""

    request: TaskRequest | None = None
    status: TaskStatus = TaskStatus.PENDING
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: float = 0.0
    participants: dict[str, Participant] = Field(default_factory=dict)
    events: list[TaskEvent] = Field(default_factory=list)
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None

    def note(self, at: datetime, text: str, agent: str | None = None) -> None:
        """Add to the events; the oldest beyond `MAX_EVENTS` are dropped (the journal keeps all)."""
        self.events.append(TaskEvent(at=at, text=text, agent=agent))
        del self.events[:-MAX_EVENTS]
