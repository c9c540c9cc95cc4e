"""Agents as MCP servers: streamable HTTP without sessions, each answer a JSON object."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from aos.api.access import system_of

router = APIRouter(tags=["mcp"])


@router.post("/mcp/{agent_id}")
async def answer(agent_id: str, request: Request) -> Response:
    """A JSON-RPC message of the Model Context Protocol for one agent: its messages are tools, its context resources."""
    system = system_of(request)
    system.directory.expect(agent_id)
    from aos.api.mcp.agent_server import agent_server
    from aos.api.mcp.exchange import exchange

    return await exchange(agent_server(system, agent_id), request, max_bytes=system.config.api.max_body_bytes)
