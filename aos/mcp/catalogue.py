"""What a server says it has: tools, resources, prompts; and what is held of its tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aos.mcp.errors import AnswerInvalid
from aos.mcp.server_config import ServerConfig
from aos.tools.declaration import Effect, Risk

if TYPE_CHECKING:
    import mcp_types as types
    from mcp import Client

MOST = 2_000
"""Tools, resources or prompts that are read of one server."""
_PAGES = 100
_RISKS: Mapping[Effect, Risk] = {"read": "low", "idempotent": "medium", "reversible": "high", "irreversible": "high"}


@dataclass(frozen=True, slots=True)
class RemoteTool:
    """One tool of a server.

    Attributes:
        name: As the server calls it.
        description: What the server says of it: content from outside.
        parameters: JSON Schema of its arguments.
        effect, risk: As the configuration says; else derived from the server's annotations, and where it gives none,
            the worst is assumed.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    effect: Effect
    risk: Risk


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a server has.

    Attributes:
        tools: By name.
        resources, templates, prompts: As rows of JSON.
        server: Name and version it gives itself.
        read_at: When it was asked, by the monotonic clock.
    """

    tools: Mapping[str, RemoteTool] = field(default_factory=dict)
    resources: tuple[dict[str, Any], ...] = ()
    templates: tuple[dict[str, Any], ...] = ()
    prompts: tuple[dict[str, Any], ...] = ()
    server: Mapping[str, str] = field(default_factory=dict)
    read_at: float = 0.0


async def read_catalogue(client: Client, config: ServerConfig, now: float) -> Catalogue:
    """Ask a server what it has. Raises `AnswerInvalid` where it has more than can be."""
    has, info = client.server_capabilities, client.server_info
    tools: list[types.Tool] = []
    if has.tools is not None:
        tools = await _all(client.list_tools, "tools", config.name)
    resources: list[Any] = []
    templates: list[Any] = []
    if has.resources is not None:
        resources = await _all(client.list_resources, "resources", config.name)
        templates = await _all(client.list_resource_templates, "resource_templates", config.name)
    prompts: list[Any] = []
    if has.prompts is not None:
        prompts = await _all(client.list_prompts, "prompts", config.name)
    return Catalogue(
        tools={tool.name: remote_tool(tool, config) for tool in tools},
        resources=tuple(_row(each, "uri", "name", "description", "mime_type") for each in resources),
        templates=tuple(_row(each, "uri_template", "name", "description", "mime_type") for each in templates),
        prompts=tuple(_row(each, "name", "description", "arguments") for each in prompts),
        server={} if info is None else {"name": info.name, "version": info.version},
        read_at=now,
    )


def remote_tool(tool: types.Tool, config: ServerConfig) -> RemoteTool:
    """What is held of a tool."""
    rule = config.rule(tool.name)
    effect = rule.effect or _effect(tool.annotations)
    return RemoteTool(
        tool.name, tool.description or tool.title or "", tool.input_schema, effect, rule.risk or _RISKS[effect]
    )


def _effect(hints: types.ToolAnnotations | None) -> Effect:
    if hints is None:
        return "irreversible"
    if hints.read_only_hint:
        return "read"
    return "idempotent" if hints.idempotent_hint else "irreversible"


async def _all(ask: Any, field: str, server: str) -> list[Any]:
    from mcp.shared.exceptions import MCPError
    from mcp_types import METHOD_NOT_FOUND

    found: list[Any] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        try:
            page = await ask(cursor=cursor)
        except MCPError as error:
            # A server with resources need not have templates of them, and no capability tells.
            if error.code == METHOD_NOT_FOUND:
                return []
            raise
        found += getattr(page, field)
        cursor = page.next_cursor
        if cursor is None or len(found) > MOST:
            break
    if cursor is not None or len(found) > MOST:
        raise AnswerInvalid(f"MCP server {server!r} lists more than {MOST:,} {field}. Use a server with fewer.")
    return found


def _row(item: Any, *names: str) -> dict[str, Any]:
    values = item.model_dump(mode="json")
    return {name: values[name] for name in names if values.get(name) is not None}
