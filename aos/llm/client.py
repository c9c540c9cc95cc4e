"""The transport that speaks to real providers: resolves the endpoint, runs the dialect, checks the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aos.kernel.ambient import RandomIds, SystemClock
from aos.llm.assembly import Assembly
from aos.llm.call import Call, Target
from aos.llm.dialect import (
    Ask,
    Decoder,
    DeferredDialect,
    Dialect,
    EmbeddingDialect,
    ReportedError,
    load,
)
from aos.llm.endpoint import Endpoint, Endpoints
from aos.llm.errors import (
    CallDeadlineExceeded,
    MalformedAnswer,
    ModelError,
    ModelTimedOut,
    StreamCut,
    StructureInvalid,
    UnsupportedRequest,
)
from aos.llm.exchange import Exchange, Pace
from aos.llm.framing import FrameParser, NdjsonParser, SseParser
from aos.llm.provider import ProviderProfile
from aos.llm.request import EmbeddingRequest, ModelRequest
from aos.llm.response import Delta, EmbeddingResponse, FinishReason, ModelResponse, StreamEnd, Usage
from aos.llm.structured import Mismatch, Plan, plan
from aos.llm.transport import CallTimes
from aos.llm.wire import Outgoing, Wire

if TYPE_CHECKING:
    import httpx

    from aos.kernel.ports import Clock, Ids

_GOODBYE = 1.0


@dataclass(slots=True)
class _Conversation:
    """One request and its answer under way."""

    ask: Ask
    dialect: Dialect
    exchange: Exchange
    assembly: Assembly
    decoder: Decoder

    def outgoing(self) -> Outgoing:
        return _with_key(self.ask.target, self.dialect.chat(self.ask), self.ask.request.idempotency_key)


class HttpTransport:
    """A `ModelTransport` over HTTP.

    Args:
        endpoints: Where addresses and keys come from.
        client: An httpx client to use; without one, a client is made for each event loop at its first call.
        clock: Whose monotonic time deadlines are on.
        ids: Where ids of tool calls come from, for providers that give none.
        poll_every: Seconds between two looks at an answer that is made in the background.
    """

    def __init__(
        self,
        endpoints: Endpoints | None = None,
        *,
        client: httpx.AsyncClient | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
        poll_every: float = 0.5,
    ) -> None:
        self.endpoints = endpoints or Endpoints()
        self._wire = Wire(client)
        self._clock: Clock = clock or SystemClock()
        self._ids: Ids = ids or RandomIds()
        self._poll_every = poll_every

    async def complete(
        self, profile: ProviderProfile, model: str, request: ModelRequest, *, times: CallTimes
    ) -> ModelResponse:
        """The whole answer, its structure validated and mended where the request asks for one."""
        call = await self._begin(profile, model, times)
        _check_capabilities(call.target, request)
        chosen = plan(call.target, request, stream=False)
        due = None if times.whole is None else call.started + times.whole
        async with call.within("whole", due):
            return await self._mended(call, chosen)

    async def stream(
        self, profile: ProviderProfile, model: str, request: ModelRequest, *, times: CallTimes
    ) -> AsyncGenerator[Delta, None]:
        """The answer as it comes. Close the generator to close the connection before its end."""
        call = await self._begin(profile, model, times)
        _check_capabilities(call.target, request)
        if call.target.capabilities.streaming is False:
            raise call.target.error(UnsupportedRequest, "this model does not stream.")
        chosen = plan(call.target, request, stream=True)
        talk = self._conversation(call, chosen, stream=True)
        pace = Pace(call)
        with _attributed(talk):
            async with aclosing(self._deltas(talk, call, pace)) as deltas:
                async for delta in deltas:
                    yield chosen.delta(delta)
                    pace.content()
            response = self._answer(talk, call, first=pace.first_content)
            try:
                response = chosen.checked(response)
            except Mismatch as mismatch:
                raise _invalid(call.target, response, mismatch) from None
        yield StreamEnd(response)

    async def embed(
        self, profile: ProviderProfile, model: str, request: EmbeddingRequest, *, times: CallTimes
    ) -> EmbeddingResponse:
        """Vectors for the texts, in their order."""
        call = await self._begin(profile, model, times)
        target, dialect = call.target, load(profile.dialect)
        if target.capabilities.embeddings is False or not isinstance(dialect, EmbeddingDialect):
            raise target.error(UnsupportedRequest, "it has no embeddings.")
        exchange = Exchange(self._wire, call, self._clock)
        outgoing = _with_key(target, dialect.embed(target, request), request.idempotency_key)
        due = None if times.whole is None else call.started + times.whole
        async with call.within("whole", due):
            found = dialect.vectors(target, await exchange.json(outgoing))
        if len(found.vectors) != len(request.inputs) or not all(found.vectors):
            raise target.error(MalformedAnswer, f"{len(found.vectors)} vectors came for {len(request.inputs)} texts.")
        return EmbeddingResponse(
            vectors=found.vectors,
            usage=found.usage or Usage(input_tokens=request.estimated_input_tokens, estimated=True),
            provider=profile.id,
            model=model,
            latency=call.elapsed,
            request_id=exchange.request_id,
            rate_limits=exchange.limits,
        )

    async def aclose(self) -> None:
        """Close this loop's connections. A client that was brought stays open."""
        await self._wire.aclose()

    async def _begin(self, profile: ProviderProfile, model: str, times: CallTimes) -> Call:
        known = profile.model(model)
        target = Target(
            profile=profile,
            model=known.id,
            endpoint=Endpoint(""),
            capabilities=profile.capabilities_of(model),
            limits=profile.limits_of(model),
            rules=profile.rules_of(model),
        )
        call = Call(target, times, self._clock)
        async with call.within("connect", call.started + times.connect):
            call.target = replace(target, endpoint=await self.endpoints.resolve(profile))
        return call

    def _conversation(self, call: Call, chosen: Plan, *, stream: bool) -> _Conversation:
        dialect = load(call.target.profile.dialect)
        native = chosen.mode if chosen.mode in ("json_schema", "json_object") else None
        ask = Ask(call.target, chosen.request, stream, native)
        assembly = Assembly(call.target, chosen.request, self._ids.new)
        exchange = Exchange(self._wire, call, self._clock)
        return _Conversation(ask, dialect, exchange, assembly, dialect.decoder(ask, assembly))

    async def _mended(self, call: Call, chosen: Plan) -> ModelResponse:
        allowed = chosen.wanted.repairs if chosen.wanted else 0
        spent = Usage()
        for repair in range(allowed + 1):
            talk = self._conversation(call, chosen, stream=False)
            with _attributed(talk):
                talk.decoder.whole(await self._body(talk))
                response = self._answer(talk, call)
            spent = response.usage.plus(spent) if repair else response.usage
            response = response.model_copy(update={"usage": spent, "repairs": repair})
            try:
                return chosen.checked(response)
            except Mismatch as mismatch:
                if repair == allowed:
                    raise _invalid(call.target, response, mismatch) from None
                chosen = chosen.mended(response, mismatch, repair + 1)
        raise AssertionError("the loop returns or raises")

    async def _body(self, talk: _Conversation) -> Mapping[str, Any]:
        if not isinstance(talk.dialect, DeferredDialect):
            return await talk.exchange.json(talk.outgoing())
        async with self._ordered(talk.dialect, talk) as order:
            body = order
            while (again := talk.dialect.poll(talk.ask, body)) is not None:
                await asyncio.sleep(self._poll_every)
                body = await talk.exchange.json(again)
            return body

    async def _deltas(self, talk: _Conversation, call: Call, pace: Pace) -> AsyncGenerator[Delta, None]:
        if not isinstance(talk.dialect, DeferredDialect):
            async with aclosing(self._read(talk, talk.outgoing(), pace)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        async with self._ordered(talk.dialect, talk, call=call, pace=pace) as body:
            source = talk.dialect.open_stream(talk.ask, body)
            async with aclosing(self._read(talk, source, pace)) as deltas:
                async for delta in deltas:
                    yield delta

    async def _read(self, talk: _Conversation, outgoing: Outgoing, pace: Pace) -> AsyncGenerator[Delta, None]:
        parser: FrameParser = SseParser() if talk.dialect.framing == "sse" else NdjsonParser()
        decoder, exchange = talk.decoder, talk.exchange
        try:
            async with aclosing(exchange.events(outgoing, parser, pace)) as events:
                async for event in events:
                    try:
                        deltas = decoder.feed(event)
                    except MalformedAnswer:
                        if exchange.at_end:
                            break
                        raise
                    for delta in deltas:
                        pace.saw_content()
                        yield delta
                    pace.finished = decoder.done
        except (ModelTimedOut, StreamCut, CallDeadlineExceeded):
            # The answer is whole; only its accounting is lost.
            if not decoder.settled:
                raise

    @asynccontextmanager
    async def _ordered(
        self, dialect: DeferredDialect, talk: _Conversation, *, call: Call | None = None, pace: Pace | None = None
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Order an answer, and call it off again where the block is left before the answer is whole."""
        if call is None or pace is None:
            body = await talk.exchange.json(talk.outgoing())
        else:
            async with call.within(pace.phase, pace.due):
                body = await talk.exchange.json(talk.outgoing())
        try:
            yield body
        except BaseException:
            goodbye = dialect.abandon(body)
            if goodbye is not None:
                with suppress(TimeoutError, ModelError):
                    async with asyncio.timeout(_GOODBYE):
                        await talk.exchange.json(goodbye)
            raise

    def _answer(self, talk: _Conversation, call: Call, first: float | None = None) -> ModelResponse:
        parts, finish = talk.assembly.whole()
        return talk.assembly.response(
            parts,
            finish,
            latency=call.elapsed,
            time_to_first_token=first,
            request_id=talk.exchange.request_id,
            rate_limits=talk.exchange.limits,
        )


@contextmanager
def _attributed(talk: _Conversation) -> Iterator[None]:
    """Errors leave with what had arrived, and an error reported inside an answer as what it stands for."""
    try:
        yield
    except ReportedError as report:
        error = talk.exchange.reported(report.body)
        error.partial = _partial(talk)
        raise error from None
    except ModelError as error:
        error.partial = error.partial or _partial(talk)
        raise


def _partial(talk: _Conversation) -> ModelResponse | None:
    if not talk.assembly.has_content:
        return None
    finish: FinishReason = "length" if talk.assembly.finish == "length" else "cut"
    return talk.assembly.response(talk.assembly.partial(), finish, request_id=talk.exchange.request_id)


def _invalid(target: Target, response: ModelResponse, mismatch: Mismatch) -> ModelError:
    return target.error(
        StructureInvalid,
        f"the answer does not have the structure asked for: {mismatch.mistakes}",
        partial=response,
        request_id=response.request_id,
    )


def _with_key(target: Target, outgoing: Outgoing, key: str | None) -> Outgoing:
    header = target.profile.idempotency_header
    if header is None or key is None:
        return outgoing
    return replace(outgoing, headers={**outgoing.headers, header: key})


def _check_capabilities(target: Target, request: ModelRequest) -> None:
    can = target.capabilities
    missing = [
        name
        for name, needed, offered in (
            ("chat", True, can.chat),
            ("tools", bool(request.tools), can.tools),
            ("images", request.needs_vision, can.vision),
        )
        if needed and offered is False
    ]
    if missing:
        raise target.error(UnsupportedRequest, f"this model has no {' and no '.join(missing)}.")
