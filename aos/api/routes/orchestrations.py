"""Orchestrations: the shapes and codes by which other systems of this kind set several agents to one task."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from aos.api.access import system_of
from aos.workflows.orchestrations import OrchestrationOrder

router = APIRouter(tags=["orchestrations"])


@router.post("/orchestrations", status_code=202)
async def submit(
    order: OrchestrationOrder,
    request: Request,
    response: Response,
    traceparent: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Set agents to a task. 409 where the id is taken by another order."""
    orchestration_id = await system_of(request).orchestrations.submit(order, traceparent=traceparent)
    response.headers["Location"] = f"/api/v1/orchestrations/{orchestration_id}"
    response.headers["Retry-After"] = "1"
    return {"orchestration_id": orchestration_id, "status": "submitted"}


@router.get("/orchestrations/{orchestration_id}")
async def status(orchestration_id: str, request: Request) -> dict[str, Any]:
    """How it is: submitted, running, completed, failed or cancelled."""
    return await system_of(request).orchestrations.status(orchestration_id)


@router.get("/orchestrations/{orchestration_id}/result")
async def result(orchestration_id: str, request: Request) -> dict[str, Any]:
    """What it came to; 409 while it is not complete."""
    return await system_of(request).orchestrations.result(orchestration_id)


@router.post("/orchestrations/{orchestration_id}/cancel", status_code=202)
async def cancel(orchestration_id: str, request: Request, response: Response) -> dict[str, Any]:
    """Ask it to stop. One that has ended stays as it is, and is answered with 200."""
    becoming = await system_of(request).orchestrations.cancel(orchestration_id, "cancelled on request")
    response.status_code = 202 if becoming == "cancelling" else 200
    return {"orchestration_id": orchestration_id, "status": becoming}
