"""The streaming bridge: chunks leave as the app sends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from starlette.requests import Request

from aos.functions.streaming import stream


def request() -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    return Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}, receive)


async def test_a_chunk_is_there_before_the_next_one_is_made() -> None:
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 206, "headers": [(b"x-test", b"yes")]})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"second", "more_body": False})

    response = await stream(app, request())
    assert (response.status_code, response.headers["x-test"]) == (206, "yes")
    chunks = cast("AsyncGenerator[bytes, None]", cast("Any", response).body_iterator)
    assert await anext(chunks) == b"first"
    go_on.set()
    assert [chunk async for chunk in chunks] == [b"second"]


async def test_who_leaves_early_ends_the_app() -> None:
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"tick", "more_body": True})
        finally:
            ended.set()

    response = await stream(app, request())
    chunks = cast("AsyncGenerator[bytes, None]", cast("Any", response).body_iterator)
    assert await anext(chunks) == b"tick"
    await chunks.aclose()
    await ended.wait()


async def test_an_app_that_fails_before_its_response_fails_the_invocation() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await stream(app, request())
