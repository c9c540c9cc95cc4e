"""The streaming bridge: the API answered chunk by chunk, through the http-fastapi extension."""

import asyncio
import typing

from azurefunctions.extensions.http.fastapi import Request, Response, StreamingResponse

App = typing.Callable[..., typing.Awaitable[None]]


def handler(app: typing.Callable[[], App]) -> typing.Callable[..., typing.Any]:
    """An HTTP function that runs the ASGI app `app` gives, and streams what it sends."""

    async def http(req: Request) -> Response:
        return await _run(app(), req)

    return http


async def _run(app: App, req: Request) -> Response:
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
