"""Streams: nobody takes over unseen once the caller has content."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from aos.llm import errors as e
from aos.llm.request import ModelRequest
from aos.llm.response import Delta, StreamEnd, StreamRestarted, TextDelta
from aos.llm.route import Route
from aos.llm.tries import AllModelsFailed
from tests.llm.scripted import Broken, Stage, profile, said, stage

ASK = ModelRequest.ask("Hello", max_tokens=100)


async def collect(scene: Stage, route: Route | None = None) -> list[Delta]:
    return [delta async for delta in scene.router.stream(ASK, route)]


def text_of(deltas: list[Delta]) -> str:
    return " ".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


async def test_a_stream_ends_with_the_whole_answer() -> None:
    scene = stage(a=[said("one two")])
    deltas = await collect(scene)
    assert text_of(deltas) == "one two"
    end = deltas[-1]
    assert isinstance(end, StreamEnd)
    assert (end.response.provider, end.response.text) == ("a", "one two")
    assert scene.router.limits.in_flight("a") == 0


async def test_before_the_first_token_another_takes_over_unseen() -> None:
    scene = stage(a=[e.ModelTimedOut("slow", phase="first_token")], b=[said("all good")])
    deltas = await collect(scene)
    assert text_of(deltas) == "all good"
    assert scene.script.asked == ["a", "b"]
    assert not any(isinstance(delta, StreamRestarted) for delta in deltas)


async def test_after_the_first_token_the_error_carries_what_arrived() -> None:
    scene = stage(a=[Broken(("one", "two"), e.StreamCut("cut"))])
    seen: list[Delta] = []

    async def watch() -> None:
        async for delta in scene.router.stream(ASK):
            seen.append(delta)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(e.StreamCut) as caught:
        await watch()
    assert text_of(seen) == "one two"
    assert caught.value.partial is not None
    assert caught.value.partial.text == "onetwo"
    assert caught.value.partial.provider == "a"
    assert scene.script.asked == ["a"]
    assert caught.value.details["tries"][0]["error"] == "model_stream_cut"


async def test_a_new_start_is_visible_where_the_caller_asked_for_it() -> None:
    scene = stage(a=[Broken(("one",), e.ModelTimedOut("stalled", phase="between_tokens"))], b=[said("whole answer")])
    deltas = await collect(scene, Route(restart_stream=True))
    place = next(i for i, delta in enumerate(deltas) if isinstance(delta, StreamRestarted))
    assert deltas[place] == StreamRestarted(provider="b", model="b-1", reason="stalled")
    assert text_of(deltas[:place]) == "one"
    assert text_of(deltas[place:]) == "whole answer"


async def test_a_new_start_that_finds_nobody_ends_with_all_tries_and_what_arrived() -> None:
    scene = stage(profile("a"), a=[Broken(("one",), e.ModelTimedOut("stalled", phase="between_tokens"))])
    with pytest.raises(AllModelsFailed) as caught:
        await collect(scene, Route(restart_stream=True))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "one"


async def test_closing_the_stream_closes_it_upstream_at_once() -> None:
    scene = stage(a=[said("one two three four")])
    async with aclosing(scene.router.stream(ASK)) as deltas:
        async for _ in deltas:
            break
    assert scene.script.closed == 1
    assert scene.router.limits.in_flight("a") == 0


async def test_a_cached_answer_is_streamed_too() -> None:
    scene = stage(a=[said("one two")])
    route = Route(cache_seconds=60)
    await collect(scene, route)
    deltas = await collect(scene, route)
    end = deltas[-1]
    assert isinstance(end, StreamEnd)
    assert end.response.cached
    assert text_of(deltas) == "one two"
    assert scene.script.asked == ["a"]
