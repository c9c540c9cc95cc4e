"""Tools: which there are, what they take, what a call does to the world, and how they have done."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from aos.agents import Agent
from aos.api.access import system_of

router = APIRouter(tags=["tools"])


@router.get("/tools")
async def tools(request: Request) -> dict[str, Any]:
    """The tools of this host: their schemas, the agents they are granted to, and statistics since the host began.

    An agent that was granted a tool and lacks a permission for it stands under `not_permitted` instead. Steps of
    workflows may call all of them, with the permissions that the steps name.
    """
    registry = system_of(request).registry
    granted: dict[str, list[Agent[Any]]] = {}
    for agent in registry:
        for tool in agent.tools if agent.listed else ():
            granted.setdefault(tool if isinstance(tool, str) else tool.name, []).append(agent)
    rows = registry.surroundings.tools.rows()
    return {"tools": [{**row, **_holders(row, granted.get(row["name"], []))} for row in rows]}


def _holders(row: dict[str, Any], agents: list[Agent[Any]]) -> dict[str, list[str]]:
    required = set(row["required_permissions"])
    return {
        "granted_to": sorted(agent.type for agent in agents if required <= set(agent.permissions)),
        "not_permitted": sorted(agent.type for agent in agents if not required <= set(agent.permissions)),
    }
