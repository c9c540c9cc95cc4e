"""Providers' limits: kept to before they are hit, and learned from what answers say."""

from __future__ import annotations

import asyncio

import pytest

from aos.llm import errors as e
from aos.llm.request import ModelRequest
from aos.llm.response import ModelResponse, RateLimits, RateWindow, Usage
from aos.llm.route import Route
from aos.llm.tries import AllModelsFailed, ModelsUnavailable
from aos.testing.clock import VirtualClock
from aos.testing.tables import MemoryTableStore
from tests.llm.scripted import profile, said, stage

ASK = ModelRequest.ask("Hello", max_tokens=100)


async def test_requests_a_minute_are_kept_to() -> None:
    scene = stage(profile("a", limits={"requests_per_minute": 2}), profile("b", priority=60))
    for _ in range(3):
        await scene.router.complete(ASK)
    assert scene.script.asked == ["a", "a", "b"]
    scene.clock.advance(60)
    assert (await scene.router.complete(ASK)).provider == "a"


async def test_a_lone_provider_is_waited_for() -> None:
    scene = stage(profile("a", limits={"requests_per_minute": 1}))
    await scene.router.complete(ASK)
    await scene.router.complete(ASK)
    assert scene.script.seen[1].at >= 60
    with pytest.raises(ModelsUnavailable, match="rate limit is reached") as caught:
        await scene.router.complete(ASK, Route(seconds=30))
    assert caught.value.retry_after == pytest.approx(60, abs=0.1)


async def test_tokens_are_counted_as_the_answer_says() -> None:
    small = said(usage=Usage(input_tokens=5, output_tokens=5))
    scene = stage(profile("a", limits={"tokens_per_minute": 250}), profile("b", priority=60))
    scene.script.plays["a"] = [small, small, small]
    for _ in range(3):
        await scene.router.complete(ASK)
    assert scene.script.asked == ["a", "a", "a"], "10 tokens were used each time, not the 100 that were estimated"
    large = said(usage=Usage(input_tokens=5, output_tokens=230))
    scene.script.plays["a"] = [large]
    await scene.router.complete(ASK)
    assert (await scene.router.complete(ASK)).provider == "b"


async def test_a_window_that_is_used_up_is_left_alone_until_its_reset() -> None:
    told = RateLimits(requests=RateWindow(limit=100, remaining=0, reset_after=12.0))
    scene = stage(a=[said(rate_limits=told)])
    await scene.router.complete(ASK)
    assert (await scene.router.complete(ASK)).provider == "b"
    scene.clock.advance(12)
    assert (await scene.router.complete(ASK)).provider == "a"


async def test_what_is_left_of_a_window_is_counted_down() -> None:
    told = RateLimits(tokens=RateWindow(limit=10_000, remaining=250, reset_after=30.0))
    scene = stage(a=[said(rate_limits=told)])
    for _ in range(4):
        await scene.router.complete(ASK)
    assert scene.script.asked == ["a", "a", "a", "b"]


async def test_so_many_calls_at_a_time_and_the_next_goes_elsewhere() -> None:
    gate = asyncio.Event()

    async def slow() -> ModelResponse:
        await gate.wait()
        return said("slow")

    scene = stage(profile("a", limits={"concurrency": 1}), profile("b", priority=60), a=[slow])
    first = asyncio.create_task(scene.router.complete(ASK))
    await scene.script.begun.wait()
    assert (await scene.router.complete(ASK)).provider == "b"
    gate.set()
    assert (await first).provider == "a"


async def test_a_lone_busy_provider_is_waited_for_in_line() -> None:
    gate = asyncio.Event()

    async def slow() -> ModelResponse:
        await gate.wait()
        return said("slow")

    scene = stage(profile("a", limits={"concurrency": 1}), a=[slow, said("second"), said("third")])
    calls = []
    for _ in range(3):
        calls.append(asyncio.create_task(scene.router.complete(ASK)))
        for _ in range(5):
            await asyncio.sleep(0)
    assert len(scene.script.seen) == 1
    gate.set()
    assert [answer.text for answer in await asyncio.gather(*calls)] == ["slow", "second", "third"]
    assert scene.router.limits.in_flight("a") == 0


async def test_five_failures_open_the_breaker_of_a_lone_provider_too() -> None:
    scene = stage(profile("a"), a=[e.ProviderFailed("no") for _ in range(6)])
    for _ in range(2):
        with pytest.raises(AllModelsFailed):
            await scene.router.complete(ASK)
    assert len(scene.script.seen) == 5, "the breaker ends the retries of the second call"
    with pytest.raises(ModelsUnavailable, match="failed 5 times") as caught:
        await scene.router.complete(ASK)
    assert caught.value.retry_after is not None
    assert len(scene.script.seen) == 5
    scene.script.plays["a"] = []
    scene.clock.advance(61)
    for _ in range(2):
        await scene.router.complete(ASK)
    assert scene.router.health.breakers.get("a/a-1").state.value == "closed"


async def test_two_routers_learn_from_each_other() -> None:
    clock, tables = VirtualClock(), MemoryTableStore()
    one = stage(clock=clock, tables=tables, seed="one", a=[e.AuthenticationFailed("wrong key")])
    two = stage(clock=clock, tables=tables, seed="two")
    await two.router.complete(ASK)
    await one.router.complete(ASK)
    clock.advance(1)
    assert (await two.router.complete(ASK)).provider == "b"
    assert two.script.asked == ["a", "b"]


async def test_an_unconfigured_key_here_does_not_shut_others_out() -> None:
    clock, tables = VirtualClock(), MemoryTableStore()
    one = stage(clock=clock, tables=tables, seed="one", a=[e.ProviderNotConfigured("no key here")])
    two = stage(clock=clock, tables=tables, seed="two")
    assert (await one.router.complete(ASK)).provider == "b"
    clock.advance(1)
    assert (await two.router.complete(ASK)).provider == "a"
