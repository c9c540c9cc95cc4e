"""What a task agent remembers, and how a task and its parts stand."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from aos.workflows.status import StepStatus
from aos.workflows.tasks.task_request import TaskRequest

MAX_EVENTS = 200
MAX_PARTS = 200
RESULT = "result:"


class TaskStatus(StrEnum):
    """Where a task stands. The last three are final."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED)


class Execution(BaseModel):
    """How a task is carried out.

    Attributes:
        workflow: Name of the workflow.
        definition: Its digest.
        inputs: What its runs are given.
        plan: Why it is done so, where it was planned.
    """

    workflow: str
    definition: str
    inputs: dict[str, Any] = {}
    plan: dict[str, Any] | None = None


class Submission(BaseModel):
    """The first message of a task."""

    request: TaskRequest
    execution: Execution


class TaskEvent(BaseModel):
    """Something that happened in a task, for the people who watch it."""

    at: datetime
    text: str
    agent: str | None = None


class TaskPart(BaseModel):
    """A step of a task, as far as it is known here; what came of it is in a row.

    Attributes:
        quality: 0..1, where what came of it says so.
    """

    step: str
    title: str = ""
    agent: str | None = None
    status: StepStatus = StepStatus.RUNNING
    started_at: datetime
    finished_at: datetime | None = None
    summary: str | None = None
    quality: float | None = None
    error: dict[str, Any] | None = None
    cost_usd: float = 0.0


class TaskState(BaseModel):
    """The state of a task agent.

    Attributes:
        is_wanted: It was to begin: at once, or because somebody said so.
        is_queued: It has asked for a place in the lane of tasks, and not given it back.
        is_paused: People hold it still.
        is_suspended: The lane holds it still, for more urgent work.
        run: Address of the run that does it, and `runs` how many there were.
        parts: Its steps by id, the newest `MAX_PARTS`.
        events: What happened, the newest `MAX_EVENTS`.
    """

    request: TaskRequest | None = None
    execution: Execution | None = None
    status: TaskStatus = TaskStatus.PENDING
    is_wanted: bool = False
    is_queued: bool = False
    is_paused: bool = False
    is_suspended: bool = False
    run: str | None = None
    runs: int = 0
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: float = 0.0
    parts: dict[str, TaskPart] = Field(default_factory=dict)
    events: list[TaskEvent] = Field(default_factory=list)
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    cost_usd: float = 0.0
    tokens: int = 0

    def note(self, at: datetime, text: str, agent: str | None = None) -> None:
        """Add to the events; the oldest beyond `MAX_EVENTS` are dropped (the journal keeps all)."""
        self.events.append(TaskEvent(at=at, text=text, agent=agent))
        del self.events[:-MAX_EVENTS]

    def part(self, step: str, at: datetime) -> TaskPart:
        """The part of a step, a new one where it is not known; the oldest finished ones make room."""
        if step not in self.parts:
            while len(self.parts) >= MAX_PARTS:
                finished = (name for name, part in self.parts.items() if part.finished_at is not None)
                del self.parts[next(finished, next(iter(self.parts)))]
            self.parts[step] = TaskPart(step=step, started_at=at)
        return self.parts[step]
