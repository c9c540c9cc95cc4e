"""Decides how a task is carried out: by the workflow of its type, or by one composed of the agents that fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aos.kernel.errors import InvalidInput, NotFound
from aos.mcp.servers import McpServers
from aos.workflows.definition.inputs import checked_inputs
from aos.workflows.definition.workflow import Workflow
from aos.workflows.definition.workflow_store import WorkflowStore
from aos.workflows.planning.candidates import Candidates
from aos.workflows.planning.composing import compose
from aos.workflows.planning.execution import ExecutionPlan, plan
from aos.workflows.planning.selection import ScoringSelector, Selector, Wanted
from aos.workflows.tasks.task_request import TaskRequest
from aos.workflows.tasks.task_state import Execution

PLANNED = "planned"
"""Name of the workflows that are composed for tasks."""


class ExecutionChoice:
    """Chooses workflows for tasks.

    Args:
        candidates: The agents there are.
        store: The workflows there are; keeps those that are composed.
        servers: The MCP servers there are.
        selector: Chooses agents.
    """

    def __init__(
        self,
        candidates: Candidates,
        store: WorkflowStore,
        servers: Callable[[], McpServers],
        selector: Selector | None = None,
    ) -> None:
        self._candidates = candidates
        self._store = store
        self._servers = servers
        self._selector = selector or ScoringSelector()

    async def decide(self, request: TaskRequest) -> Execution:
        """How a task is carried out.

        Raises:
            NotFound: there is no such workflow, and nobody does this type of task.
            InvalidInput: no agent fits, or the workflow cannot be given the task's parameters.
        """
        workflow, planned = await self._workflow(request)
        inputs = _inputs(workflow, request)
        return Execution(
            workflow=workflow.name,
            definition=workflow.digest,
            inputs=inputs,
            plan=None if planned is None else planned.to_json(),
        )

    async def _workflow(self, request: TaskRequest) -> tuple[Workflow, ExecutionPlan | None]:
        if request.workflow is not None:
            return await self._store.find(request.workflow), None
        stated = request.agents is not None or request.required_capabilities or request.domain
        if not stated:
            try:
                return await self._store.find(request.task_type), None
            except (NotFound, InvalidInput):
                pass  # the type may be something that agents can do
        planned = await self._planned(request, known_type=not stated)
        workflow = compose(planned, name=PLANNED)
        await self._store.put(workflow)
        return workflow, planned

    async def _planned(self, request: TaskRequest, *, known_type: bool) -> ExecutionPlan:
        is_done = request.task_type in self._candidates.capabilities
        if known_type and not is_done:
            raise await self._unknown(request.task_type)
        capabilities = {*request.required_capabilities, *([request.task_type] if is_done else [])}
        servers = [server.config.name for server in self._servers()]
        wanted = Wanted(request.text, request.domain, frozenset(capabilities))
        candidates = await self._candidates.all()
        return plan(wanted, candidates, servers=servers, overrides=request.overrides, selector=self._selector)

    async def _unknown(self, task_type: str) -> NotFound:
        stored, _ = await self._store.names(limit=100)
        names = {*self._store.packaged, *(str(row["name"]) for row in stored if row["name"] != PLANNED)}
        known = ", ".join(sorted({*names, *self._candidates.capabilities})) or "none"
        return NotFound(
            f"There is no task type {task_type!r}: neither a workflow of this name nor an agent that can do it. There "
            f"are: {known}.",
            code="unknown_task_type",
        )


def _inputs(workflow: Workflow, request: TaskRequest) -> dict[str, Any]:
    """What the task says, under the names that the workflow knows.

    Raises:
        InvalidInput: the parameters are not what the workflow takes.
    """
    task = request.text if not request.description else request.description
    said = {
        "target": request.target,
        "task": task,
        "title": request.title,
        "description": request.description,
        "task_type": request.task_type,
        "parameters": request.parameters,
    }
    if not workflow.inputs:
        return {**said, **request.parameters}
    named = {name: value for name, value in said.items() if name in workflow.inputs}
    parameters = {} if "parameters" in workflow.inputs else request.parameters
    return checked_inputs(workflow, {**named, **parameters})
