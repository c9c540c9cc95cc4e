"""Agents as MCP servers: streamable HTTP without sessions, each answer a JSON object."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from aos.api.access import system_of
from aos.kernel.address import agent_type
from aos.kernel.errors import PermissionDenied

router = APIRouter(tags=["mcp"])


@router.post("/mcp")
async def house(request: Request) -> Response:
    """A JSON-RPC message of the Model Context Protocol for all agents: each is a tool."""
    system = system_of(request)
    await system.declarations.keep_fresh()
    from aos.api.mcp.exchange import exchange
    from aos.api.mcp.house_server import house_server
    from aos.api.mcp.scope import scope_of

    scope = scope_of(request)
    agents = [agent for agent in system.registry if agent.listed and await scope.sees(request, agent.type)]
    return await exchange(house_server(system, agents), request, max_bytes=system.config.api.max_body_bytes)


@router.post("/mcp/{agent_id}")
async def answer(agent_id: str, request: Request) -> Response:
    """A JSON-RPC message of the Model Context Protocol for one agent: its messages are tools, its context resources."""
    system = system_of(request)
    system.directory.expect(agent_id)
    from aos.api.mcp.agent_server import agent_server
    from aos.api.mcp.exchange import exchange
    from aos.api.mcp.scope import scope_of

    if not await scope_of(request).sees(request, agent_type(agent_id)):
        raise PermissionDenied(f"Agent {agent_id!r} is not one that this credential may use.")
    return await exchange(agent_server(system, agent_id), request, max_bytes=system.config.api.max_body_bytes)
