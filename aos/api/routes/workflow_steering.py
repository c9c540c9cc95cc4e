"""Steers runs of workflows: cancel, pause, resume, do anew, answer, bring an event."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from aos.api.access import system_of

router = APIRouter(tags=["workflows"])
"""What is asked of one run, as in `workflow_runs`."""
events = APIRouter(tags=["workflows"])


AnswerWait = Annotated[float, Query(ge=0, le=200, description="Seconds to wait until the answer is known to count")]


class Reason(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="cancelled on request", min_length=1, max_length=500)


class Rerun(BaseModel):
    """From which step on a run is done anew."""

    model_config = ConfigDict(extra="forbid")

    from_step: str = Field(min_length=1, max_length=100)


class Checkpoint(BaseModel):
    """Names a checkpoint; a new one is given a name where it has none."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")


class Rollback(BaseModel):
    """The checkpoint to go back to."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)


class StepResponse(BaseModel):
    """An answer to a step that waits: `true` and `false` approve and reject; for an event, its data.

    Attributes:
        step: Its id, with `[index]` behind it for an item of a map or a round of a loop.
        by: Who answers.
    """

    model_config = ConfigDict(extra="forbid")

    step: str = Field(min_length=1, max_length=100)
    value: Any
    by: str = Field(default="api", min_length=1, max_length=100)


class Happening(BaseModel):
    """An event that runs may wait for."""

    model_config = ConfigDict(extra="forbid")

    topic: str = Field(min_length=1, max_length=200)
    data: Any = None


@events.post("/workflow-events", status_code=202)
async def publish(happening: Happening, request: Request) -> dict[str, Any]:
    """Bring an event to all runs that wait for one of its topic."""
    return {"runs": await system_of(request).workflows.publish(happening.topic, happening.data)}


@router.post("/{run_id}/cancel", status_code=202)
async def cancel(run_id: str, request: Request, response: Response, order: Reason | None = None) -> dict[str, Any]:
    """Ask a run to stop. One that has ended stays as it is, and is answered with 200."""
    asked = await system_of(request).workflows.cancel(run_id, (order or Reason()).reason)
    return await _steered(run_id, request, response, "cancelling" if asked else None)


@router.post("/{run_id}/pause", status_code=202)
async def pause(run_id: str, request: Request, response: Response) -> dict[str, Any]:
    """Have a run begin nothing more; what is under way is finished."""
    asked = await system_of(request).workflows.pause(run_id)
    return await _steered(run_id, request, response, "pausing" if asked else None)


@router.post("/{run_id}/resume", status_code=202)
async def resume(run_id: str, request: Request, response: Response) -> dict[str, Any]:
    """Have a paused run go on."""
    asked = await system_of(request).workflows.resume(run_id)
    return await _steered(run_id, request, response, "resuming" if asked else None)


@router.post("/{run_id}/rerun", status_code=202)
async def rerun(run_id: str, order: Rerun, request: Request) -> dict[str, Any]:
    """Do a step anew, and all that depends on it."""
    await system_of(request).workflows.rerun(run_id, order.from_step)
    return {"id": run_id, "status": "running", "from_step": order.from_step}


@router.post("/{run_id}/checkpoints", status_code=202)
async def checkpoint(run_id: str, request: Request, wanted: Checkpoint | None = None) -> dict[str, Any]:
    """Keep how the steps of a run stand, to go back to it."""
    kept = await system_of(request).workflows.checkpoint(run_id, wanted.name if wanted else None)
    return {"id": run_id, "name": kept}


@router.get("/{run_id}/checkpoints")
async def checkpoints(run_id: str, request: Request) -> dict[str, Any]:
    """The checkpoints of a run."""
    return {"checkpoints": await system_of(request).workflows.checkpoints(run_id)}


@router.post("/{run_id}/rollback", status_code=202)
async def rollback(run_id: str, order: Rollback, request: Request) -> dict[str, Any]:
    """Do anew what was not done at a checkpoint, and all that depends on it."""
    await system_of(request).workflows.rollback(run_id, order.name)
    return {"id": run_id, "status": "running", "checkpoint": order.name}


@router.post("/{run_id}/respond", status_code=202)
async def respond(
    run_id: str, given: StepResponse, request: Request, response: Response, wait: AnswerWait = 10
) -> dict[str, Any]:
    """Answer a step that waits for somebody or for an event; 409 where it does not.

    200 where a person's answer counts; 202 where that is not known after `wait` seconds.
    """
    system = system_of(request)
    bounded = min(wait, system.config.api.max_wait_seconds)
    accepted = await system.workflows.respond(run_id, given.step, given.value, by=given.by, wait=bounded)
    response.status_code = 200 if accepted else 202
    return {"id": run_id, "step": given.step, "accepted": accepted}


@router.post("/{run_id}/events", status_code=202)
async def happen(run_id: str, happening: Happening, request: Request) -> dict[str, Any]:
    """Bring an event to one run."""
    await system_of(request).workflows.event(run_id, happening.topic, happening.data)
    return {"id": run_id, "topic": happening.topic}


async def _steered(run_id: str, request: Request, response: Response, becoming: str | None) -> dict[str, Any]:
    if becoming is not None:
        return {"id": run_id, "status": becoming}
    response.status_code = 200
    found = await system_of(request).workflows.progress(run_id)
    return {"id": run_id, "status": found["status"]}
