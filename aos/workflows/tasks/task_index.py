"""The list of tasks: a read model fed by the task agents' commits, and the idempotency keys of submissions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aos.kernel.journal import JournalEntry
from aos.kernel.message import format_time
from aos.kernel.ports import Clock, TableStore, Value
from aos.workflows.idempotency_keys import IdempotencyKeys
from aos.workflows.newest_list import NewestList, is_listed
from aos.workflows.tasks.task_agent import TYPE
from aos.workflows.tasks.task_request import TaskRequest
from aos.workflows.tasks.task_state import TaskState

TABLE = "tasks"


class TaskIndex:
    """Reads and feeds the list of tasks. Its rows lag behind the tasks by moments, and can be rebuilt from them."""

    def __init__(self, tables: TableStore, clock: Clock) -> None:
        self._clock = clock
        self._list = NewestList(tables, TABLE)
        self._keys = IdempotencyKeys(tables, TABLE, clock)

    def concerns(self, agent: str, version: int) -> bool:  # noqa: ARG002  # every turn of a task matters
        type_, _, task_id = agent.partition(":")
        return type_ == TYPE and is_listed(task_id)

    async def apply(self, entry: JournalEntry, state: Mapping[str, Any]) -> None:
        """Bring a task's row up to the version of this entry, unless it is there already."""
        task = TaskState.model_validate(state)
        if task.request is None:
            return
        task_id = entry.agent.partition(":")[2]
        await self._write(task_id, entry.version, task)

    async def announce(self, task_id: str, request: TaskRequest) -> None:
        """Show a task that was submitted and has not had its first turn. A later row is left as it is."""
        await self._write(task_id, 0, TaskState(request=request, created_at=self._clock.now()))

    async def get(self, task_id: str) -> dict[str, Any] | None:
        return await self._list.get(task_id)

    async def page(
        self,
        *,
        status: str | None = None,
        task_type: str | None = None,
        owner: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Tasks, newest first, and a cursor where there are more."""
        asked = {"status": status, "task_type": task_type, "owner": owner}
        return await self._list.page(asked, limit=limit, cursor=cursor)

    async def claim(self, key: str, task_id: str, fingerprint: str, keep: timedelta) -> tuple[str, str]:
        """Bind an idempotency key to a task, or find what it is bound to.

        Returns:
            The task id and the request fingerprint that the key stands for.
        """
        return await self._keys.bind(key, task_id, fingerprint, keep)

    async def sweep(self) -> int:
        """Remove expired idempotency keys; returns how many."""
        return await self._keys.sweep()

    async def _write(self, task_id: str, version: int, task: TaskState) -> None:
        request = task.request
        assert request is not None  # noqa: S101  # callers index only tasks that have one
        columns: dict[str, Value] = {
            "status": task.status.value,
            "task_type": request.task_type,
            "owner": request.owner,
        }
        await self._list.write(task_id, version, columns, _shown(task_id, request, task))


def _shown(task_id: str, request: TaskRequest, task: TaskState) -> dict[str, Any]:
    summary = (task.result or {}).get("summary") or (task.error or {}).get("message") or ""
    return {
        "id": task_id,
        "task_type": request.task_type,
        "title": request.title,
        "target": request.target,
        "priority": request.priority,
        "owner": request.owner,
        "status": task.status.value,
        "progress": task.progress,
        "created_at": format_time(task.created_at) if task.created_at else None,
        "completed_at": format_time(task.finished_at) if task.finished_at else None,
        "summary": str(summary)[:1_000],
    }
