"""What runs, steps, teams and people say to each other: the types of the messages, and what they hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

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
WORK = "work.do"
WORKER_RUN = "worker.run"
HUMAN_ASK = "human.ask"
TEAM_START = "team.start"
TEAM_CONTRIBUTE = "team.contribute"

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


class Work(BaseModel):
    """One step, as the agent gets it that does it. Its reply's data is the step's output; an `aos.error` fails it.

    Attributes:
        task_id: The task it is done for; the run's id where it is for none.
        target: What it is done on: the run's input `target`, where there is one.
        parameters: The step's `with`.
        inputs: The run's.
        results: Outputs of the steps it needs, by id.
        idempotency_key: The same on each attempt that must have one effect together.
    """

    model_config = _SHAPE

    task_id: str
    run_id: str
    step: str
    title: str = ""
    target: str = ""
    parameters: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    results: dict[str, Any] = {}
    idempotency_key: str = ""


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


class ContributionRequest(BaseModel):
    """What a team's member is asked: whom it speaks as, and what was said before.

    Attributes:
        task: What is asked now.
        transcript: The newest lines: `who`, `content`.
        context: Outputs that come with the question, by name.
        speak_as: The member's name.
        expects: What of the contribution counts: `text`, a `vote` for one of `options`, `scores` of `options`, or
            the name of the next `speaker` in `handoff_to`.
        options: What may be voted for or is to be scored, or who else is there.
    """

    model_config = _SHAPE

    team: str
    role: str
    goal: str = ""
    instructions: str = ""
    task: str = ""
    transcript: list[dict[str, Any]] = []
    context: dict[str, Any] = {}
    speak_as: str = ""
    expects: Literal["text", "vote", "scores", "speaker"] = "text"
    options: list[str] = []


class Contribution(BaseModel):
    """What a team's member says.

    Attributes:
        content: In words.
        data: The same as JSON, where it is more than words.
        done: The team need not go on.
        handoff_to: Who speaks next.
        vote: One of the options it was given.
        scores: 0..1, by what was to be scored.
        confidence: How sure it is.
        cost_usd, tokens: What it cost, as far as the member knows.
    """

    model_config = _SHAPE

    content: str
    data: Any = None
    done: bool = False
    handoff_to: str | None = None
    vote: Any = None
    scores: dict[str, float] = {}
    confidence: float | None = Field(default=None, ge=0, le=1)
    cost_usd: float = Field(default=0.0, ge=0)
    tokens: int = Field(default=0, ge=0)
