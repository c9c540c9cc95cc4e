"""The streaming bridge: the API answered chunk by chunk, through the http-fastapi extension."""

import asyncio
import typing

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response, StreamingResponse

from aos.functions.invocation import invocation_scope

App = typing.Callable[..., typing.Awaitable[None]]


def handler(app: typing.Callable[[], App]) -> typing.Callable[..., typing.Any]:
    """An HTTP function that runs the ASGI app `app` gives, and streams what it sends."""

    async def http(req: Request, context: func.Context) -> Response:
        async with invocation_scope(context):
            return await stream(app(), req)

    return http


async def stream(app: App, req: Request) -> Response:
    """Run an ASGI app on a request; the response goes out as the app sends it. Leaving it early ends the app."""
    messages: asyncio.Queue[typing.MutableMapping[str, typing.Any] | None] = asyncio.Queue(maxsize=16)

    async def produce() -> None:
        try:
            await app(dict(req.scope), req.receive, messages.put)
        finally:
            await messages.put(None)

    producer = asyncio.create_task(produce())
    start = await messages.get()
    if start is None:
        await producer
        raise RuntimeError("The app ended without a response.")

    async def chunks() -> typing.AsyncIterator[bytes]:
        try:
            while (message := await messages.get()) is not None:
                if message.get("body"):
                    yield message["body"]
            await producer
        finally:
            producer.cancel()

    response = StreamingResponse(chunks(), status_code=start["status"])
    response.raw_headers = list(start.get("headers", []))
    return response
