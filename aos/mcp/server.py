"""One MCP server as its users see it: what it has, and calls to it, with limits, a breaker and errors of ours.

A connection on which a call timed out takes no further calls: the server may hang.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from aos.kernel.errors import AosError, Throttled
from aos.mcp.catalogue import Catalogue, RemoteTool, read_catalogue
from aos.mcp.errors import (
    ConnectionLost,
    ProcessesNotAllowed,
    RequestRefused,
    ServerDisabled,
    ServerFailed,
    ServerTimedOut,
    ServerUnavailable,
    ToolReportedError,
    UnknownTool,
)
from aos.mcp.failures import while_asking
from aos.mcp.line import Line
from aos.mcp.server_config import ServerConfig
from aos.mcp.variables import Variables
from aos.reliability.breaker import CircuitBreaker
from aos.reliability.errors import CircuitBreakerOpenError
from aos.reliability.rate_limiter import RateLimiter
from aos.reliability.retry import RetryConfig
from aos.tools.attempt import Workbench
from aos.tools.statistics import ToolStatistics

if TYPE_CHECKING:
    from mcp import Client

T = TypeVar("T")

FRESH = 300.0
"""Seconds for which it is believed what a server has, unless it says that it has changed."""
MESSAGE_ID = "aos/message_id"
"""In `_meta` of a call: its idempotency key, which servers of AOS know."""

_FAILURES = (ServerUnavailable, ServerTimedOut, ServerFailed, ConnectionLost)
"""What says that the server is not well."""

log = logging.getLogger("aos.mcp")


@dataclass(frozen=True, slots=True)
class Means:
    """What servers are used with.

    Attributes:
        variables: For `${NAME}` in their configuration.
        processes: Whether a process may be started.
        bench: Time, chance, and how to wait.
    """

    variables: Variables
    processes: bool = False
    bench: Workbench = field(default_factory=Workbench)


class McpServer:
    """One server. Close it in the event loop that used it."""

    def __init__(self, config: ServerConfig, means: Means) -> None:
        self.config = config
        self._means = means
        self._clock = means.bench.clock
        self.breaker = CircuitBreaker(
            name=f"MCP server {config.name!r}", expected_exception=_FAILURES, clock=self._clock
        )
        self._limiter = (
            RateLimiter(config.calls_per_minute, name=f"MCP server {config.name!r}", clock=self._clock)
            if config.calls_per_minute
            else None
        )
        self._statistics = ToolStatistics()
        self._catalogue: Catalogue | None = None
        self._expired = False
        self._listing = asyncio.Lock()
        self._line = Line(config, means.variables, self._on_change)
        self._problem: str | None = None

    async def catalogue(self, *, fresh: bool = False) -> Catalogue:
        """What the server has; as it was known before, where it cannot be asked now.

        Args:
            fresh: Ask anew, and fail where that cannot be done.

        Raises:
            ServerUnavailable, ServerTimedOut, ConnectionLost: it cannot be asked, and never could.
            ServerDisabled, ProcessesNotAllowed, SettingInvalid: the configuration is against it.
        """
        found = self._known()
        if found is not None and not fresh:
            return found
        async with self._listing:
            found = self._known()
            if found is not None and not fresh:
                return found
            try:
                read = await self._read(lambda client: read_catalogue(client, self.config, self._clock.monotonic()))
            except (*_FAILURES, Throttled) as error:
                if fresh or self._catalogue is None:
                    raise
                log.warning(
                    "what an MCP server has is as of before", extra={"server": self.config.name, "code": error.code}
                )
                return self._catalogue
            self._catalogue, self._expired = read, False
            return read

    async def tool(self, name: str) -> RemoteTool:
        """One tool; where it is not known, the server is asked anew. Raises `UnknownTool`, and as `catalogue`."""
        catalogue = await self.catalogue()
        if name not in catalogue.tools:
            catalogue = await self.catalogue(fresh=True)
        found = catalogue.tools.get(name)
        if found is None:
            known = ", ".join(sorted(catalogue.tools)) or "none"
            raise UnknownTool(f"MCP server {self.config.name!r} has no tool {name!r}. It has: {known}.")
        return found

    async def call(self, name: str, arguments: dict[str, Any], *, key: str | None = None) -> Any:
        """Call a tool, once; what it brought, as JSON of at most `max_result_bytes`.

        Args:
            name: As the server calls it.
            arguments: What it takes; the server checks them.
            key: Idempotency key, for servers that know one.

        Raises:
            ServerUnavailable, Throttled: nothing has happened.
            ConnectionLost, ServerTimedOut, ServerFailed, AnswerTooLarge, AnswerInvalid: something may have happened.
            ToolReportedError: the tool says that it failed.
            RequestRefused: the server did not take the call.
        """
        from aos.mcp.results import said, tool_result

        if self._limiter is not None:
            self._limiter.acquire()
        started = self._clock.monotonic()
        succeeded = False
        try:
            result = await self._ask(lambda client: _call(client, name, arguments, key))
            if result.is_error:
                # Perhaps its arguments are others by now: look before the next call.
                self._expired = True
                told = self._masked(said(result))[:2_000] or "it did not say why"
                raise ToolReportedError(f"Tool {name!r} of MCP server {self.config.name!r} failed: {told}")
            succeeded = True
            return tool_result(result, self.config.max_result_bytes)
        except RequestRefused:
            self._expired = True
            raise
        finally:
            self._statistics.count(self._clock.monotonic() - started, succeeded=succeeded)

    async def read_resource(self, uri: str) -> list[dict[str, Any]]:
        """The contents of a resource. Raises as `catalogue`, and `RequestRefused`."""
        from aos.mcp.results import content

        result = await self._read(lambda client: client.read_resource(uri))
        return content([each.model_dump(mode="json") for each in result.contents], self.config.max_result_bytes)

    async def get_prompt(self, name: str, arguments: dict[str, str] | None = None) -> list[dict[str, Any]]:
        """The messages of a prompt. Raises as `catalogue`, and `RequestRefused`."""
        result = await self._read(lambda client: client.get_prompt(name, arguments))
        return [message.model_dump(mode="json", exclude_none=True) for message in result.messages]

    def row(self) -> dict[str, Any]:
        """The server as lists show it: nothing of what its variables hold."""
        stats = self._statistics
        missing = self._means.variables.missing(self.config) if self.config.enabled else []
        return {
            "server_id": self.config.name,
            "name": self.config.name,
            "description": self.config.description,
            "type": self.config.type,
            "where": self.config.where(),
            "enabled": self.config.enabled,
            "status": self._status(),
            "problem": " ".join(missing) or self._problem,
            "breaker": self.breaker.state.value,
            "tools": sorted(self._catalogue.tools) if self._catalogue else None,
            "total_requests": stats.calls,
            "successful_requests": stats.successes,
            "failed_requests": stats.failures,
            "average_response_time": stats.seconds / stats.calls if stats.calls else None,
        }

    async def close(self) -> None:
        """Close all connections, and wait until no process of the server is left."""
        await self._line.close()

    def _known(self) -> Catalogue | None:
        found = self._catalogue
        if found is None or self._expired or self._clock.monotonic() - found.read_at >= FRESH:
            return None
        return found

    def _status(self) -> str:
        status = self._line.status
        return "error" if status == "disconnected" and self._problem else status

    async def _read(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Ask something that may be asked again."""
        retry = RetryConfig(max_attempts=self.config.max_retries)
        tries = 0
        while True:
            tries += 1
            try:
                return await self._ask(work)
            except (*_FAILURES, Throttled) as error:
                refused = isinstance(error.__cause__, CircuitBreakerOpenError)
                if refused or tries >= self.config.max_retries:
                    raise
                delay = max(retry.delay(tries, self._means.bench.ids.random()), error.retry_after or 0.0)
            await self._means.bench.sleep(delay)

    async def _ask(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Do something with an open client, once."""
        self._allowed()
        try:
            async with self.breaker:
                found = await self._timed(work)
        except CircuitBreakerOpenError as error:
            raise ServerUnavailable(error.message, retry_after=error.retry_after) from error
        except RequestRefused:
            raise
        except AosError as error:
            self._problem = error.message
            raise
        self._problem = None
        return found

    async def _timed(self, work: Callable[[Client], Awaitable[T]]) -> T:
        async with self._line.lent() as (connection, filled):
            try:
                async with asyncio.timeout(self.config.timeout_seconds):
                    return await connection.run(work)
            except TimeoutError as error:
                self._line.retire(connection)
                raise ServerTimedOut(
                    f"MCP server {self.config.name!r} did not answer within {self.config.timeout_seconds:g} seconds."
                ) from error
            except Exception as error:
                raise while_asking(self.config.name, error, filled, self.config.max_result_bytes) from error

    def _on_change(self) -> None:
        self._expired = True

    def _allowed(self) -> None:
        name = self.config.name
        if not self.config.enabled:
            raise ServerDisabled(f"MCP server {name!r} is switched off. Set `enabled` in its configuration.")
        if self.config.type == "stdio" and not self._means.processes:
            raise ProcessesNotAllowed(
                f"MCP server {name!r} is a process, and none may be started here. Set AOS_MCP_STDIO to true where "
                "that is wanted, or use a server of type `http`."
            )

    def _masked(self, text: str) -> str:
        return self._line.filled.masked(text) if self._line.filled is not None else text


async def _call(client: Client, name: str, arguments: dict[str, Any], key: str | None) -> Any:
    import mcp_types as types

    # Not the client's own `call_tool`: it holds results to a schema it read before, which may have changed since.
    meta: Any = {MESSAGE_ID: key} if key is not None else None
    params = types.CallToolRequestParams(name=name, arguments=arguments, _meta=meta)
    return await client.session.send_request(types.CallToolRequest(params=params), types.CallToolResult)
