"""What happens when a model fails: who is asked next, after how long, and what the caller is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aos.kernel.errors import RetryableError, TerminalError
from aos.llm import errors as e
from aos.llm.request import ModelRequest
from aos.llm.response import ModelResponse
from aos.llm.route import Degraded, Route
from aos.llm.tries import AllModelsFailed, ModelsRefused, ModelsUnavailable, NoModelFits
from aos.testing.tables import MemoryTableStore
from tests.llm.scripted import Play, profile, said, small, stage

ASK = ModelRequest.ask("Hello", max_tokens=100)


async def test_the_answer_names_who_gave_it() -> None:
    scene = stage()
    answered = await scene.router.answer(ASK)
    assert (answered.response.provider, answered.response.model) == ("a", "a-1")
    assert [t.status for t in answered.tries] == ["success"]


@pytest.mark.parametrize(
    "error",
    [
        e.ModelTimedOut("slow"),
        e.CreditExhausted("no money"),
        e.AuthenticationFailed("wrong key"),
        e.AccessRefused("not yours"),
        e.ModelNotFound("gone"),
        e.StructureInvalid("not the schema"),
    ],
)
async def test_what_a_retry_cannot_mend_goes_to_the_next_at_once(error: e.ModelError) -> None:
    scene = stage(a=[error])
    answered = await scene.router.answer(ASK)
    assert scene.script.asked == ["a", "b"]
    assert [t.error for t in answered.tries] == [error.code, None]
    assert scene.clock.monotonic() == 0
    assert scene.router.statistics.fallbacks == 1


@pytest.mark.parametrize(
    "kind", [e.ProviderFailed, e.Overloaded, e.ConnectionFailed, e.MalformedAnswer, e.EmptyAnswer, e.StreamCut]
)
async def test_what_may_pass_is_tried_again_twice_and_then_elsewhere(kind: type[e.ModelError]) -> None:
    scene = stage(a=[kind("1"), kind("2"), kind("3")])
    assert (await scene.router.complete(ASK)).provider == "b"
    assert scene.script.asked == ["a", "a", "a", "b"]
    first, second, third, fourth = (seen.at for seen in scene.script.seen)
    assert 0.3 < second - first < 0.7
    assert 0.7 < third - second < 1.3
    assert fourth == third
    assert (scene.router.statistics.retries, scene.router.statistics.fallbacks) == (2, 1)


async def test_a_pause_the_provider_asks_for_is_kept_where_it_fits() -> None:
    scene = stage(a=[e.RateLimited("wait", retry_after=3.0)])
    assert (await scene.router.complete(ASK, Route(seconds=30))).provider == "a"
    assert scene.script.asked == ["a", "a"]
    assert scene.script.seen[1].at == pytest.approx(3.0, abs=0.05)


async def test_a_pause_that_does_not_fit_the_deadline_is_not_waited_for() -> None:
    scene = stage(a=[e.RateLimited("wait", retry_after=8.0)])
    assert (await scene.router.complete(ASK, Route(seconds=5))).provider == "b"
    assert scene.clock.monotonic() == 0


async def test_a_limited_provider_is_left_alone_until_its_reset() -> None:
    scene = stage(a=[e.RateLimited("wait", retry_after=60.0)])
    await scene.router.complete(ASK)
    await scene.router.complete(ASK)
    assert scene.script.asked == ["a", "b", "b"]
    scene.clock.advance(61)
    assert (await scene.router.complete(ASK)).provider == "a"


async def test_when_all_others_failed_the_limited_one_is_waited_for() -> None:
    scene = stage(
        profile("a"),
        profile("b", priority=60),
        a=[e.RateLimited("wait", retry_after=40.0)],
        b=[e.AuthenticationFailed("wrong key")],
    )
    assert (await scene.router.complete(ASK, Route(seconds=90))).provider == "a"
    assert scene.script.asked == ["a", "b", "a"]
    assert scene.clock.monotonic() >= 40


@pytest.mark.parametrize("error", [e.CreditExhausted("no money"), e.AuthenticationFailed("wrong key")])
async def test_a_provider_that_needs_somebody_to_act_is_out_for_long(error: e.ModelError) -> None:
    scene = stage(a=[error])
    await scene.router.complete(ASK)
    scene.clock.advance(1_800)
    await scene.router.complete(ASK)
    assert scene.script.asked == ["a", "b", "b"]
    scene.clock.advance(1_900)
    assert (await scene.router.complete(ASK)).provider == "a"


async def test_a_missing_model_does_not_take_its_provider_out() -> None:
    scene = stage(profile("a", "one", "two"), a=[e.ModelNotFound("gone")])
    with pytest.raises(AllModelsFailed):
        await scene.router.complete(ASK, Route(models=("a/one",)))
    assert (await scene.router.complete(ASK, Route(models=("a/one", "a/two")))).model == "two"


async def test_what_does_not_fit_goes_to_a_larger_model() -> None:
    scene = stage(
        profile("a", small("a-small", 8_000), small("a-large", 100_000)),
        profile("b", small("b-small", 8_000), priority=60),
        a=[e.ContextOverflow("too long")],
    )
    answered = await scene.router.answer(ASK)
    assert answered.response.model == "a-large"
    assert scene.script.asked == ["a", "a"]


async def test_what_no_model_can_read_is_said_so() -> None:
    scene = stage(profile("a", small("a-1", 8_000)), a=[e.ContextOverflow("too long")])
    with pytest.raises(e.ContextOverflow) as caught:
        await scene.router.complete(ASK)
    assert caught.value.details["tries"][0]["error"] == "model_context_overflow"


@pytest.mark.parametrize("error", [e.BadRequest("our bug"), e.ContentFiltered("refused")])
async def test_what_is_not_the_providers_fault_is_surfaced(error: e.ModelError) -> None:
    scene = stage(a=[error])
    with pytest.raises(type(error)):
        await scene.router.complete(ASK)
    assert scene.script.asked == ["a"]


async def test_a_content_filter_is_routed_round_where_the_caller_allows_it() -> None:
    scene = stage(a=[e.ContentFiltered("refused")])
    assert (await scene.router.complete(ASK, Route(allow_filtered_elsewhere=True))).provider == "b"


async def test_when_all_fail_one_error_lists_each_try_and_why() -> None:
    scene = stage(
        *(profile(name, priority=place) for place, name in enumerate("abcd")),
        absent={"d": ("D_API_KEY",)},
        a=[e.ModelTimedOut("slow")],
        b=[e.AuthenticationFailed("wrong key")],
        c=[e.CreditExhausted("no money")],
    )
    with pytest.raises(ModelsUnavailable) as caught:
        await scene.router.complete(ASK)
    assert "All 3 AI models that were asked failed. Last error: no money" in caught.value.message
    assert [(t.provider, t.status, t.error) for t in caught.value.tries] == [
        ("a", "timeout", "model_timed_out"),
        ("b", "error", "model_authentication_failed"),
        ("c", "error", "model_credit_exhausted"),
        ("d", "skipped", None),
    ]
    assert "D_API_KEY" in caught.value.message
    assert isinstance(caught.value, RetryableError)
    assert caught.value.details["tries"][1]["message"] == "wrong key"


async def test_a_failure_that_cannot_pass_is_terminal() -> None:
    scene = stage(profile("a"), a=[e.AuthenticationFailed("wrong key")])
    with pytest.raises(ModelsRefused) as caught:
        await scene.router.complete(ASK)
    assert isinstance(caught.value, TerminalError)


async def test_nobody_configured_says_what_to_set() -> None:
    scene = stage(profile("a"), absent={"a": ("A_API_KEY",)})
    with pytest.raises(NoModelFits, match="set A_API_KEY"):
        await scene.router.complete(ASK)


async def test_the_deadline_bounds_all_tries() -> None:
    failures: list[Play] = [e.ProviderFailed("no") for _ in range(9)]
    scene = stage(a=failures[:3], b=failures[3:6], c=failures[6:])
    scene.script.seconds = {"a": 4.0, "b": 4.0, "c": 4.0}
    with pytest.raises((e.CallDeadlineExceeded, AllModelsFailed)) as caught:
        await scene.router.complete(ASK, Route(seconds=10))
    assert all(seen.at < 10 for seen in scene.script.seen)
    assert all(seen.times.deadline == 10 for seen in scene.script.seen)
    assert len(caught.value.details["tries"]) >= len(scene.script.seen)


async def test_an_earlier_deadline_of_the_caller_counts() -> None:
    scene = stage()
    await scene.router.complete(ASK, Route(seconds=60), deadline=7.0)
    assert scene.script.seen[0].times.deadline == 7.0
    with pytest.raises(e.CallDeadlineExceeded):
        await scene.router.complete(ASK, deadline=0.0)
    assert len(scene.script.seen) == 1


async def test_a_lost_reply_is_asked_for_again_under_the_same_key() -> None:
    scene = stage(a=[e.ConnectionFailed("lost"), e.EmptyAnswer("nothing in it")])
    await scene.router.complete(ASK.model_copy(update={"idempotency_key": "turn-7"}))
    keys = [seen.request.idempotency_key for seen in scene.script.seen]
    assert keys[0] == keys[1] == "turn-7"
    assert keys[2] != keys[1], "a bad answer must not be repeated to us"


async def test_a_call_without_a_key_gets_one() -> None:
    scene = stage()
    await scene.router.complete(ASK)
    await scene.router.complete(ASK)
    keys = {seen.request.idempotency_key for seen in scene.script.seen}
    assert len(keys) == 2
    assert None not in keys


async def test_so_many_models_are_tried_and_no_more() -> None:
    scene = stage(a=[e.ModelTimedOut("slow")], b=[e.ModelTimedOut("slow")])
    with pytest.raises(AllModelsFailed):
        await scene.router.complete(ASK, Route(max_models=2))
    assert scene.script.asked == ["a", "b"]


async def test_each_try_counts_as_a_call() -> None:
    scene = stage(
        profile("openai"),
        profile("anthropic", priority=60),
        openai=[said(), said(), e.ProviderFailed("1"), e.ProviderFailed("2")],
    )
    await scene.router.complete(ASK)
    await scene.router.complete(ASK, Route(force="openai"))
    await scene.router.complete(ASK, Route(max_retries=1))
    stats = scene.router.statistics.to_json()
    assert [stats[name] for name in ("total_calls", "successful_calls", "failed_calls", "fallbacks", "retries")] == [
        5, 3, 2, 1, 1,
    ]  # fmt: skip
    assert stats["by_provider"]["openai"]["failed"] == 2
    assert stats["by_model"]["anthropic/anthropic-1"]["successful"] == 1
    assert stats["fallback_pairs"] == [{"from_provider": "openai", "to_provider": "anthropic", "count": 1}]


async def test_a_degraded_answer_is_only_given_where_allowed_and_says_so() -> None:
    scene = stage(profile("a"), a=[e.ModelTimedOut("slow"), e.ModelTimedOut("slow")])
    with pytest.raises(AllModelsFailed):
        await scene.router.complete(ASK)
    answer = await scene.router.complete(ASK, Route(degraded=Degraded(text="Nobody is there.")))
    assert (answer.text, answer.degraded, answer.provider) == ("Nobody is there.", True, "none")
    assert "not a model's" in (answer.degraded_reason or "")


async def test_a_partial_answer_is_only_given_where_allowed() -> None:
    def cut() -> e.ModelError:
        return e.StreamCut("cut", partial=said("half of"), recourse=e.Recourse.FAIL_OVER)

    scene = stage(profile("a"), a=[cut(), cut()])
    answer = await scene.router.complete(ASK, Route(degraded=Degraded(partial=True)))
    assert (answer.text, answer.degraded) == ("half of", True)


async def test_a_wrong_request_is_not_papered_over() -> None:
    scene = stage(a=[e.BadRequest("our bug")])
    with pytest.raises(e.BadRequest):
        await scene.router.complete(ASK, Route(degraded=Degraded(text="Never mind.")))


async def test_a_cancelled_call_leaves_nothing_held() -> None:
    started = asyncio.Event()

    async def never() -> ModelResponse:
        started.set()
        await asyncio.Event().wait()
        return said()

    scene = stage(profile("a", limits={"concurrency": 1}), a=[never])
    task = asyncio.create_task(scene.router.complete(ASK))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await scene.router.complete(ASK)).provider == "a"
    assert scene.router.limits.in_flight("a") == 0


async def test_storage_that_does_not_answer_does_not_hold_a_call_beyond_its_deadline() -> None:
    class Silent(MemoryTableStore):
        async def scan(self, *args: Any, **kwargs: Any) -> Any:
            await asyncio.Event().wait()

    scene = stage(tables=Silent())
    with pytest.raises(e.CallDeadlineExceeded):
        await scene.router.complete(ASK, Route(seconds=0.01))
    assert scene.script.seen == []
