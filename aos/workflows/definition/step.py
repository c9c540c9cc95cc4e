"""One step of a workflow: who or what does it, with what, after which others, and what happens where it fails."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from aos.agents.work import WORK
from aos.workflows.definition.duration import PositiveDuration
from aos.workflows.definition.retry import Retry
from aos.workflows.definition.wait import Wait

KINDS = ("agent", "tool", "model", "workflow", "team", "wait", "map", "loop")
"""What a step can be; the fields of these names say which one it is."""
_SEED_NAMES = {"depends_on": "needs", "agent_id": "agent", "task": "with", "retry_config": "retry"}
_SHAPE = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

StepId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
Name = Annotated[str, Field(min_length=1, max_length=400)]


class Compensation(BaseModel):
    """How what a step did is undone. Its templates may use the step's own output."""

    model_config = _SHAPE

    agent: Name | None = None
    tool: Name | None = None
    message: str = WORK
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.agent is None) == (self.tool is None):
            raise ValueError("a compensation needs exactly one of `agent` and `tool`")
        return self


class Action(BaseModel):
    """What is done, apart from its place in a workflow. Exactly one of the fields up to `loop` is given.

    Attributes:
        agent: Address of the agent that does it; templates are filled in.
        message: Type of the message the agent gets. With `work.do` it gets a `Work`, with any other type `with`.
        tool: Name of a tool, called with `with`.
        model: A prompt; `system`, `response_schema` and `route` go with it.
        workflow: Name of another workflow, or `name@version`; `with` is its inputs.
        team: Name of a team or its definition; `with` has its `task` and `inputs`.
        wait, map, loop: As in `Wait`, `Map` and `Loop`.
        with_: `with` in a file: its parameters; templates are filled in.
        retry: Once, where nothing is said.
        timeout: For one attempt.
    """

    model_config = _SHAPE

    agent: Name | None = None
    message: str = Field(default=WORK, min_length=1, max_length=200)
    tool: Name | None = None
    model: str | None = Field(default=None, min_length=1)
    system: str | None = None
    response_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    route: str | None = None
    workflow: Name | None = None
    team: str | dict[str, Any] | None = None
    wait: Wait | None = None
    map: Map | None = None
    loop: Loop | None = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    retry: Retry = Retry()
    timeout: PositiveDuration | None = None
    title: str = Field(default="", max_length=200)
    permissions: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _seed_names(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        for theirs, ours in _SEED_NAMES.items():
            if theirs in value and ours in value:
                raise ValueError(f"`{theirs}` and `{ours}` are one field; give one of them")
        named = {_SEED_NAMES.get(name, name): given for name, given in value.items()}
        if isinstance(named.get("with"), str):
            named["with"] = {"task": named["with"]}
        return named

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = " and ".join(f"`{kind}`" for kind in given) or "none"
            raise ValueError(f"a step needs exactly one of {', '.join(f'`{kind}`' for kind in KINDS)}; it has {found}")
        if self.model is None and (self.system or self.response_schema or self.route):
            raise ValueError("`system`, `schema` and `route` go with `model` only")
        return self

    @property
    def kind(self) -> str:
        """Which of `KINDS` it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


class Map(BaseModel):
    """Does one thing for each item of a list.

    Attributes:
        over: An expression that gives a list, a list, or `Lines` in an artifact.
        item: `as` in a file: what an item is called in expressions; `index` counts from 0.
        step: What is done for each.
        concurrency: How many at a time.
        on_item_failure: `fail` ends the step with the first failure; `skip` leaves failed items out of the output;
            `collect` has `{"error": ...}` in their place.
        tolerate: Share of items (0..1) that may fail under `skip` and `collect`; beyond it the step fails.
    """

    model_config = _SHAPE

    over: str | list[Any] | Lines
    item: str = Field(default="item", alias="as", pattern=r"^[a-z][a-z0-9_]{0,62}$")
    step: Action
    concurrency: int = Field(default=10, ge=1, le=1_000)
    on_item_failure: Literal["fail", "skip", "collect"] = "fail"
    tolerate: float = Field(default=1.0, ge=0, le=1)


class Lines(BaseModel):
    """An artifact with an item on each line, in JSON; templates are filled in its id."""

    model_config = _SHAPE

    artifact: Name


class Loop(BaseModel):
    """Does one or more steps again and again: first, then as long as `while` holds and `until` does not.

    In its expressions `index` counts the rounds from 0, and `last` is what the round before came to: its output, that
    of the last step. `until` is looked at after a round, when `last` is that round's; `while` before each.

    Attributes:
        step: One thing to do in a round.
        steps: Several, one after another; each may use the outputs of those before it in the same round.
        most: Rounds at most; the loop is completed then, with the output of the last round.
    """

    model_config = _SHAPE

    step: Action | None = None
    steps: tuple[Step, ...] = ()
    until: str | None = None
    while_: str | None = Field(default=None, alias="while")
    most: int = Field(default=10, ge=1, le=10_000)

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if (self.step is None) == (not self.steps):
            raise ValueError("a loop needs exactly one of `step` and `steps`")
        return self


class Step(Action):
    """An action and its place in a workflow.

    Attributes:
        needs: Steps that must be done before; those whose output its expressions use are added.
        when: An expression; the step is skipped where it is not true.
        compensate: How it is undone.
        optional: Its failure does not fail the run, nor the steps that need it.
        priority: 1 (least) to 10 (most); that of the run where nothing is said.
    """

    id: StepId
    needs: tuple[str, ...] = ()
    when: str | bool | None = None
    compensate: Compensation | None = None
    optional: bool = False
    priority: int | None = Field(default=None, ge=1, le=10)

    @field_validator("needs", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


Action.model_rebuild()
Map.model_rebuild()
Loop.model_rebuild()
Step.model_rebuild()
