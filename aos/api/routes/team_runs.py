"""Teams at work: set one to work, read what was said, see what came of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from aos.api.access import After, Cursor, Limit, Wait, system_of
from aos.api.following import follow
from aos.workflows.messages import TEAM_TYPE
from aos.workflows.teams.team_state import TeamStatus

router = APIRouter(tags=["teams"])


class TeamOrder(BaseModel):
    """What a team is to do.

    Attributes:
        task: In words.
        inputs: What it needs for it.
        limits: In place of the team's own: `turns`, `time`, `usd`, `patience`, `window`.
    """

    model_config = ConfigDict(extra="forbid")

    task: str = Field(min_length=1, max_length=20_000)
    inputs: dict[str, Any] = Field(default_factory=dict)
    limits: dict[str, Any] = Field(default_factory=dict)


class InlineTeamOrder(TeamOrder):
    """As `TeamOrder`, for a team that has no name: `definition` says what it is."""

    definition: dict[str, Any]


Traceparent = Annotated[str | None, Header()]


@router.get("/team-definitions")
async def definitions(request: Request) -> dict[str, Any]:
    """The teams that are declared by name."""
    declared = system_of(request).team_runs.declared
    return {"teams": [team.model_dump(mode="json") for team in declared]}


@router.post("/teams/{team}/runs", status_code=202)
async def start(
    team: str, order: TeamOrder, request: Request, response: Response, traceparent: Traceparent = None
) -> dict[str, Any]:
    """Set a declared team to work."""
    started = await system_of(request).team_runs.start(
        order.task, name=team, inputs=order.inputs, limits=order.limits, traceparent=traceparent
    )
    return _accepted(started, response)


@router.post("/team-runs", status_code=202)
async def start_inline(
    order: InlineTeamOrder, request: Request, response: Response, traceparent: Traceparent = None
) -> dict[str, Any]:
    """Set a team to work that is described with the task."""
    started = await system_of(request).team_runs.start(
        order.task, definition=order.definition, inputs=order.inputs, limits=order.limits, traceparent=traceparent
    )
    return _accepted(started, response)


@router.get("/team-runs")
async def page(
    request: Request,
    status: TeamStatus | None = None,
    kind: str | None = None,
    name: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Teams at work and those that were, newest first."""
    found, following = await system_of(request).team_runs.index.page(
        status=status.value if status else None, kind=kind, name=name, limit=limit, cursor=cursor
    )
    return {"runs": found, "cursor": following}


@router.get("/team-runs/{run_id}")
async def show(run_id: str, request: Request) -> dict[str, Any]:
    """A team at work: who is to speak, how far it is, what came of it."""
    return await system_of(request).team_runs.show(run_id)


@router.get("/team-runs/{run_id}/result")
async def result(run_id: str, request: Request) -> dict[str, Any]:
    """What a team came to; 409 while it is at work."""
    return await system_of(request).team_runs.result(run_id)


@router.get("/team-runs/{run_id}/transcript")
async def transcript(
    run_id: str,
    request: Request,
    after: Annotated[int, Query(ge=0, description="Lines above this number")] = 0,
    limit: Limit = 50,
) -> dict[str, Any]:
    """What was said, oldest first."""
    lines = await system_of(request).team_runs.transcript(run_id, after=after, limit=limit)
    return {"lines": lines, "after": lines[-1]["number"] if len(lines) == limit else None}


@router.get("/team-runs/{run_id}/events", response_model=None)
async def events(run_id: str, request: Request, after: After = None, wait: Wait = 0) -> Response | dict[str, Any]:
    """What happens in a team, as it does: server-sent events up to `team.ended`, or JSON for those who ask again."""
    return await follow(
        request,
        f"{TEAM_TYPE}:{run_id}",
        after=after,
        wait=wait,
        ends=lambda event: event.name == "team.ended",
        look=lambda: system_of(request).team_runs.show(run_id),
    )


@router.post("/team-runs/{run_id}/cancel", status_code=202)
async def cancel(run_id: str, request: Request) -> dict[str, Any]:
    """Ask a team to stop. One that has ended stays as it is."""
    await system_of(request).team_runs.cancel(run_id, "cancelled on request")
    return {"id": run_id, "status": "cancelling"}


def _accepted(run_id: str, response: Response) -> dict[str, Any]:
    response.headers["Location"] = f"/api/v1/team-runs/{run_id}"
    response.headers["Retry-After"] = "1"
    return {"id": run_id, "status": "pending"}
