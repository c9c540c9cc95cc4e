"""Orders to agents, to types and to teams of them; how agents do, and what was repaired."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from aos.agents.life import ORDERS
from aos.api.access import Cursor, Limit, system_of

router = APIRouter(tags=["lifecycle"])


class Order(BaseModel):
    """Why an order is given, and by whom.

    Attributes:
        reason: Shown wherever the agent is; needed to quarantine or to terminate.
        by: Who gives it.
    """

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=1_000)
    by: str = Field(default="operator", min_length=1, max_length=200)


class Members(BaseModel):
    """Members of a team: addresses of agents, and `<type>:*` for all agents of a type."""

    model_config = ConfigDict(extra="forbid")

    members: list[str]


async def _known(request: Request, type_: str) -> None:
    """Agents declared elsewhere are known here."""
    await system_of(request).declarations.keep_fresh(type_.partition(":")[0] or None)


@router.get("/agents/{agent_id}/health")
async def health(agent_id: str, request: Request) -> dict[str, Any]:
    """How an agent does: healthy, degraded or unhealthy, and why."""
    await _known(request, agent_id)
    return await system_of(request).health.of(agent_id)


@router.get("/agents/{agent_id}/lifecycle")
async def history(
    agent_id: str,
    request: Request,
    after: Annotated[int, Query(ge=0, description="Orders of turns above this version")] = 0,
    limit: Limit = 50,
) -> dict[str, Any]:
    """The orders an agent was given, oldest first."""
    await _known(request, agent_id)
    orders = await system_of(request).lifecycle.history(agent_id, after=after, limit=limit)
    return {"agent": agent_id, "orders": orders, "after": orders[-1]["version"] if len(orders) == limit else None}


@router.get("/agent-types/{agent_type}/lifecycle")
async def type_status(agent_type: str, request: Request) -> dict[str, Any]:
    """The order in force for a type of agents."""
    await _known(request, agent_type)
    return await system_of(request).lifecycle.type_status(agent_type)


@router.get("/teams")
async def teams(request: Request) -> dict[str, Any]:
    """The teams and their members."""
    return {"teams": await system_of(request).lifecycle.teams.all()}


@router.get("/teams/{team}")
async def team(team: str, request: Request) -> dict[str, Any]:
    """A team and its members."""
    return await system_of(request).lifecycle.teams.get(team)


@router.put("/teams/{team}")
async def put_team(team: str, members: Members, request: Request) -> dict[str, Any]:
    """Make a team, or replace its members."""
    return await system_of(request).lifecycle.teams.put(team, members.members)


@router.delete("/teams/{team}", status_code=204)
async def delete_team(team: str, request: Request) -> None:
    """Forget a team. Its members stay as they are."""
    await system_of(request).lifecycle.teams.delete(team)


@router.get("/repairs")
async def repairs(request: Request, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
    """What the recovery of agents did, newest first."""
    found, further = await system_of(request).recovery.repairs.page(limit=limit, cursor=cursor)
    return {"repairs": found, "cursor": further}


@router.get("/agent-statistics")
async def statistics(request: Request) -> dict[str, Any]:
    """How many agents there are, in which states, and what they did in all."""
    return await system_of(request).agent_manager.get_agent_statistics()


def _install(event: str) -> None:
    async def order(agent_id: str, request: Request, why: Order | None = None) -> dict[str, Any]:
        await _known(request, agent_id)
        given = why or Order()
        return await system_of(request).lifecycle.order(agent_id, event, reason=given.reason, by=given.by)

    async def order_type(agent_type: str, request: Request, why: Order | None = None) -> dict[str, Any]:
        await _known(request, agent_type)
        given = why or Order()
        return await system_of(request).lifecycle.order_type(agent_type, event, reason=given.reason, by=given.by)

    async def order_team(team: str, request: Request, why: Order | None = None) -> dict[str, Any]:
        await system_of(request).declarations.keep_fresh()
        given = why or Order()
        return await system_of(request).lifecycle.order_team(team, event, reason=given.reason, by=given.by)

    for path, work, whom in (
        ("/agents/{agent_id}", order, "one agent"),
        ("/agent-types/{agent_type}", order_type, "all agents of a type, those yet to be born included"),
        ("/teams/{team}", order_team, "every member of a team"),
    ):
        name = f"{event}_{path.split('/')[1].replace('-', '_')}"
        router.post(f"{path}/{event}", name=name, description=f"Give {whom} the order to {event}.")(work)


for _event in ORDERS:
    _install(_event)
