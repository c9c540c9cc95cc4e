"""Identical prompts: answered once, where the caller allows it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from aos.kernel.errors import StoreUnavailable
from aos.llm import errors as e
from aos.llm.answer_cache import cache_key
from aos.llm.provider import Capabilities, ModelProfile
from aos.llm.request import ModelRequest, ResponseFormat
from aos.llm.response import ModelResponse
from aos.llm.route import Degraded, Route
from aos.llm.router_settings import RouterSettings
from aos.testing.clock import VirtualClock
from aos.testing.tables import MemoryTableStore
from tests.llm.scripted import profile, said, stage

ASK = ModelRequest.ask("Hello", max_tokens=100)
CACHED = Route(cache_seconds=60)


class Verdict(BaseModel):
    good: bool


async def test_nothing_is_cached_unless_asked_for() -> None:
    scene = stage()
    await scene.router.complete(ASK)
    await scene.router.complete(ASK)
    assert scene.script.asked == ["a", "a"]


async def test_a_hit_is_marked_and_free() -> None:
    scene = stage(a=[said("first"), said("second")])
    fresh = await scene.router.complete(ASK, CACHED)
    hit = await scene.router.answer(ASK, CACHED)
    assert (fresh.cached, hit.response.cached) == (False, True)
    assert hit.response.text == "first"
    assert hit.response.cost is not None
    assert hit.response.cost.usd == 0
    assert hit.tries == ()
    assert scene.router.statistics.cached == 1
    assert scene.router.statistics.total_calls == 1


async def test_an_answer_is_not_kept_longer_than_asked() -> None:
    scene = stage(a=[said("first"), said("second")])
    await scene.router.complete(ASK, CACHED)
    scene.clock.advance(61)
    assert (await scene.router.complete(ASK, CACHED)).text == "second"


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.5},
        {"max_tokens": 99},
        {"seed": 1},
        {"stop": ("x",)},
        {"response_format": ResponseFormat.of(Verdict)},
        {"extra": {"a": {"x": 1}}},
    ],
)
def test_the_whole_request_is_the_key(change: dict[str, object]) -> None:
    assert cache_key(ASK, CACHED) != cache_key(ASK.model_copy(update=change), CACHED)


def test_what_does_not_make_the_answer_is_not_in_the_key() -> None:
    labelled = ASK.model_copy(update={"metadata": {"task": "1"}, "idempotency_key": "k"})
    assert cache_key(ASK, CACHED) == cache_key(labelled, Route(cache_seconds=5, seconds=3))
    assert cache_key(ASK, CACHED) != cache_key(ASK, Route(models=("b",)))


async def test_instances_share_answers() -> None:
    clock, tables = VirtualClock(), MemoryTableStore()
    one = stage(clock=clock, tables=tables, seed="one", a=[said("shared")])
    two = stage(clock=clock, tables=tables, seed="two")
    await one.router.complete(ASK, CACHED)
    hit = await two.router.complete(ASK, CACHED)
    assert (hit.text, hit.cached) == ("shared", True)
    assert two.script.asked == []


async def test_the_structure_of_a_hit_is_the_callers_own() -> None:
    request = ASK.model_copy(update={"response_format": ResponseFormat.of(Verdict)})
    scene = stage(a=[said('{"good": true}')])
    await scene.router.complete(request, CACHED)
    hit = await scene.router.complete(request, CACHED)
    assert hit.parsed == Verdict(good=True)


async def test_identical_calls_at_the_same_time_are_one() -> None:
    gate = asyncio.Event()

    async def slow() -> ModelResponse:
        await gate.wait()
        return said("once")

    scene = stage(a=[slow])
    calls = [asyncio.create_task(scene.router.complete(ASK, Route(share_identical=True))) for _ in range(5)]
    await scene.script.begun.wait()
    gate.set()
    answers = await asyncio.gather(*calls)
    assert {answer.text for answer in answers} == {"once"}
    assert sorted(answer.cached for answer in answers) == [False, True, True, True, True]
    assert scene.script.asked == ["a"]


async def test_a_failure_is_not_cached() -> None:
    scene = stage(profile("a"), a=[e.ModelTimedOut("slow"), said("good")])
    with pytest.raises(e.ModelError):
        await scene.router.complete(ASK, CACHED)
    assert (await scene.router.complete(ASK, CACHED)).text == "good"


async def test_an_old_answer_is_given_only_where_allowed_and_says_so() -> None:
    scene = stage(profile("a"), a=[said("old"), e.ModelTimedOut("slow"), e.ModelTimedOut("slow")])
    await scene.router.complete(ASK, CACHED)
    scene.clock.advance(3_600)
    with pytest.raises(e.ModelError):
        await scene.router.complete(ASK, CACHED)
    answer = await scene.router.complete(ASK, Route(cache_seconds=60, degraded=Degraded(stale=True)))
    assert (answer.text, answer.degraded, answer.cached) == ("old", True, True)
    assert "earlier answer" in (answer.degraded_reason or "")


async def test_storage_that_fails_is_a_miss(caplog: pytest.LogCaptureFixture) -> None:
    class Down(MemoryTableStore):
        async def get(self, *args: Any, **kwargs: Any) -> Any:
            raise StoreUnavailable("The table service is out of reach.")

        async def commit(self, *args: Any, **kwargs: Any) -> Any:
            raise StoreUnavailable("The table service is out of reach.")

    scene = stage(tables=Down(), a=[said("first")])
    await scene.router.complete(ASK, CACHED)
    assert (await scene.router.complete(ASK, CACHED)).text == "first", "this process still has it"
    assert "not shared at the moment" in caplog.text


async def test_the_answer_longest_unused_goes_first() -> None:
    scene = stage(settings=RouterSettings(cache_entries=1))
    await scene.router.complete(ASK, CACHED)
    await scene.router.complete(ModelRequest.ask("Other"), CACHED)
    await scene.router.complete(ASK, CACHED)
    assert scene.script.asked == ["a", "a", "a"]
    assert scene.router.cache.statistics.evictions == 2


async def test_a_stored_answer_that_no_longer_fits_the_structure_is_asked_for_again() -> None:
    request = ASK.model_copy(update={"response_format": ResponseFormat.of(Verdict)})
    scene = stage(a=[said("no JSON"), said('{"good": false}')])
    await scene.router.complete(request, CACHED)
    assert (await scene.router.complete(request, CACHED)).text == '{"good": false}'


async def test_whoever_waits_for_an_identical_call_keeps_the_deadline() -> None:
    async def never() -> ModelResponse:
        await asyncio.Event().wait()
        return said()

    scene = stage(a=[never])
    first = asyncio.create_task(scene.router.complete(ASK, Route(share_identical=True)))
    await scene.script.begun.wait()
    with pytest.raises(e.CallDeadlineExceeded):
        await scene.router.complete(ASK, Route(share_identical=True), deadline=0.01)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert scene.script.asked == ["a"]


ALIKE = Route(models=("chat",), cache_seconds=60, similar=0.85, embedding_model="vectors/small")
TEXTS: dict[str, tuple[float, ...]] = {
    "What is the capital of France?": (1.0, 0.0),
    "Name France's capital.": (0.9, 0.3),
    "Who wrote Faust?": (0.1, 1.0),
}


def library() -> Any:
    embedder = ModelProfile(id="small", capabilities=Capabilities(chat=False, embeddings=True))
    scene = stage(
        profile("chat", "chat"), profile("vectors", embedder, default_embedding_model="small"), chat=[said("Paris")]
    )
    scene.script.vectors = TEXTS
    return scene


async def test_a_prompt_that_means_the_same_gets_the_same_answer_where_that_was_allowed() -> None:
    scene = library()
    first, alike, other = (ModelRequest.ask(text, max_tokens=100) for text in TEXTS)
    assert (await scene.router.complete(first, ALIKE)).text == "Paris"
    hit = await scene.router.complete(alike, ALIKE)
    assert (hit.text, hit.cached, hit.cost and hit.cost.usd) == ("Paris", True, 0.0)
    assert not (await scene.router.complete(other, ALIKE)).cached
    assert scene.script.asked.count("chat") == 2


async def test_another_system_prompt_or_a_higher_bar_is_another_answer() -> None:
    scene = library()
    first, alike, _ = TEXTS
    await scene.router.complete(ModelRequest.ask(first, system="Be brief."), ALIKE)
    assert not (await scene.router.complete(ModelRequest.ask(alike, system="Be long."), ALIKE)).cached
    strict = ALIKE.model_copy(update={"similar": 0.99})
    assert not (await scene.router.complete(ModelRequest.ask(alike, system="Be brief."), strict)).cached


async def test_an_answer_too_old_does_not_serve_and_an_embedder_that_fails_costs_nothing_but_the_saving() -> None:
    scene = library()
    first, alike, _ = TEXTS
    await scene.router.complete(ModelRequest.ask(first), ALIKE)
    scene.clock.advance(61)
    assert not (await scene.router.complete(ModelRequest.ask(alike), ALIKE)).cached
    scene.script.plays["vectors"] = [e.AuthenticationFailed("No.")] * 3
    assert not (await scene.router.complete(ModelRequest.ask("Anything?"), ALIKE)).cached
