"""The MCP servers agents use: which there are, how they are, what they have, and a call for people to try one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from aos.api.access import system_of

if TYPE_CHECKING:
    from aos.mcp.server import McpServer
    from aos.mcp.servers import McpServers

router = APIRouter(tags=["mcp"])
seed_router = APIRouter(tags=["mcp"])

Fresh = Annotated[bool, Query(description="Ask the server anew, whatever is known of it")]


class ToolCall(BaseModel):
    """A call of a tool."""

    model_config = ConfigDict(extra="forbid")

    arguments: dict[str, Any] = Field(default_factory=dict)


@router.get("/mcp/servers")
@seed_router.get("/servers")
async def servers(request: Request) -> dict[str, Any]:
    """The configured servers, with the state of each as it is known here; none is asked anything."""
    rows = _servers(request).rows()
    return {"servers": rows, "active_servers": sum(row["status"] == "connected" for row in rows)}


@router.get("/mcp/servers/{name}")
async def server(name: str, request: Request, fresh: Fresh = False) -> dict[str, Any]:
    """One server, with its tools, resources and prompts."""
    found = _servers(request).get(name)
    catalogue = await found.catalogue(fresh=fresh)
    return {
        **found.row(),
        "server": dict(catalogue.server),
        "tools": sorted(catalogue.tools),
        "resources": list(catalogue.resources),
        "resource_templates": list(catalogue.templates),
        "prompts": list(catalogue.prompts),
    }


@router.get("/mcp/servers/{name}/status")
@seed_router.get("/servers/{name}/status")
async def status(name: str, request: Request) -> dict[str, Any]:
    """How a server is, as it is known here."""
    return _servers(request).get(name).row()


@router.get("/mcp/servers/{name}/tools")
async def tools(name: str, request: Request, fresh: Fresh = False) -> dict[str, Any]:
    """The tools of a server: their schemas, and what is held of a call of each."""
    found = _servers(request).get(name)
    catalogue = await found.catalogue(fresh=fresh)
    return {"server": name, "tools": [_row(found, each) for each in sorted(catalogue.tools.values(), key=_by_name)]}


@router.post("/mcp/servers/{name}/tools/{tool:path}")
async def call(name: str, tool: str, body: ToolCall, request: Request) -> dict[str, Any]:
    """Call a tool, outside of any agent's turn. What comes back is content from outside."""
    result = await _servers(request).call(name, tool, body.arguments)
    return {"server": name, "tool": tool, "result": result, "labels": [f"untrusted:mcp/{name.lower()}"]}


def _servers(request: Request) -> McpServers:
    return system_of(request).mcp_servers


def _by_name(tool: Any) -> str:
    return str(tool.name)


def _row(server: McpServer, tool: Any) -> dict[str, Any]:
    return {
        "name": f"{server.config.name}.{tool.name}",
        "tool": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
        "effect": tool.effect,
        "risk": tool.risk,
    }
