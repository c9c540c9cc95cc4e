"""What the agent behind a run keeps in its head: bounded by how much is under way, not by how much was done."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer

from aos.workflows.messages import StartRun
from aos.workflows.status import RunStatus

CallKind = Literal["agent", "tool", "model", "workflow", "part", "team", "timer", "event", "human", "retry"]
WAITS = ("timer", "event", "human")


class Call(BaseModel):
    """Something a run waits for.

    Attributes:
        kind: What; `retry` is the pause before another attempt.
        serial: Tells it from all other calls of the run.
        to: Who was asked.
        slot: Number of the worker that does it.
        topic, where: Of the event it waits for.
        label: What is called: name of the agent, tool, model route, workflow or team.
        due: Its pause is over, but the run is paused.
    """

    kind: CallKind
    serial: int
    since: datetime
    attempt: int = 1
    to: str = ""
    slot: int | None = None
    topic: str | None = None
    where: str | None = None
    label: str = ""
    due: bool = False

    @property
    def is_wait(self) -> bool:
        return self.kind in WAITS

    @model_serializer(mode="wrap")
    def _short(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value not in (None, "", False)}


class Fan(BaseModel):
    """How far a map is.

    Attributes:
        serial: Tells it from an earlier attempt.
        size: Its items.
        written: How many of them are in rows; the first is started once all are.
        next: The item to start next.
    """

    serial: int
    since: datetime
    attempt: int = 1
    size: int = 0
    written: int = 0
    is_written: bool = False
    next: int = 0
    done: int = 0
    failed: int = 0
    cost: float = 0.0


class Rounds(BaseModel):
    """How far a loop is."""

    serial: int
    since: datetime
    attempt: int = 1
    round: int = 0
    cost: float = 0.0


class Stopping(BaseModel):
    """How a run is to end once nothing of it is under way any more, and all is undone that can be."""

    status: RunStatus
    error: dict[str, Any]


class Undoing(BaseModel):
    """How far compensation is: `next` is the number of the completion to undo next, and 0 is the end."""

    next: int
    undone: int = 0
    failed: int = 0


class RunState(BaseModel):
    """A run.

    Attributes:
        request: What started it; its inputs are in a row where they are long.
        held: How to answer whoever started it.
        resumes: The status before it was paused.
        marks: See `aos.workflows.run.marks`.
        calls: What it waits for, by key: `12` for step 12, `12.3` for item or round 3 of it, `u4` for undoing the
            fourth completion.
        completions: How many steps were completed that can be undone.
        unknown: How many of them may or may not have been completed.
        generation: How often it was begun anew from a step.
        going: A message to itself is under way to start more steps.
        topics: Topics of events, and whether it waits for one of them.
        labels: Of everything that has come in: whatever follows may be made of it.
        error: The first that failed it.
    """

    request: StartRun | None = None
    inputs_in_row: bool = False
    held: dict[str, Any] | None = None
    status: RunStatus = RunStatus.PENDING
    resumes: RunStatus | None = None
    marks: list[str] = []
    steps: int = 0
    settled: int = 0
    calls: dict[str, Call] = {}
    fans: dict[str, Fan] = {}
    rounds: dict[str, Rounds] = {}
    serial: int = 0
    completions: int = 0
    unknown: int = 0
    generation: int = 0
    going: bool = False
    topics: dict[str, bool] = {}
    labels: list[str] = []
    progress: float = 0.0
    cost_usd: float = 0.0
    tokens: int = 0
    error: dict[str, Any] | None = None
    stopping: Stopping | None = None
    undoing: Undoing | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
