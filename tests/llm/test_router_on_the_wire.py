"""The router over HTTP against loopback providers: faults of the wire, cancelled calls, and keys that stay hidden."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import AsyncExitStack, aclosing

import pytest

from aos.kernel.ports import TableStore
from aos.llm import errors as e
from aos.llm.client import HttpTransport
from aos.llm.endpoint import Endpoints
from aos.llm.overview import Overview
from aos.llm.provider import ProviderProfile
from aos.llm.request import ModelRequest
from aos.llm.response import StreamEnd, StreamRestarted, TextDelta
from aos.llm.route import Degraded, Route
from aos.llm.router import ModelRouter
from aos.llm.router_settings import RouterSettings
from aos.llm.thinking import to_record
from aos.llm.tries import AllModelsFailed
from aos.testing.models import (
    Break,
    Cut,
    Disconnect,
    Garble,
    ModelServer,
    Play,
    Raw,
    Refuse,
    Reproach,
    Say,
    Stall,
)
from aos.testing.tables import MemoryTableStore
from tests.llm.conftest import KEY, any_key, profile_on

ASK = ModelRequest.ask("Hello", max_tokens=200)
QUICK = Route(seconds=10, try_seconds=3, first_token_seconds=3, between_tokens_seconds=3, max_retries=1)
NO_PAUSE = RouterSettings(first_pause=0.0)


class Pair:
    """Two providers on loopback, `first` and `second`, and a router in front of them."""

    def __init__(self, tables: TableStore | None = None, settings: RouterSettings = NO_PAUSE) -> None:
        self.first = ModelServer(key=KEY)
        self.second = ModelServer(Say("second"), key=KEY)
        self._tables = tables
        self._settings = settings
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Pair:
        await self._stack.enter_async_context(self.first)
        await self._stack.enter_async_context(self.second)
        profiles: list[ProviderProfile] = [
            profile_on(self.first, "openai_chat", id="first", priority=1),
            profile_on(self.second, "anthropic_messages", id="second", priority=2),
        ]
        endpoints = Endpoints(any_key)
        self.router = ModelRouter(
            HttpTransport(endpoints),
            {each.id: each for each in profiles},
            endpoints,
            self._settings,
            tables=self._tables,
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.router.aclose()
        await self._stack.aclose()


@pytest.mark.parametrize(
    "fault",
    [
        Refuse(500),
        Refuse(503),
        Refuse(401),
        Refuse(402),
        Refuse(429, code="insufficient_quota"),
        Refuse(429, headers={"retry-after": "60"}),
        Refuse(404),
        Reproach("upstream died", "server_error"),
        Raw(b'{"choices": []}'),
        Raw(b""),
        Raw(b"<html>busy</html>", status=502, content_type="text/html"),
        Disconnect(),
        Cut(),
        Garble(),
        Say(""),
    ],
    ids=repr,
)
async def test_no_fault_is_passed_off_as_an_answer(fault: Play) -> None:
    async with Pair() as pair:
        pair.first.play(fault, fault, fault)
        answered = await pair.router.answer(ASK, QUICK)
        assert (answered.response.provider, answered.response.text) == ("second", "second")
        assert [each.status for each in answered.tries[:1]] == ["error"]
        assert answered.response.cost is None, "nobody has set a price for this provider"


@pytest.mark.parametrize("fault", [Cut(0), Break(0), Garble(0), Refuse(500), Disconnect()], ids=repr)
async def test_a_stream_fails_over_before_its_first_token(fault: Play) -> None:
    async with Pair() as pair:
        pair.first.play(fault, fault)
        text = [d.text async for d in pair.router.stream(ASK, QUICK) if isinstance(d, TextDelta)]
        assert "".join(text) == "second"


@pytest.mark.parametrize("fault", [Cut(2), Cut(2, clean=True), Break(2), Garble(2)], ids=repr)
async def test_a_stream_that_fails_underway_is_never_continued_by_another(fault: Play) -> None:
    async with Pair() as pair:
        pair.first.play(fault)
        text: list[str] = []

        async def watch() -> None:
            async for delta in pair.router.stream(ASK, QUICK):
                text.append(delta.text if isinstance(delta, TextDelta) else "(end)")  # noqa: PERF401 - lasts past errors

        with pytest.raises(e.ModelError) as caught:
            await watch()
        assert caught.value.partial is not None
        assert caught.value.partial.text == "".join(text) != ""
        assert pair.second.seen == []


async def test_a_stream_is_restarted_visibly_where_asked() -> None:
    async with Pair() as pair:
        pair.first.play(Stall(2))
        route = QUICK.model_copy(update={"restart_stream": True, "between_tokens_seconds": 0.05})
        deltas = [delta async for delta in pair.router.stream(ASK, route)]
        assert [type(d) for d in deltas].count(StreamRestarted) == 1
        end = deltas[-1]
        assert isinstance(end, StreamEnd)
        assert end.response.text == "second"


async def test_a_short_pause_is_kept_and_the_same_provider_answers() -> None:
    async with Pair() as pair:
        pair.first.play(Refuse(429, headers={"retry-after-ms": "20"}), Say("after the pause"))
        assert (await pair.router.complete(ASK, QUICK)).text == "after the pause"
        assert pair.second.seen == []


async def test_a_lost_reply_is_billed_once() -> None:
    async with Pair() as pair:
        pair.first.play(Disconnect(after_work=True))
        assert (await pair.router.complete(ASK, QUICK)).provider == "first"
        assert (len(pair.first.seen), pair.first.billed) == (2, 1)


async def test_cancelling_a_call_closes_the_connection_at_once() -> None:
    async with Pair() as pair:
        pair.first.play(Stall())
        task = asyncio.create_task(pair.router.complete(ASK))
        await pair.first.until_asked()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await pair.first.until_disconnected()
        assert pair.router.limits.in_flight("first") == 0


async def test_closing_a_stream_closes_the_connection_at_once() -> None:
    async with Pair() as pair:
        pair.first.play(Stall(2))
        async with aclosing(pair.router.stream(ASK)) as deltas:
            await anext(deltas)
        await pair.first.until_disconnected()


async def test_nothing_is_left_open_after_the_deadline() -> None:
    async with Pair() as pair:
        pair.first.play(Stall())
        with pytest.raises(e.CallDeadlineExceeded):
            await pair.router.complete(ASK, Route(seconds=0.1))
        await pair.first.until_disconnected()
        assert pair.second.seen == []


async def test_keys_are_nowhere_to_be_found(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tables = MemoryTableStore()
    texts: list[str] = []
    async with Pair(tables) as pair:
        pair.first.play(Refuse(401, f"Incorrect API key provided: {KEY}"), Refuse(401, f"bad {KEY}"))
        pair.second.play(Refuse(500, f"trouble with {KEY}"))
        route = QUICK.model_copy(update={"max_retries": 0, "cache_seconds": 60.0})
        with pytest.raises(AllModelsFailed) as caught:
            await pair.router.complete(ASK, QUICK.model_copy(update={"force": "first"}))
        texts += [str(caught.value), repr(caught.value), json.dumps(caught.value.to_json())]
        answered = await pair.router.answer(ASK, route)
        overview = Overview(pair.router)
        texts += [repr(answered), json.dumps(to_record(answered)), json.dumps(await overview.providers())]
        texts += [json.dumps((await overview.explain(ASK)).to_json()), repr(pair.router.statistics.to_json())]
        for candidate in await overview.candidates():
            texts += [repr(candidate), repr(await overview.probe(candidate))]
        texts += [repr(entity) for table in tables.tables() for entity in tables.entities(table)]
    texts.append(caplog.text)
    assert not [text for text in texts if KEY in text]


async def test_a_degraded_answer_over_the_wire() -> None:
    async with Pair() as pair:
        pair.first.play(Refuse(401))
        pair.second.play(Refuse(401), Refuse(401))
        stand_in = Route(force="first", degraded=Degraded(text="No model today."))
        answer = await pair.router.complete(ASK, stand_in)
        assert (answer.text, answer.degraded) == ("No model today.", True)
