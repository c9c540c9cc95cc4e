"""The node contract: one piece of work in, one result out. The shape of calls between parts, in process or on a bus."""

from __future__ import annotations

import copy
from typing import Annotated, Any, Protocol, TypeAlias, runtime_checkable

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator

Metadata: TypeAlias = Annotated[
    dict[str, Any],
    BeforeValidator(lambda value: {} if value is None else copy.deepcopy(value)),
    WithJsonSchema({"anyOf": [{"type": "object", "additionalProperties": True}, {"type": "null"}], "default": None}),
]
"""Facts about a result. It may be given as None, and is a dict all the same."""


class NodeTask(BaseModel):
    """A piece of work. What it is made from is copied: neither side sees the other's later changes."""

    model_config = ConfigDict(extra="forbid")

    task_type: str
    payload: dict[str, Any]
    metadata: dict[str, Any] | None = None

    @field_validator("payload", "metadata", mode="after")
    @classmethod
    def _own_copy(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        return copy.deepcopy(value)


class NodeResult(BaseModel):
    """What came of a task.

    Attributes:
        success: Whether the work was done.
        result: What it brought; text or an object.
        latency: Seconds, if measured.
        source: Who did it.
        error: What went wrong, for a person; None on success.
        metadata: Always a dict, so that `result.metadata.get(key)` is None for what is not there.
    """

    model_config = ConfigDict(extra="forbid")

    success: bool
    result: dict[str, Any] | str
    latency: float | None = None
    source: str | None = None
    error: str | None = None
    metadata: Metadata = Field(default_factory=dict)

    @field_validator("result", mode="after")
    @classmethod
    def _own_copy(cls, value: dict[str, Any] | str) -> dict[str, Any] | str:
        return copy.deepcopy(value)


@runtime_checkable
class Node(Protocol):
    """Anything that handles tasks."""

    async def initialize(self) -> None:
        """Prepare for work. Called once, before the first task."""

    async def handle(self, task: NodeTask) -> NodeResult:
        """Do the work. A failure of the work is a result; the task is left as it is."""

    def get_stats(self) -> dict[str, Any]:
        """Counters since the node was made, JSON-serialisable."""


def node_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schemas of the contract, by name, for what travels on a bus."""
    return {model.__name__: model.model_json_schema() for model in (NodeTask, NodeResult)}
