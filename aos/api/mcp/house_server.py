"""All agents as one server of the MCP SDK: each agent a tool, what is kept of each a resource."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from aos import __version__
from aos.agents import Agent
from aos.agents.query import QUERY_TYPE, Query
from aos.api.mcp.prompts import Prompts
from aos.api.mcp.resources import RESOURCES, AgentResources
from aos.api.mcp.tools import AgentTools

if TYPE_CHECKING:
    from aos.system import AgentOperatingSystem

Context = ServerRequestContext[Any]

_PREFIX = "aos://agents/"


def house_server(system: AgentOperatingSystem, agents: list[Agent[Any]]) -> Server[Any]:
    """The server of those agents, which are all that the caller may see."""
    seen = {agent.type: agent for agent in agents}
    prompts = Prompts(agents)

    async def list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_tool(agent) for agent in agents if agent.message_types])

    async def call_tool(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        agent = seen.get(params.name)
        if agent is None:
            raise MCPError(types.INVALID_PARAMS, f"There is no agent {params.name!r} here. There are: {_known(seen)}.")
        traceparent = context.request.headers.get("traceparent") if context.request is not None else None
        message, data = _message(agent, params.arguments or {})
        tools = AgentTools(system, agent, agent.type)
        return await tools.post(message, data, dict(params.meta or {}), traceparent)

    async def list_resources(_: Context, __: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        found = [each for agent in agents for each in AgentResources(system, agent.type).list(whole_name=True)]
        return types.ListResourcesResult(resources=found)

    async def list_templates(_: Context, __: types.PaginatedRequestParams | None) -> types.ListResourceTemplatesResult:
        templates = [
            types.ResourceTemplate(
                uri_template=f"{_PREFIX}{{agent}}/{name}", name=name, description=said, mime_type="application/json"
            )
            for name, said in RESOURCES.items()
        ]
        return types.ListResourceTemplatesResult(resource_templates=templates)

    async def read_resource(_: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        address = params.uri.removeprefix(_PREFIX).rpartition("/")[0]
        if not params.uri.startswith(_PREFIX) or address.partition(":")[0] not in seen:
            raise MCPError(
                types.INVALID_PARAMS,
                f"There is no resource {params.uri!r} here. Use {_PREFIX}<agent>/<{'|'.join(RESOURCES)}> with one of: "
                f"{_known(seen)}.",
            )
        return types.ReadResourceResult(contents=[await AgentResources(system, address).read(params.uri)])

    async def list_prompts(_: Context, __: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=prompts.list())

    async def get_prompt(_: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        return prompts.get(params.name, dict(params.arguments or {}))

    return Server(
        "aos",
        version=__version__,
        title="Agent Operating System",
        instructions="Each tool is an agent: a call puts a message into its mailbox.",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )


def _tool(agent: Agent[Any]) -> types.Tool:
    about = [agent.purpose or agent.name or agent.type]
    if agent.capabilities:
        about.append(f"It can: {', '.join(agent.capabilities)}.")
    if QUERY_TYPE in agent.message_types and QUERY_TYPE not in agent.message_handlers:
        schema = Query.model_json_schema()
    else:
        about += ["Messages it takes:", *(f"- {line}" for line in _messages(agent))]
        schema = {
            "type": "object",
            "properties": {
                "message": {"enum": agent.message_types, "description": "Which message is sent"},
                "data": {"description": "What the message holds"},
            },
            "required": ["message"],
            "additionalProperties": False,
        }
    return types.Tool(name=agent.type, title=agent.name or None, description="\n".join(about), input_schema=schema)


def _messages(agent: Agent[Any]) -> list[str]:
    lines: list[str] = []
    for key, handler in sorted(agent.message_handlers.items()):
        said = (inspect.getdoc(getattr(agent, handler.name)) or "").partition("\n")[0]
        lines.append(f"{key}: {said}" if said else key)
    return lines


def _message(agent: Agent[Any], arguments: dict[str, Any]) -> tuple[str, Any]:
    """Type and data of the message that a call stands for. Raises `MCPError`."""
    if "message" not in arguments and QUERY_TYPE in agent.message_types:
        return QUERY_TYPE, arguments
    message = arguments.get("message")
    if message not in agent.message_types:
        known = ", ".join(agent.message_types)
        raise MCPError(types.INVALID_PARAMS, f"`message` must be one that {agent.type!r} takes: {known}.")
    return str(message), arguments.get("data")


def _known(agents: dict[str, Agent[Any]]) -> str:
    return ", ".join(sorted(agents)) or "none"
