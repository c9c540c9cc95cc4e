"""Tools behind the node contract: a task names a tool and its input, the result holds what it brought.

There is no turn here, so nothing is journaled: only tools whose calls may be repeated are taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aos.kernel.errors import AosError, NotAllowedNow, NotFound
from aos.tools.attempt import Attempt
from aos.tools.declaration import Tool
from aos.tools.errors import ToolNotPermitted, ToolTimedOut
from aos.tools.node import NodeResult, NodeTask
from aos.tools.registry import ToolRegistry

TASK_TYPE = "tool"


class ToolTask(BaseModel):
    """One call.

    Attributes:
        tool: Name of the tool.
        input: Its arguments.
        context: What the caller knows; not given to the tool.
        timeout_seconds: How long it may take in all, where that differs from the node's.
    """

    model_config = ConfigDict(extra="forbid")

    tool: str
    input: dict[str, Any] = Field(default_factory=dict)
    context: dict[str, Any] = Field(default_factory=dict)
    timeout_seconds: float | None = Field(default=None, gt=0)


class ToolResult(BaseModel):
    """What came of a call. `error_type` is the stable code of the error, `execution_time` in seconds."""

    success: bool
    result: Any = None
    error: str | None = None
    error_type: str | None = None
    execution_time: float | None = None


class ToolNode:
    """Calls registered tools.

    Args:
        registry: The tools.
        timeout: Seconds a call may take in all, unless its task says otherwise.
        permissions: What whoever uses the node is allowed to; a tool that requires more is not called.
    """

    def __init__(
        self, registry: ToolRegistry | None = None, *, timeout: float = 2.0, permissions: Collection[str] = ()
    ) -> None:
        self.registry = registry or ToolRegistry()
        self._timeout = timeout
        self._permissions = frozenset(permissions)

    def register_tool(self, tool: Tool) -> None:
        """Add a tool. Raises `AlreadyExists` where its name is taken."""
        self.registry.register(tool)

    async def initialize(self) -> None:
        """Nothing needs preparing."""

    async def handle(self, task: NodeTask) -> NodeResult:
        """Do a task whose payload is a `ToolTask`."""
        if task.task_type != TASK_TYPE:
            error = f"Task type {task.task_type!r} is not {TASK_TYPE!r}."
            return NodeResult(success=False, result={}, source="tools", error=error)
        try:
            wanted = ToolTask.model_validate(task.payload)
        except ValueError as error:
            return NodeResult(success=False, result={}, source="tools", error=f"The payload is no tool task: {error}")
        came = await self.execute(wanted)
        return NodeResult(
            success=came.success,
            result=came.model_dump(mode="json"),
            latency=came.execution_time,
            source=wanted.tool,
            error=came.error,
            metadata=task.metadata,
        )

    async def execute(self, task: ToolTask) -> ToolResult:
        """Call a tool; a failure is a result."""
        clock = self.registry.bench.clock
        started = clock.monotonic()
        try:
            tool = self.registry.get(task.tool)
            if tool.effect not in ("read", "idempotent"):
                raise NotAllowedNow(
                    f"Tool {tool.name!r} is {tool.effect}: call it in a turn, where calls are journaled."
                )
            missing = tool.missing(self._permissions)
            if missing:
                raise ToolNotPermitted(f"Tool {tool.name!r} requires {', '.join(missing)}, which this node lacks.")
            result = await self._run(tool, task)
        except NotFound as error:
            return ToolResult(success=False, error=f"Tool {task.tool!r} not found", error_type=error.code)
        except AosError as error:
            took = clock.monotonic() - started
            return ToolResult(success=False, error=error.message, error_type=error.code, execution_time=took)
        return ToolResult(success=True, result=result, execution_time=clock.monotonic() - started)

    def get_stats(self) -> dict[str, Any]:
        """Counters of each tool."""
        return {"tools": {tool.name: self.registry.statistics(tool.name).to_json() for tool in self.registry}}

    async def _run(self, tool: Tool, task: ToolTask) -> Any:
        bench, seconds = self.registry.bench, task.timeout_seconds or self._timeout
        ends = bench.clock.monotonic() + seconds
        arguments: Mapping[str, Any] = task.input
        attempt = Attempt(
            bench,
            tool,
            tool.read(arguments),
            "",
            bench.ids.new(),
            lambda: ends - bench.clock.monotonic() + bench.margin,
            self.registry.statistics(tool.name),
        )
        try:
            async with asyncio.timeout(seconds):
                return await attempt.run()
        except TimeoutError as error:
            raise ToolTimedOut(f"Tool {tool.name!r} did not finish within {seconds:g} seconds.") from error
