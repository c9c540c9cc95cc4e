"""Tools: which there are, what they take, what a call does to the world, and how they have done."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from aos.api.access import system_of

router = APIRouter(tags=["tools"])


@router.get("/tools")
async def tools(request: Request) -> dict[str, Any]:
    """The tools of this host: their schemas, the agents they are granted to, and statistics since the host began."""
    registry = system_of(request).registry
    granted: dict[str, list[str]] = {}
    for agent in registry:
        for tool in agent.tools:
            granted.setdefault(tool if isinstance(tool, str) else tool.name, []).append(agent.type)
    rows = registry.surroundings.tools.rows()
    return {"tools": [{**row, "granted_to": sorted(granted.get(row["name"], []))} for row in rows]}
