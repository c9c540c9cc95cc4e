"""Tasks: submit one, see how it goes, cancel it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from aos.api.access import After, Cursor, Limit, Wait, system_of
from aos.api.following import follow
from aos.reliability.waiting import look_until
from aos.workflows.tasks.task_agent import TYPE
from aos.workflows.tasks.task_request import TaskRequest
from aos.workflows.tasks.task_state import TaskStatus

router = APIRouter(tags=["tasks"])


class Why(BaseModel):
    """Why somebody steps in; shown with the task."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=1_000)


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
        "participants": [
            {"step": part["step"], "agent": part["agent"], "status": part["status"]}
            for part in task.get("participants", [])
        ],
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
    """Begin a task that was submitted with `auto_execute` false. One that was begun goes on as it does."""
    tasks = system_of(request).tasks
    await tasks.begin(task_id)
    task = await tasks.detail(task_id)
    waits = task["status"] == TaskStatus.PENDING
    return {
        "task_id": task_id,
        "status": task["status"],
        "message": "The task is begun." if waits else "The task was begun before.",
        "progress_url": f"/api/v1/tasks/{task_id}/progress",
    }


@router.post("/tasks/{task_id}/cancel", status_code=202)
async def cancel(task_id: str, request: Request, why: Why | None = None) -> dict[str, Any]:
    """Ask a task to stop, and all that works on it. One that has ended stays as it is."""
    await system_of(request).tasks.cancel(task_id, _reason(why, "cancelled on request"))
    return {"task_id": task_id, "status": "cancelling"}


@router.post("/tasks/{task_id}/pause", status_code=202)
async def pause(task_id: str, request: Request, why: Why | None = None) -> dict[str, Any]:
    """Ask a task to begin nothing new; what is under way is finished."""
    await system_of(request).tasks.pause(task_id, _reason(why, "on request"))
    return {"task_id": task_id, "status": "pausing"}


@router.post("/tasks/{task_id}/resume", status_code=202)
async def resume(task_id: str, request: Request, why: Why | None = None) -> dict[str, Any]:
    """Ask a paused task to go on."""
    await system_of(request).tasks.resume(task_id, _reason(why, "on request"))
    return {"task_id": task_id, "status": "resuming"}


@router.post("/tasks/{task_id}/rerun", status_code=202)
async def rerun(task_id: str, request: Request, why: Why | None = None) -> dict[str, Any]:
    """Do a task again that has ended; 409 while it has not."""
    await system_of(request).tasks.rerun(task_id, _reason(why, "on request"))
    return {"task_id": task_id, "status": "pending"}


def _reason(why: Why | None, otherwise: str) -> str:
    return why.reason if why is not None and why.reason else otherwise


async def _watch(request: Request, task_id: str, seconds: float) -> dict[str, Any]:
    """The task when it has ended, or as it is when the time is up."""
    tasks = system_of(request).tasks
    return await look_until(
        lambda task: TaskStatus(task["status"]).is_final, lambda: tasks.detail(task_id), seconds=seconds
    )
