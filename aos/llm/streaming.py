"""One streamed call over its tries. Once the caller has seen content, nobody else takes over unseen."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aos.llm.course import Course
from aos.llm.errors import ModelError, StreamCut
from aos.llm.messages import ReasoningPart, TextPart
from aos.llm.request import ModelRequest
from aos.llm.response import (
    Delta,
    ModelResponse,
    ReasoningDelta,
    StreamEnd,
    StreamRestarted,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from aos.llm.tickets import Ticket
from aos.llm.transport import ModelTransport
from aos.llm.tries import with_tries


class _Arrived:
    """What one try has given so far."""

    def __init__(self, request: ModelRequest, ticket: Ticket) -> None:
        self._request = request
        self._ticket = ticket
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._arguments = 0
        self.first: float | None = None

    def add(self, delta: Delta) -> None:
        if self.first is None:
            self.first = self._ticket.elapsed
        if isinstance(delta, TextDelta):
            self._text.append(delta.text)
        elif isinstance(delta, ReasoningDelta):
            self._reasoning.append(delta.text)
        elif isinstance(delta, ToolCallDelta):
            self._arguments += len(delta.arguments)

    @property
    def usage(self) -> Usage | None:
        """Counted from the text; None where nothing came."""
        if self.first is None:
            return None
        written = sum(map(len, self._text)) + sum(map(len, self._reasoning)) + self._arguments
        return Usage(
            input_tokens=self._request.estimated_input_tokens, output_tokens=(written + 3) // 4, estimated=True
        )

    def partial(self) -> ModelResponse:
        thought = (ReasoningPart(text="".join(self._reasoning)),) if self._reasoning else ()
        said = (TextPart(text="".join(self._text)),) if self._text else ()
        provider, model = self._ticket.candidate.key
        return ModelResponse(
            parts=(*thought, *said),
            finish_reason="cut",
            usage=self.usage or Usage(estimated=True),
            provider=provider,
            model=model,
            latency=self._ticket.elapsed,
            time_to_first_token=self.first,
        )


async def stream_course(
    transport: ModelTransport, course: Course, request: ModelRequest
) -> AsyncGenerator[Delta, None]:
    """The deltas of a call, whoever answers it in the end.

    Closing the generator closes the connection upstream.

    Raises:
        ModelError: a stream broke off after content was given; `partial` holds what arrived.
        AllModelsFailed: nobody answered.
    """
    begun = False
    reason = ""
    while True:
        ticket = await course.next()
        arrived = _Arrived(request, ticket)
        try:
            if begun:
                provider, model = ticket.candidate.key
                yield StreamRestarted(provider=provider, model=model, reason=reason)
            sent = request.model_copy(update={"idempotency_key": course.idempotency_key})
            candidate = ticket.candidate
            try:
                end: ModelResponse | None = None
                async with aclosing(
                    transport.stream(candidate.profile, candidate.model, sent, times=course.times)
                ) as deltas:
                    async for delta in deltas:
                        if isinstance(delta, StreamEnd):
                            end = delta.response
                            break
                        arrived.add(delta)
                        yield delta
                if end is None:
                    raise StreamCut(
                        f"{candidate.label}: the stream ended without its last delta.", provider=candidate.profile.id
                    )
            except ModelError as error:
                begun = begun or arrived.first is not None
                reason = error.message
                await _failed(course, ticket, arrived, error, begun=begun)
                continue
            yield StreamEnd(await _succeeded(course, ticket, end))
            return
        finally:
            await ticket.abandoned(arrived.usage)


async def _succeeded(course: Course, ticket: Ticket, response: ModelResponse) -> ModelResponse:
    cost = await ticket.succeeded(response.usage, response.rate_limits)
    await course.succeeded(ticket, None if cost is None else cost.usd)
    return response.model_copy(update={"cost": cost})


async def _failed(course: Course, ticket: Ticket, arrived: _Arrived, error: ModelError, *, begun: bool) -> None:
    """Record the failure. Raises it where the caller has seen content and did not ask for a new start."""
    if arrived.first is not None and error.partial is None:
        error.partial = arrived.partial()
    await course.failed(ticket, error)
    if begun and not course.route.restart_stream:
        raise with_tries(error, course.tries)
