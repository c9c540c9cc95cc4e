"""Opens the SDK's client to one server, over a process's pipes or over HTTP, and loses none of what ends it.

Loaded when a server is first connected to: the SDK is slow to import.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from aos import __version__
from aos.mcp.server_config import ServerConfig
from aos.mcp.stderr_tail import StderrTail
from aos.mcp.variables import Filled

Changed = Callable[[], None]

_CONNECT_SECONDS = 10.0

# Both log addresses, and the SDK each message it cannot read: what matters of that is in our own errors.
for _name in ("mcp", "client", "httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


_UNDONE = {401, 403, 429, 503}
"""Answers after which nothing was done."""


class BodyTooLarge(httpx2.TransportError):
    """An answer went over the limit; the rest of it was not read."""


class NotServed(httpx2.TransportError):
    """The server turned a request away before it did anything.

    Attributes:
        status: Of HTTP.
        retry_after: Seconds, where it said so.
    """

    def __init__(self, status: int, retry_after: float | None) -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status
        self.retry_after = retry_after


@asynccontextmanager
async def opened(
    config: ServerConfig, filled: Filled, *, changed: Changed, ended: Changed, tail: StderrTail
) -> AsyncIterator[Client]:
    """A client for the block, which must begin and end in one task.

    Args:
        config: The server.
        filled: The same with its variables.
        changed: Called when the server says that its tools, prompts or resources are others.
        ended: Called when the server ends the connection.
        tail: Keeps the end of what a process writes to its stderr.
    """

    async def on_message(message: Any) -> None:
        if isinstance(
            message,
            types.ToolListChangedNotification
            | types.ResourceListChangedNotification
            | types.PromptListChangedNotification,
        ):
            changed()

    pipes = _process(filled, tail, ended) if config.type == "stdio" else _http(config, filled)
    who = types.Implementation(name="aos", version=__version__)
    async with Client(pipes, message_handler=on_message, client_info=who, cache=None) as client:
        listening = asyncio.create_task(_listen(client, changed))
        try:
            yield client
        finally:
            listening.cancel()
            await asyncio.wait([listening])


@asynccontextmanager
async def _process(filled: Filled, tail: StderrTail, ended: Changed) -> AsyncIterator[Any]:
    parameters = StdioServerParameters(
        command=filled.command, args=list(filled.args), env=dict(filled.env), cwd=filled.cwd
    )
    with tail.writing() as errors:
        async with stdio_client(parameters, errlog=errors) as (read, write), anyio.create_task_group() as tasks:
            send, receive = anyio.create_memory_object_stream[Any](0)

            async def relay() -> None:
                # A process that ends while nobody asks it anything is noticed here, and only here.
                async with send:
                    try:
                        async for message in read:
                            await send.send(message)
                    except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                        pass  # the session was closed on our side
                ended()

            tasks.start_soon(relay)
            try:
                yield receive, write
            finally:
                tasks.cancel_scope.cancel()
                receive.close()


@asynccontextmanager
async def _http(config: ServerConfig, filled: Filled) -> AsyncIterator[Any]:
    # Answers are waited for by those who asked; a stream of events is silent for as long as nothing happens.
    timeout = httpx2.Timeout(_CONNECT_SECONDS, read=None)
    transport = _Bounded(httpx2.AsyncHTTPTransport(), config.max_result_bytes)
    async with (
        httpx2.AsyncClient(headers=dict(filled.headers), timeout=timeout, transport=transport) as http,
        streamable_http_client(filled.url, http_client=http, max_sse_event_size=config.max_result_bytes * 2) as pipes,
    ):
        yield pipes


async def _listen(client: Client, changed: Changed) -> None:
    """Hear of changes, where the server tells of them on a stream of its own."""
    from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
    from mcp.shared.exceptions import MCPError

    has = client.server_capabilities
    wanted = {
        f"{kind}_list_changed": True
        for kind, part in (("tools", has.tools), ("resources", has.resources), ("prompts", has.prompts))
        if part is not None and part.list_changed
    }
    if not wanted:
        return
    try:
        async with client.listen(**wanted) as subscription:  # type: ignore[arg-type]  # three flags of one type
            async for _ in subscription:
                changed()
    except (ListenNotSupportedError, SubscriptionLost, MCPError, TimeoutError):
        return  # older servers send notifications instead, and the catalogue has an end of its own in any case


class _Bounded(httpx2.AsyncBaseTransport):
    """Ends answers that are over the limit or say that nothing was done. The SDK bounds streams, an event at a time."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, limit: int) -> None:
        self._inner = inner
        self._limit = limit

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        # The SDK does not tell one status from another; a session that is gone is told by 404.
        gone = response.status_code == 404 and "mcp-session-id" in request.headers
        if request.method == "POST" and (gone or response.status_code in _UNDONE):
            await response.aclose()
            after = response.headers.get("retry-after", "")
            raise NotServed(response.status_code, float(after) if after.isdigit() else None)
        if "text/event-stream" not in response.headers.get("content-type", ""):
            assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101  # of an asynchronous transport
            # Twice the limit: what is over it only by its wrapping is cut off, like any other result.
            response.stream = _Counted(response.stream, self._limit * 2)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, limit: int) -> None:
        self._inner = inner
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for chunk in self._inner:
            read += len(chunk)
            if read > self._limit:
                raise BodyTooLarge(f"The answer has more than {self._limit:,} bytes.")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
