"""The HTTP of one call: sends what a dialect wrote, reads JSON or events back, and keeps the times while doing so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from typing import TYPE_CHECKING, Any

from aos.llm.call import Call
from aos.llm.errors import ConnectionFailed, MalformedAnswer, ModelError, StreamCut, TimeoutPhase
from aos.llm.faults import error_in, fault, parse_body
from aos.llm.framing import FrameParser, FrameTooLong, ServerEvent
from aos.llm.rate_headers import rate_limits
from aos.llm.response import RateLimits
from aos.llm.wire import Incoming, Outgoing, Wire

if TYPE_CHECKING:
    from aos.kernel.ports import Clock

_REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid")
_DRAIN = 0.25


class Pace:
    """When the next piece of a stream is due: the first content within one time, each further one within another."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.first_content: float | None = None
        self.phase: TimeoutPhase = "first_token"
        self.finished = False
        self.due = _after(call.started, call.times.first_token)

    def content(self) -> None:
        """Content came, and the caller has taken it."""
        self.phase = "between_tokens"
        self.due = _after(self._call.now, self._call.times.between_tokens)

    def saw_content(self) -> None:
        if self.first_content is None:
            self.first_content = self._call.elapsed


def _after(start: float, seconds: float | None) -> float | None:
    return None if seconds is None else start + seconds


class Exchange:
    """Requests of one call, and what the last answer's headers said.

    Attributes:
        at_end: The stream has ended; an event read now may be the torn end of one.
    """

    def __init__(self, wire: Wire, call: Call, clock: Clock) -> None:
        self.at_end = False
        self._wire = wire
        self._call = call
        self._clock = clock
        self._status: int | None = None
        self._headers: Mapping[str, str] = {}

    @property
    def request_id(self) -> str | None:
        return next((self._headers[name] for name in _REQUEST_IDS if name in self._headers), None)

    @property
    def limits(self) -> RateLimits | None:
        return rate_limits(self._headers, self._clock.now())

    def reported(self, body: Any) -> ModelError:
        """The error that a body stands for."""
        return fault(
            self._call.target,
            status=self._status,
            headers=self._headers,
            body=body,
            now=self._clock.now(),
            request_id=self.request_id,
        )

    async def json(self, outgoing: Outgoing) -> Mapping[str, Any]:
        """Send a request and read its JSON object. An error, even under a good status, is raised."""
        async with self._wire.open(self._call, outgoing) as incoming:
            self._note(incoming)
            return self._object(await incoming.read())

    async def events(self, outgoing: Outgoing, parser: FrameParser, pace: Pace) -> AsyncGenerator[ServerEvent, None]:
        """Send a request and read its events as they come. Closing the generator closes the connection."""
        call = self._call
        async with AsyncExitStack() as stack:
            async with call.within(pace.phase, pace.due):
                incoming = await stack.enter_async_context(self._wire.open(call, outgoing))
                self._note(incoming)
                await self._refuse_json(incoming)
            chunks = await stack.enter_async_context(aclosing(self._chunks(incoming)))
            while not pace.finished:
                async with call.within(pace.phase, pace.due):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                for event in self._parsed(parser, chunk):
                    yield event
            if pace.finished:
                await _drain(chunks)
                return
            self.at_end = True
            for event in parser.close():
                yield event

    async def _chunks(self, incoming: Incoming) -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in incoming.chunks():
                yield chunk
        except ConnectionFailed as error:
            raise self._call.target.error(StreamCut, "the connection broke during the answer.") from error

    def _parsed(self, parser: FrameParser, chunk: bytes) -> list[ServerEvent]:
        try:
            return parser.feed(chunk)
        except FrameTooLong as error:
            raise self._call.target.error(MalformedAnswer, f"{error}.") from error

    async def _refuse_json(self, incoming: Incoming) -> None:
        """A stream that is no stream: an error, or an answer in one piece that nobody asked for."""
        kind = incoming.headers.get("content-type", "").partition(";")[0].strip().lower()
        if incoming.status < 400 and kind != "application/json":
            return
        self._object(await incoming.read())
        raise self._call.target.error(MalformedAnswer, "a stream was asked for, and something else came.")

    def _note(self, incoming: Incoming) -> None:
        self._status, self._headers = incoming.status, incoming.headers

    def _object(self, raw: bytes) -> Mapping[str, Any]:
        body = parse_body(raw)
        status = self._status or 0
        if status >= 400 or error_in(body) is not None:
            raise self.reported(body)
        if status >= 300:
            raise self._call.target.error(
                MalformedAnswer, f"answered {status}, a redirection. Check its base URL.", status=status
            )
        if not isinstance(body, Mapping):
            what = "empty" if not raw.strip() else "not a JSON object"
            raise self._call.target.error(
                MalformedAnswer, f"the answer is {what}.", status=status, request_id=self.request_id
            )
        return body


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read what follows the end of an answer, so that the connection can be used again; not at any price."""
    with suppress(TimeoutError, ModelError):
        async with asyncio.timeout(_DRAIN):
            async for _ in chunks:
                pass
