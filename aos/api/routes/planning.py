"""Plans: a workflow for a goal."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from aos.agents.directory import is_settled
from aos.api.access import Wait, system_of
from aos.kernel.outgoing import IN_JOURNAL
from aos.workflows.planning.planner_agent import PLAN, PLANNER_TYPE, PlanRequest

router = APIRouter(tags=["workflows"])


@router.post("/workflow-plans", status_code=202)
async def plan(asked: PlanRequest, request: Request, response: Response, wait: Wait = 30) -> dict[str, Any]:
    """Plan a workflow for a goal, by a model or a template. It is kept under the name that the answer gives.

    With `wait`, answered 200 with the plan; what the planner could not do is in `error`.
    """
    system = system_of(request)
    message_id = await system.directory.send(
        PLANNER_TYPE, PLAN, asked.model_dump(mode="json"), source="/api/workflow-plans", reply_to=IN_JOURNAL
    )
    sent = {"message_id": message_id, "agent": PLANNER_TYPE}
    seconds = min(wait, system.config.api.max_wait_seconds)
    if not seconds:
        return sent
    outcome = await system.directory.await_outcome(
        PLANNER_TYPE, message_id, seconds=seconds, source="/api/workflow-plans"
    )
    if is_settled(outcome):
        response.status_code = 200
    return {**sent, **outcome}
