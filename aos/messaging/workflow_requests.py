"""What business apps ask of workflows over the bus: run one, or a kind of task; say how it is; stop it."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from aos.kernel.errors import AosError, InfrastructureError, NotFound
from aos.messaging import contract
from aos.messaging.app_agent import PRIORITIES
from aos.messaging.contract import AOSMessage, MessageType
from aos.workflows.run_orders import RunOrder, RunOrders
from aos.workflows.status import RunStatus
from aos.workflows.tasks.tasks import Tasks
from aos.workflows.workflows import Workflows

Reply = tuple[str, dict[str, Any]]


class WorkflowRequests:
    """Answers `aos.workflow.*`.

    A name with the fields of a task means a task of this kind, else a run of the workflow; an id means the task, else
    the run.
    """

    def __init__(self, tasks: Tasks, workflows: Workflows, orders: RunOrders) -> None:
        self._tasks = tasks
        self._workflows = workflows
        self._orders = orders

    async def execute(self, request: AOSMessage) -> Reply:
        """Start; a request that cannot be carried out is answered with a failed result."""
        execute = contract.WorkflowExecute.model_validate(request.payload)
        try:
            started = await self._start(request, execute)
        except InfrastructureError:
            raise
        except (AosError, ValidationError) as error:
            text = error.message if isinstance(error, AosError) else contract.first_problem(error)
            failed = contract.WorkflowResult(workflow_id=execute.workflow_id, status="failed", error=text)
            return MessageType.WORKFLOW_RESULT, failed.model_dump(mode="json")
        return MessageType.WORKFLOW_STATUS, {"workflow_id": started, "status": "pending"}

    async def status(self, request: AOSMessage) -> Reply:
        """How it is, and what came of it once it has ended. Raises `NotFound`."""
        asked = contract.WorkflowReference.model_validate(request.payload)
        try:
            task = await self._tasks.detail(asked.workflow_id)
        except NotFound:
            result = await self._result_of_run(asked.workflow_id)
        else:
            result = contract.WorkflowResult(
                workflow_id=asked.workflow_id,
                status=task["status"],
                outputs=task.get("result") or {},
                error=(task.get("error") or {}).get("message"),
                execution_time_ms=task.get("duration_seconds", 0.0) * 1000,
            )
        return MessageType.WORKFLOW_STATUS, result.model_dump(mode="json")

    async def cancel(self, request: AOSMessage) -> Reply:
        """Stop it. Raises `NotFound`."""
        asked = contract.WorkflowReference.model_validate(request.payload)
        reason = f"cancelled by {request.header.source}"
        try:
            await self._tasks.cancel(asked.workflow_id, reason)
        except NotFound:
            await self._workflows.cancel(asked.workflow_id, reason)
        return MessageType.WORKFLOW_STATUS, {"workflow_id": asked.workflow_id, "status": "cancelling"}

    async def _start(self, request: AOSMessage, execute: contract.WorkflowExecute) -> str:
        header = request.header
        try:
            return await self._tasks.execute(execute.workflow_name, {"owner": header.source, **execute.inputs})
        except (NotFound, ValidationError) as unfit:
            given = {"owner": header.source, "priority": PRIORITIES[header.priority], **execute.options}
            order = RunOrder.model_validate({**given, "inputs": execute.inputs})
            key = f"app:{header.source}:{header.message_id}"
            try:
                run_id, _ = await self._orders.start(execute.workflow_name, order, idempotency_key=key)
            except NotFound as unknown:
                raise unfit from unknown
            return run_id

    async def _result_of_run(self, run_id: str) -> contract.WorkflowResult:
        status = RunStatus((await self._workflows.progress(run_id))["status"])
        if not status.is_final:
            return contract.WorkflowResult(workflow_id=run_id, status=status.plain)
        result = await self._workflows.result(run_id)
        output = result["output"]
        return contract.WorkflowResult(
            workflow_id=run_id,
            status=status.plain,
            outputs=output if isinstance(output, dict) else {} if output is None else {"output": output},
            error=(result["error"] or {}).get("message"),
            execution_time_ms=result["duration_seconds"] * 1000,
        )
