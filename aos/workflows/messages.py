"""What runs, steps, teams and people say to each other: the types of the messages, and what they hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aos.workflows.status import RunStatus, StepStatus

START = "workflow.start"
CANCEL = "workflow.cancel"
PAUSE = "workflow.pause"
RESUME = "workflow.resume"
RERUN = "workflow.rerun"
EVENT = "workflow.event"
RESPOND = "workflow.respond"
PROGRESS = "workflow.progress"
WORKER_RUN = "worker.run"
HUMAN_ASK = "human.ask"
TEAM_START = "team.start"

RUN_TYPE = "workflow"
"""Agent type of a run: `workflow:<run id>`."""
WORKER_TYPE = "workflow-worker"
"""Agent type of what does a run's calls beside it: `workflow-worker:<run id>.<k>`."""
REQUEST_TYPE = "request"
"""Agent type of a request to people: `request:<id>`."""
TEAM_TYPE = "team"
"""Agent type of a team at work: `team:<id>`."""

_SHAPE = ConfigDict(frozen=True)


class Parent(BaseModel):
    """Who wants to hear of a run's progress, and what it calls it."""

    model_config = _SHAPE

    address: str
    note: str = ""


class StartRun(BaseModel):
    """Starts a run; answered with `RunEnded` at its end where a reply is expected.

    Attributes:
        definition: Full digest of the definition.
        name: The workflow's name.
        priority: 1 (least) to 10 (most); its steps' messages carry it.
        budget: US dollars the run may spend.
        parent: Gets `Progress`.
        options: Of the run engine.
    """

    model_config = _SHAPE

    definition: str
    name: str
    inputs: dict[str, Any] = {}
    owner: str | None = None
    priority: int = Field(default=5, ge=1, le=10)
    deadline: datetime | None = None
    budget: float | None = Field(default=None, gt=0)
    parent: Parent | None = None
    labels: list[str] = []
    options: dict[str, Any] = {}


class RunEnded(BaseModel):
    """How a run ended. `error` is an `AosError` as JSON."""

    model_config = _SHAPE

    run_id: str
    status: RunStatus
    output: Any = None
    error: dict[str, Any] | None = None
    cost_usd: float = 0.0
    tokens: int = 0
    duration_seconds: float = 0.0


class CancelRun(BaseModel):
    model_config = _SHAPE

    reason: str = "cancelled on request"


class RerunRun(BaseModel):
    """Does a run again from a step on: that one, and all that depend on it."""

    model_config = _SHAPE

    from_step: str


class RunEvent(BaseModel):
    """Something happened that a run may wait for."""

    model_config = _SHAPE

    topic: str
    data: Any = None


class Respond(BaseModel):
    """An answer to a step that waits for one."""

    model_config = _SHAPE

    step: str
    value: Any = None


class Progress(BaseModel):
    """How far a run is. `progress` (0..1) never falls; `result` and `error` are the step's."""

    model_config = _SHAPE

    run_id: str
    step: str
    status: StepStatus
    title: str = ""
    agent: str | None = None
    progress: float = Field(ge=0, le=1)
    result: Any = None
    error: dict[str, Any] | None = None
    cost: float = 0.0


class TeamStart(BaseModel):
    """Sets a team to work; either its definition or its name says which."""

    model_config = _SHAPE

    definition: dict[str, Any] | None = None
    name: str | None = None
    task: str
    inputs: dict[str, Any] = {}
    limits: dict[str, Any] = {}


class TeamResult(BaseModel):
    """What a team came to. `messages` are the last of the transcript; `reason` says why it ended."""

    model_config = _SHAPE

    success: bool
    approved: bool = False
    output: Any = None
    transcript_length: int = 0
    messages: list[dict[str, Any]] = []
    agent_count: int = 0
    iterations: int = 0
    reason: str = ""
    conversation_id: str = ""
    cost_usd: float = 0.0
    scores: dict[str, Any] = {}
