"""Tasks: submit one, see how it goes, cancel it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from aos.api.access import After, Cursor, Limit, Wait, system_of
from aos.api.following import follow
from aos.workflows.tasks.task_agent import TYPE
from aos.workflows.tasks.task_state import TaskRequest, TaskStatus

router = APIRouter(tags=["tasks"])

_FIRST_LOOK = 0.05
_SLOWEST_LOOK = 1.0


@router.post("/tasks", status_code=202)
async def submit(
    task: TaskRequest,
    request: Request,
    response: Response,
    wait: Wait = 0,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    traceparent: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Submit a task. The answer is 202 with its place; with `wait`, 200 as soon as the task has ended."""
    system = system_of(request)
    task_id, is_new = await system.tasks.submit(task, idempotency_key=idempotency_key, traceparent=traceparent)
    response.headers["Location"] = f"/api/v1/tasks/{task_id}"
    response.headers["Retry-After"] = "1"
    detail = await _watch(request, task_id, min(wait, system.config.api.max_wait_seconds))
    if TaskStatus(detail["status"]).is_final:
        response.status_code = 200
    return {**detail, "repeated": not is_new}


@router.get("/tasks")
async def page(
    request: Request,
    status: TaskStatus | None = None,
    task_type: str | None = None,
    owner: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Tasks, newest first."""
    tasks, following = await system_of(request).task_index.page(
        status=status.value if status else None, task_type=task_type, owner=owner, limit=limit, cursor=cursor
    )
    return {"tasks": tasks, "total": len(tasks), "cursor": following}


@router.get("/tasks/{task_id}")
async def detail(task_id: str, request: Request, wait: Wait = 0) -> dict[str, Any]:
    """A task with its participants, events and result; with `wait`, answered when it has ended."""
    return await _watch(request, task_id, min(wait, system_of(request).config.api.max_wait_seconds))


@router.get("/tasks/{task_id}/progress")
async def progress(task_id: str, request: Request) -> dict[str, Any]:
    """How far a task is: `progress` from 0 to 100, and what happened so far."""
    task = await system_of(request).tasks.detail(task_id)
    return {
        "task_id": task_id,
        "status": task["status"],
        "progress": round(100 * task["progress"], 1),
        "elapsed_time": task.get("duration_seconds", 0.0),
        "participants": [{"agent": part["agent"], "status": part["status"]} for part in task.get("participants", [])],
        "events": task.get("events", []),
    }


@router.get("/tasks/{task_id}/events", response_model=None)
async def events(task_id: str, request: Request, after: After = None, wait: Wait = 0) -> Response | dict[str, Any]:
    """What happens in a task, as it does: server-sent events up to `task.ended`, or JSON for those who ask again."""
    return await follow(
        request,
        f"{TYPE}:{task_id}",
        after=after,
        wait=wait,
        ends=lambda event: event.name == "task.ended",
        look=lambda: system_of(request).tasks.detail(task_id),
    )


@router.post("/tasks/{task_id}/execute", status_code=202)
async def execute(task_id: str, request: Request) -> dict[str, Any]:
    """Where to follow a task. Every task is executed as soon as it is submitted; this starts nothing new."""
    task = await system_of(request).tasks.detail(task_id)
    return {
        "task_id": task_id,
        "status": task["status"],
        "message": "The task is executed from its submission on.",
        "progress_url": f"/api/v1/tasks/{task_id}/progress",
    }


@router.post("/tasks/{task_id}/cancel", status_code=202)
async def cancel(task_id: str, request: Request) -> dict[str, Any]:
    """Ask a task to stop. One that has ended stays as it is."""
    await system_of(request).tasks.cancel(task_id, "cancelled on request")
    return {"task_id": task_id, "status": "cancelling"}


async def _watch(request: Request, task_id: str, seconds: float) -> dict[str, Any]:
    """Look at the task, more and more rarely, until it has ended or the time is up."""
    system = system_of(request)
    clock = system.adapters.clock
    until = clock.monotonic() + seconds
    pause = _FIRST_LOOK
    while True:
        task = await system.tasks.detail(task_id)
        left = until - clock.monotonic()
        if TaskStatus(task["status"]).is_final or left <= 0:
            return task
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, _SLOWEST_LOOK)
