"""One agent as a server of the MCP SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

from aos import __version__
from aos.api.mcp.prompts import Prompts
from aos.api.mcp.resources import AgentResources
from aos.api.mcp.tools import AgentTools
from aos.kernel.address import agent_type

if TYPE_CHECKING:
    from aos.system import AgentOperatingSystem

Context = ServerRequestContext[Any]


def agent_server(system: AgentOperatingSystem, address: str) -> Server[Any]:
    """The server of the agent at an address. Raises `UnknownAgentType`."""
    agent = system.directory.expect(address)
    tools = AgentTools(system, agent, address)
    resources = AgentResources(system, address)

    async def list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools.list())

    async def call_tool(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        traceparent = context.request.headers.get("traceparent") if context.request is not None else None
        return await tools.call(params.name, params.arguments or {}, dict(params.meta or {}), traceparent)

    async def list_resources(_: Context, __: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=resources.list())

    async def read_resource(_: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        return types.ReadResourceResult(contents=[await resources.read(params.uri)])

    prompts = Prompts([agent])

    async def list_prompts(_: Context, __: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=prompts.list())

    async def get_prompt(_: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        return prompts.get(params.name, dict(params.arguments or {}))

    return Server(
        address,
        version=__version__,
        title=agent.name or agent_type(address),
        instructions=agent.purpose or None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_read_resource=read_resource,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )
