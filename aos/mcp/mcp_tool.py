"""A tool of an MCP server as a tool of agents: journaled, granted and guarded like any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, RootModel

from aos.reliability.retry import RetryConfig
from aos.tools.declaration import Tool, ToolContext

if TYPE_CHECKING:
    from aos.mcp.catalogue import RemoteTool
    from aos.mcp.server import McpServer


class Given(RootModel[dict[str, Any]]):
    """Arguments as they were given. The server checks them: only it knows for certain what it takes by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McpTool(Tool):
    """A tool named `server.tool`.

    Attributes:
        schema: What the server says of its arguments.
    """

    schema: Mapping[str, Any]

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return dict(self.schema)

    def read(self, arguments: Mapping[str, Any]) -> BaseModel:
        """The arguments, unchecked."""
        return Given(dict(arguments))

    async def run(self, arguments: BaseModel, context: ToolContext) -> Any:
        """Call the tool on its server; what it brought, as JSON."""
        return await self.function(arguments.model_dump(mode="json"), context.idempotency_key)


def mcp_tool(server: McpServer, remote: RemoteTool) -> McpTool:
    """The tool of agents for a server's tool. Its results are labelled `untrusted:mcp/<server>`."""

    async def call(arguments: dict[str, Any], key: str) -> Any:
        return await server.call(remote.name, arguments, key=key)

    return McpTool(
        name=f"{server.config.name}.{remote.name}",
        description=remote.description,
        function=call,
        arguments=Given,
        effect=remote.effect,
        risk=remote.risk,
        # The server's own limits come first: they know whether anything was done.
        timeout=server.config.timeout_seconds * 2 + 5,
        retry=RetryConfig(max_attempts=server.config.max_retries),
        outside=f"mcp/{server.config.name.lower()}",
        schema=remote.parameters,
    )
