"""Sends answers, and ends those that would stay open when the host stops: nobody waits for the end of events."""

from __future__ import annotations

import asyncio

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

EVENT_STREAM = "text/event-stream"


class LiveAnswers:
    """The answers of one host. Streams of events are its business; any other answer ends by itself."""

    def __init__(self) -> None:
        self._stopped = asyncio.Event()

    def end(self) -> None:
        """End the streams of events; their readers ask again elsewhere, as the format has it."""
        self._stopped.set()

    async def send(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        """Send an answer to its end, or to that of the host."""
        if not response.headers.get("content-type", "").startswith(EVENT_STREAM):
            await response(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        sending = asyncio.ensure_future(response(scope, receive, watched))
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait({sending, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            is_cut = not sending.done()
            sending.cancel()
            stopped.cancel()
            await asyncio.gather(sending, stopped, return_exceptions=True)
        if is_cut and begun:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
