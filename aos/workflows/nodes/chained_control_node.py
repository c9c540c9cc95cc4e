"""Does several tasks one after the other, each with the result of the one before."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from aos.tools.node import NodeResult, NodeTask
from aos.workflows.nodes.control_node import ControlNode

PIPELINE = "pipeline"
PIPELINE_NO_RESULT = "PIPELINE_NO_RESULT"
INVALID_PIPELINE = "INVALID_PIPELINE"
EMPTY = "Pipeline is empty, no operations performed."
_HANDED_ON = ("max_tokens", "role")
"""Facts in a step's metadata that its node gets in the payload."""


class PipelineStep(BaseModel):
    """One task of a pipeline."""

    model_config = ConfigDict(extra="forbid")

    type: str
    payload: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] | None = None


_STEPS: TypeAdapter[list[PipelineStep]] = TypeAdapter(list[PipelineStep])


class ChainedControlNode(ControlNode):
    """A router that takes pipelines, too: tasks of type `pipeline`, with `steps` in the payload.

    Each step's `payload` gets the result of the one before as `input`. The first failure is the result of the whole.
    """

    async def handle(self, task: NodeTask) -> NodeResult:
        if task.task_type != PIPELINE:
            return await super().handle(task)
        try:
            steps = _STEPS.validate_python(task.payload.get("steps", []))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            return NodeResult(success=False, result=f"steps.{where}: {first['msg']}", error=INVALID_PIPELINE)
        if not steps:
            return NodeResult(success=True, result=EMPTY)
        return await self._run(steps)

    async def _run(self, steps: list[PipelineStep]) -> NodeResult:
        result: NodeResult | None = None
        for step in steps:
            payload = {**step.payload, **{k: v for k, v in (step.metadata or {}).items() if k in _HANDED_ON}}
            if result is not None:
                payload["input"] = result.result
            result = await super().handle(NodeTask(task_type=step.type, payload=payload, metadata=step.metadata))
            if not result.success:
                return result
            if result.result in ("", {}):
                return NodeResult(
                    success=False, result=f"Step {step.type!r} brought no result.", error=PIPELINE_NO_RESULT
                )
        assert result is not None  # noqa: S101  # there was at least one step
        return result
