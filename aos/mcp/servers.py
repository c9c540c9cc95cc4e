"""The MCP servers of a process, and which of their tools an agent was granted."""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aos.mcp.config_file import read_servers
from aos.mcp.errors import UnknownServer
from aos.mcp.mcp_tool import mcp_tool
from aos.mcp.server import McpServer, Means
from aos.mcp.server_config import ServerConfig
from aos.mcp.variables import Resolve, Variables
from aos.reliability.retry import Retry, RetryConfig
from aos.tools.attempt import Workbench
from aos.tools.declaration import Tool

DEFAULT_FILE = Path("mcp.json")


class McpServers:
    """The servers that are configured. Nothing is connected to before it is needed.

    Args:
        configs: The servers.
        means: What they are used with.
    """

    def __init__(self, configs: Sequence[ServerConfig] = (), means: Means | None = None) -> None:
        used = means or Means(Variables({}, _as_it_is))
        self._servers = {config.name: McpServer(config, used) for config in configs}
        self._bench = used.bench

    @classmethod
    def of_file(
        cls,
        path: Path | None,
        *,
        environ: Mapping[str, str],
        resolve: Resolve,
        processes: bool,
        bench: Workbench | None = None,
    ) -> McpServers:
        """The servers of a file.

        Args:
            path: The file; without it `mcp.json` in the working folder, if there is one.
            environ: App settings, for `${NAME}` in it.
            resolve: Follows references into vaults.
            processes: Whether processes may be started.
            bench: Time, chance, and how to wait.

        Raises:
            SettingInvalid: the file is not right.
        """
        return cls(_configs(path), Means(Variables(environ, resolve), processes, bench or Workbench()))

    def __iter__(self) -> Iterator[McpServer]:
        return iter(self._servers.values())

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._servers)

    @property
    def enabled(self) -> list[str]:
        """Names of those that take part, in alphabetical order."""
        return sorted(name for name, server in self._servers.items() if server.config.enabled)

    def get(self, name: str) -> McpServer:
        """A server. Raises `UnknownServer`, naming those there are."""
        found = self._servers.get(name)
        if found is None:
            known = ", ".join(sorted(self._servers)) or "none"
            raise UnknownServer(f"There is no MCP server {name!r}. There are: {known}.")
        return found

    def rows(self) -> list[dict[str, Any]]:
        """All servers, in alphabetical order."""
        return [self._servers[name].row() for name in sorted(self._servers)]

    async def granted(self, grants: Sequence[str]) -> list[Tool]:
        """The tools that fit one of the grants, such as `files.*` or `search.find`.

        Raises:
            UnknownServer: a grant names a server that is not configured.
            ServerUnavailable, ServerTimedOut, ConnectionLost: a server cannot be asked what it has, and never could.
            ServerDisabled, ProcessesNotAllowed, SettingInvalid: the configuration is against a server.
        """
        servers = self._named(grants)
        catalogues = await asyncio.gather(*(server.catalogue() for server in servers))
        return [
            mcp_tool(server, remote)
            for server, catalogue in zip(servers, catalogues, strict=True)
            for remote in catalogue.tools.values()
            if fits(f"{server.config.name}.{remote.name}", grants)
        ]

    async def find(self, name: str, grants: Sequence[str]) -> Tool | None:
        """One tool by its whole name, if it was granted. Raises `UnknownTool`, and as `granted`."""
        server, _, tool = name.partition(".")
        if not tool or not fits(name, grants):
            return None
        found = self.get(server)
        return mcp_tool(found, await found.tool(tool))

    async def call(self, server: str, tool: str, arguments: dict[str, Any]) -> Any:
        """Call a tool outside of any turn; tried again only where a repetition does no harm.

        Raises:
            UnknownServer, UnknownTool: there is none.
            AosError: as `McpServer.call`.
        """
        found = self.get(server)
        called = mcp_tool(found, await found.tool(tool))
        key = self._bench.ids.new()
        harmless = called.effect in ("read", "idempotent")
        retry = Retry(
            called.retry if harmless else RetryConfig(max_attempts=1),
            sleep=self._bench.sleep,
            clock=self._bench.clock,
            ids=self._bench.ids,
        )
        return await retry.run(lambda: found.call(tool, arguments, key=key))

    async def close(self) -> None:
        """Close all connections, and wait until no process is left."""
        await asyncio.gather(*(server.close() for server in self._servers.values()))

    def _named(self, grants: Sequence[str]) -> list[McpServer]:
        found: dict[str, McpServer] = {}
        for grant in grants:
            name = grant.partition(".")[0]
            matching = fnmatch.filter(self._servers, name) if set(name) & set("*?[") else [self.get(name).config.name]
            found.update({each: self._servers[each] for each in matching if self._servers[each].config.enabled})
        return list(found.values())


def configured_names(path: Path | None) -> frozenset[str]:
    """Names of the servers of a file, as `McpServers.of_file` finds it. Raises `SettingInvalid`."""
    return frozenset(config.name for config in _configs(path))


def unusable(path: Path | None, environ: Mapping[str, str]) -> list[str]:
    """What is not set of what the servers of a file need, in sentences. Raises `SettingInvalid` as `of_file`."""
    variables = Variables(environ, _as_it_is)
    return [said for config in _configs(path) if config.enabled for said in variables.missing(config)]


def _configs(path: Path | None) -> Sequence[ServerConfig]:
    file = path or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
    return read_servers(file) if file is not None else ()


def fits(name: str, grants: Sequence[str]) -> bool:
    """Whether one of the grants is for this tool."""
    return any(fnmatch.fnmatchcase(name, grant) for grant in grants)


async def _as_it_is(_: str, value: str) -> str:
    return value
