"""Orchestrations: several named agents set to one task in one order, as other systems of this kind ask for it.

Each is a task; what is here gives it the shapes and words of those systems.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aos.kernel.errors import AlreadyExists, Conflict, NotAllowedNow, NotFound
from aos.kernel.ports import Clock, Entity, Insert, TableStore
from aos.workflows.definition.duration import PositiveDuration
from aos.workflows.planning.execution import Coordination
from aos.workflows.tasks.task_request import TaskRequest
from aos.workflows.tasks.task_state import TaskStatus
from aos.workflows.tasks.tasks import Tasks

TABLE = "orchestrations"
_ROW = "orchestration"
_WORDS = ("description", "prompt", "question", "goal")
"""Fields of the data in which a task is put in words."""


class OrchestrationTask(BaseModel):
    """What is to be done: its kind, and what it needs."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(min_length=1, max_length=100)
    data: dict[str, Any] = Field(default_factory=dict)


class OrchestrationConfig(BaseModel):
    """How it is done; what is not known here is handed to the agents.

    Attributes:
        timeout: For the whole of it: a duration or seconds.
        budget: US dollars it may cost.
    """

    model_config = ConfigDict(extra="allow")

    priority: int = Field(default=5, ge=1, le=10)
    timeout: PositiveDuration | None = None
    budget: float | None = Field(default=None, gt=0)


class OrchestrationOrder(BaseModel):
    """An orchestration that is wanted.

    Attributes:
        orchestration_id: The caller's own id for it; the same with the same order starts it once.
        agent_ids: Who takes part.
        workflow: In which order they work.
        callback_url: Where its end is told, signed.
    """

    model_config = ConfigDict(extra="forbid")

    orchestration_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    agent_ids: list[str] = Field(min_length=1, max_length=15)
    workflow: Literal["collaborative", "sequential", "hierarchical", "parallel"] = "collaborative"
    task: OrchestrationTask
    config: OrchestrationConfig = OrchestrationConfig()
    callback_url: str | None = Field(default=None, max_length=2_000)


class Orchestrations:
    """The orchestrations of the system."""

    def __init__(self, tasks: Tasks, tables: TableStore, clock: Clock) -> None:
        self._tasks = tasks
        self._tables = tables
        self._clock = clock

    async def submit(self, order: OrchestrationOrder, *, traceparent: str | None = None) -> str:
        """Start an orchestration; returns its id.

        Raises:
            InvalidInput: there is no such agent, or one that takes no work.
            PermissionDenied, SettingMissing: its end cannot be told at the callback's address.
            AlreadyExists: there is another one of this id.
        """
        own = order.orchestration_id
        if own is None:
            return (await self._tasks.submit(self._task(order), traceparent=traceparent))[0]
        fingerprint = _fingerprint(order)
        if await self._is_there(own, fingerprint):
            return own
        key = f"{TABLE}:{own}:{fingerprint}"
        task_id, _ = await self._tasks.submit(self._task(order), idempotency_key=key, traceparent=traceparent)
        row = Entity(own, _ROW, {"task": task_id, "fingerprint": fingerprint})
        try:
            await self._tables.commit(TABLE, [Insert(row)])
        except Conflict:
            await self._is_there(own, fingerprint)
        return own

    async def status(self, orchestration_id: str) -> dict[str, Any]:
        """How an orchestration is. Raises `NotFound`."""
        task = await self._detail(orchestration_id)
        return {
            "orchestration_id": orchestration_id,
            "status": _status(task),
            "task_id": task["id"],
            "workflow": task.get("coordination"),
            "agent_ids": task.get("agents") or [],
            "progress": task["progress"],
            "created_at": task["created_at"],
            "completed_at": task.get("completed_at"),
            "error": _message(task),
        }

    async def result(self, orchestration_id: str) -> dict[str, Any]:
        """What an orchestration came to.

        Raises:
            NotFound: there is none of this id.
            NotAllowedNow: it is not complete (`orchestration_not_complete`).
        """
        task = await self._detail(orchestration_id)
        if not TaskStatus(task["status"]).is_final:
            raise NotAllowedNow(
                f"Orchestration {orchestration_id!r} is {_status(task)}. Its result is there once it is complete.",
                code="orchestration_not_complete",
            )
        return {
            "orchestration_id": orchestration_id,
            "status": _status(task),
            "result": task["output"],
            "summary": task["summary"],
            "agent_results": task["agent_results"],
            "error": _message(task),
            "duration_seconds": task["duration_seconds"],
            "cost_usd": task["cost_usd"],
        }

    async def cancel(self, orchestration_id: str, reason: str) -> str:
        """Ask an orchestration to stop; returns `cancelling`, or how it has ended. Raises `NotFound`."""
        task = await self._detail(orchestration_id)
        if TaskStatus(task["status"]).is_final:
            return _status(task)
        await self._tasks.cancel(task["id"], reason)
        return "cancelling"

    def _task(self, order: OrchestrationOrder) -> TaskRequest:
        data, config = order.task.data, order.config
        words = next((data[name] for name in _WORDS if isinstance(data.get(name), str)), "")
        further = {"config": config.model_extra} if config.model_extra else {}
        return TaskRequest(
            task_type=order.task.type,
            title=order.task.type,
            description=words[:10_000],
            target=str(data.get("target") or order.task.type)[:1_000],
            parameters={**data, **further},
            priority=config.priority,
            deadline=None if config.timeout is None else self._clock.now() + config.timeout,
            budget=config.budget,
            callback_url=order.callback_url,
            reference=order.orchestration_id,
            agents=order.agent_ids,
            coordination=Coordination(order.workflow),
        )

    async def _is_there(self, orchestration_id: str, fingerprint: str) -> bool:
        found = await self._tables.get(TABLE, orchestration_id, _ROW)
        if found is not None and found.values["fingerprint"] != fingerprint:
            raise AlreadyExists(
                f"There is another orchestration {orchestration_id!r} already. Choose another id, or leave it out."
            )
        return found is not None

    async def _detail(self, orchestration_id: str) -> dict[str, Any]:
        found = await self._tables.get(TABLE, orchestration_id, _ROW)
        try:
            return await self._tasks.detail(str(found.values["task"]) if found is not None else orchestration_id)
        except NotFound as error:
            raise NotFound(f"There is no orchestration {orchestration_id!r}.", code="unknown_orchestration") from error


def _status(task: dict[str, Any]) -> str:
    words = {TaskStatus.PENDING: "submitted", TaskStatus.PAUSED: "running"}
    status = TaskStatus(task["status"])
    return words.get(status, status.value)


def _message(task: dict[str, Any]) -> str | None:
    error = task.get("error")
    return str(error.get("message")) if isinstance(error, dict) else error


def _fingerprint(order: OrchestrationOrder) -> str:
    return hashlib.sha256(json.dumps(order.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
