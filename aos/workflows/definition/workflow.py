"""A workflow: steps that depend on each other, what they are given, and what comes of them."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.duration import PositiveDuration
from aos.workflows.definition.field_problems import field_problems
from aos.workflows.definition.step import Step

VERSION_LENGTH = 12
_SHAPE = ConfigDict(frozen=True, extra="forbid")

Mode = Literal["graph", "sequential", "parallel", "hierarchical", "collaborative"]
InputType = Literal["string", "number", "integer", "boolean", "object", "array", "any"]
WorkflowName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class Input(BaseModel):
    """One thing a workflow is given. It is required unless it has a default or says otherwise."""

    model_config = _SHAPE

    type: InputType = "any"
    description: str = ""
    required: bool | None = None
    default: Any = None

    @property
    def is_required(self) -> bool:
        return self.default is None if self.required is None else self.required


class Workflow(BaseModel):
    """What is done, in which order, and what comes of it.

    Attributes:
        name: A slug.
        outputs: By name, values with templates; those of the steps nobody needs, by id, where nothing is said.
        mode: `graph` goes by what steps need; the others set the order themselves.
        concurrency: Steps at work at a time.
        timeout: For a whole run.
        budget: US dollars a run may spend.
        on_failure: What becomes of completed steps once a run has failed.
        revision: A number of the author's own.
        metadata: Not looked at.
    """

    model_config = _SHAPE

    name: WorkflowName
    title: str = Field(default="", max_length=200)
    description: str = ""
    inputs: dict[str, Input] = {}
    steps: tuple[Step, ...] = Field(min_length=1, max_length=10_000)
    outputs: dict[str, Any] = {}
    mode: Mode = "graph"
    concurrency: int = Field(default=50, ge=1, le=1_000)
    timeout: PositiveDuration | None = None
    budget: float | None = Field(default=None, gt=0)
    on_failure: Literal["stop", "compensate"] = "stop"
    revision: int | None = Field(default=None, ge=0)
    metadata: dict[str, Any] = {}

    @field_validator("inputs", mode="before")
    @classmethod
    def _types(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: {"type": given} if isinstance(given, str) else given or {} for name, given in value.items()}

    def to_json(self) -> dict[str, Any]:
        """As it is stored and shown: what is as by default is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def canonical(self) -> bytes:
        """Its one writing as JSON: the same for the same workflow, however its file was written."""
        return json.dumps(self.to_json(), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hex."""
        return hashlib.sha256(self.canonical()).hexdigest()

    @property
    def version(self) -> str:
        """The first 12 characters of the digest."""
        return self.digest[:VERSION_LENGTH]

    def step(self, id: str) -> Step:
        """The step of this id. Raises KeyError."""
        return self.places[id][1]

    @cached_property
    def places(self) -> dict[str, tuple[int, Step]]:
        """Each step and its place in the list, by id."""
        return {step.id: (place, step) for place, step in enumerate(self.steps)}

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """A workflow from JSON. Raises `InvalidInput`, naming each field that is wrong."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = [
                {"field": ".".join(map(str, place)) or "workflow", "problem": problem}
                for place, problem in field_problems(error)
            ]
            named = "; ".join(f"{item['field']}: {item['problem']}" for item in problems[:5])
            raise InvalidInput(f"The workflow is not right: {named}.", details={"errors": problems}) from error
