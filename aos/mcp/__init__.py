"""MCP servers as agents use them: which there are, a connection to each, and their tools as tools of agents.

What is exported here is loaded on first use, the SDK only when a server is connected to.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aos.mcp.errors import (
        AnswerInvalid,
        AnswerTooLarge,
        ConnectionLost,
        ProcessesNotAllowed,
        RequestRefused,
        ServerDisabled,
        ServerFailed,
        ServerTimedOut,
        ServerUnavailable,
        ToolReportedError,
        UnknownServer,
        UnknownTool,
    )
    from aos.mcp.mcp_tool import McpTool
    from aos.mcp.server import McpServer
    from aos.mcp.server_config import ServerConfig
    from aos.mcp.servers import McpServers

__all__ = [
    "AnswerInvalid",
    "AnswerTooLarge",
    "ConnectionLost",
    "McpServer",
    "McpServers",
    "McpTool",
    "ProcessesNotAllowed",
    "RequestRefused",
    "ServerConfig",
    "ServerDisabled",
    "ServerFailed",
    "ServerTimedOut",
    "ServerUnavailable",
    "ToolReportedError",
    "UnknownServer",
    "UnknownTool",
]

_HOME = {
    "errors": tuple(name for name in __all__ if name not in ("McpServer", "McpServers", "McpTool", "ServerConfig")),
    "mcp_tool": ("McpTool",),
    "server": ("McpServer",),
    "server_config": ("ServerConfig",),
    "servers": ("McpServers",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
