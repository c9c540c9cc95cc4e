"""What agents are asked to do for a workflow or a team: a step, or a contribution to what others said."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

WORK = "work.do"
TEAM_CONTRIBUTE = "team.contribute"

_SHAPE = ConfigDict(frozen=True)


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
