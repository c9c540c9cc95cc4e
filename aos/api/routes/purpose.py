"""Purposes: how the pursuit of one goes, and goals that are set and reported on from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from aos.agents.purpose_driven_agent import ADD_GOAL, PROGRESS_GOAL
from aos.agents.purpose_report import expect_purposeful, purpose_report
from aos.agents.pursuit import MAX_TEXT
from aos.api.access import system_of
from aos.api.routes.agents import known_here

router = APIRouter(tags=["agents"], dependencies=[Depends(known_here)])


class _Posted(BaseModel):
    """Attributes: id: The same id has its effect once."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(default=None, min_length=1, max_length=128)


class GoalSet(_Posted):
    """A goal for an agent."""

    description: str = Field(min_length=1, max_length=MAX_TEXT)
    success_criteria: list[str] = Field(default=[], max_length=50)
    deadline: datetime | None = None


class GoalNote(_Posted):
    """What there is to say of a goal."""

    notes: str | None = Field(default=None, max_length=MAX_TEXT)


class GoalReport(GoalNote):
    """How far a goal is: 0 to 1, where it is completed."""

    progress: float = Field(ge=0, le=1)


@router.get("/agents/{agent_id}/purpose")
async def purpose(
    agent_id: str,
    request: Request,
    turns: Annotated[int, Query(ge=1, le=500, description="How many turns to look back")] = 20,
) -> dict[str, Any]:
    """Purpose, goals with progress and notes, metrics, flags, and the scores of the newest turns."""
    return await purpose_report(system_of(request).directory, agent_id, turns=turns)


@router.post("/agents/{agent_id}/goals", status_code=202)
async def add_goal(agent_id: str, goal: GoalSet, request: Request) -> dict[str, Any]:
    """Set a goal, as a message to the agent."""
    return await _tell(request, agent_id, ADD_GOAL, goal)


@router.post("/agents/{agent_id}/goals/{goal_id}/progress", status_code=202)
async def report(agent_id: str, goal_id: str, goal: GoalReport, request: Request) -> dict[str, Any]:
    """Say how far a goal is, as a message to the agent."""
    return await _tell(request, agent_id, PROGRESS_GOAL, goal, goal_id=goal_id)


@router.post("/agents/{agent_id}/goals/{goal_id}/complete", status_code=202)
async def complete(agent_id: str, goal_id: str, goal: GoalNote, request: Request) -> dict[str, Any]:
    """Say that a goal is reached, as a message to the agent."""
    return await _tell(request, agent_id, PROGRESS_GOAL, goal, goal_id=goal_id, progress=1.0)


async def _tell(request: Request, agent_id: str, message_type: str, posted: _Posted, **fields: Any) -> dict[str, Any]:
    directory = system_of(request).directory
    expect_purposeful(directory, agent_id)
    data = {**posted.model_dump(mode="json", exclude={"id"}), **fields}
    message_id = await directory.send(agent_id, message_type, data, message_id=posted.id)
    return {"message_id": message_id, "agent": agent_id}
