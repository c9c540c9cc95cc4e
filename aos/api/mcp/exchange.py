"""One MCP message over HTTP: what the SDK needs is made for the request and gone after it.

Nothing waits between requests, so there is no session, no stream and no lifespan of the app to depend on.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

from fastapi import Request, Response
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import Message, Receive, Scope

# The SDK reports the start and the end of a server, which here is each request.
logging.getLogger("mcp").setLevel(logging.WARNING)


async def exchange(server: Server[Any], request: Request, *, max_bytes: int) -> Response:
    """Have the server answer the request's JSON-RPC message."""
    body = await request.body()
    manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True, max_request_body_size=max_bytes)
    answer = _Answer()
    async with manager.run():
        await manager.handle_request(_accepting(request), _again(body, request.receive), answer.take)
    return answer.response()


class _Answer:
    """Collects what an ASGI app sends."""

    def __init__(self) -> None:
        self._status = 500
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [(name, value) for name, value in message.get("headers", [])]
        else:
            self._body.append(message.get("body", b""))

    def response(self) -> Response:
        response = Response(b"".join(self._body), self._status)
        response.raw_headers = self._headers
        return response


def _accepting(request: Request) -> Scope:
    """The request's scope; one that does not say what it accepts takes anything, which the SDK would refuse."""
    if "accept" in request.headers:
        return request.scope
    return {**request.scope, "headers": [*request.scope["headers"], (b"accept", b"*/*")]}


def _again(body: bytes, receive: Receive) -> Receive:
    """Receives a body that was read already, and then what comes after it."""
    waiting: deque[Message] = deque([{"type": "http.request", "body": body, "more_body": False}])

    async def again() -> Message:
        return waiting.popleft() if waiting else await receive()

    return again
