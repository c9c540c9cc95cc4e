"""Who is asked, in what order, and who is not."""

from __future__ import annotations

import logging
from datetime import date

import pytest

from aos.llm import errors as e
from aos.llm.overview import Overview
from aos.llm.prices import Price, Prices
from aos.llm.provider import Capabilities, ModelProfile
from aos.llm.providers import builtin
from aos.llm.request import ChatMessage, EmbeddingRequest, ImagePart, ModelRequest, TextPart, ToolSpec
from aos.llm.response import Usage
from aos.llm.route import CallContext, Route, Routes, Strategy
from aos.llm.router_settings import RouterSettings
from aos.llm.tries import NoModelFits
from tests.llm.scripted import CHAT, Stage, profile, small, stage

ASK = ModelRequest.ask("Hello", max_tokens=100)
DAY = date(2025, 1, 1)


def price(provider: str, per_million: float, output: float | None = None) -> Price:
    out = per_million if output is None else output
    return Price(provider=provider, model=f"{provider}-1", input=per_million, output=out, since=DAY)


async def order(scene: Stage, request: ModelRequest = ASK, **route: object) -> list[str]:
    found = await Overview(scene.router).explain(request, Route.model_validate(route))
    return [f"{place.provider}/{place.model}" for place in found.order]


async def passed_over(scene: Stage, request: ModelRequest = ASK, **route: object) -> dict[str, str]:
    found = await Overview(scene.router).explain(request, Route.model_validate(route))
    return {each["provider"]: each["reason"] for each in found.passed_over}


async def test_tiers_come_before_priorities() -> None:
    scene = stage(profile("x", tier=2, priority=0), profile("y", priority=9), profile("z", priority=1))
    assert await order(scene) == ["z/z-1", "y/y-1", "x/x-1"]


async def test_a_chain_keeps_its_own_order() -> None:
    scene = stage(profile("a", "one", "two"), profile("b"))
    assert await order(scene, models=("b", "a/two", "one")) == ["b/b-1", "a/two", "a/one"]


async def test_a_model_by_its_name_alone_is_whoever_has_it() -> None:
    scene = stage(profile("a", "gpt-oss-120b"), profile("b", ModelProfile(id="own-name", aliases=("gpt-oss-120b",))))
    assert await order(scene, models=("gpt-oss-120b",)) == ["a/gpt-oss-120b", "b/own-name"]


async def test_a_name_nobody_has_is_said() -> None:
    scene = stage(profile("a"))
    assert (await passed_over(scene, models=("nonsense", "a")))["nonsense"] == "no provider or model has this name"


async def test_cheapest_first_and_the_unknown_price_last() -> None:
    scene = stage(settings=RouterSettings(prices=(price("b", 1.0), price("c", 0.5))))
    assert await order(scene, strategy="cheapest") == ["c/c-1", "b/b-1", "a/a-1"]


async def test_fastest_is_learned() -> None:
    scene = stage()
    scene.script.seconds = {"a": 3.0, "b": 0.2, "c": 9.0}
    for name in "abc":
        await scene.router.complete(ASK, Route(force=name))
    assert await order(scene, strategy="fastest") == ["b/b-1", "a/a-1", "c/c-1"]


async def test_fastest_asks_those_it_does_not_know_before_slow_ones() -> None:
    scene = stage(profile("a"), profile("b", priority=60))
    scene.script.seconds = {"a": 5.0}
    await scene.router.complete(ASK, Route(force="a"))
    assert await order(scene, strategy="fastest") == ["b/b-1", "a/a-1"]


async def test_round_robin_takes_turns() -> None:
    scene = stage()
    for _ in range(4):
        await scene.router.complete(ASK, Route(strategy="round_robin"))
    assert scene.script.asked == ["a", "b", "c", "a"]


async def test_balanced_weighs_price_speed_and_success() -> None:
    scene = stage(
        profile("a"), profile("b", priority=60), settings=RouterSettings(prices=(price("a", 9.0), price("b", 1.0)))
    )
    assert await order(scene, strategy="balanced") == ["b/b-1", "a/a-1"]
    scene.script.plays["b"] = [e.ProviderFailed("no") for _ in range(4)]
    for _ in range(2):
        with pytest.raises(e.ModelError):
            await scene.router.complete(ASK, Route(force="b", max_retries=1))
    scene.script.seconds = {"b": 30.0}
    await scene.router.complete(ASK, Route(force="b"))
    assert await order(scene, strategy="balanced") == ["a/a-1", "b/b-1"]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("quality_first", ["openai", "anthropic", "google", "groq", "ollama"]),
        ("speed_first", ["groq", "anthropic", "openai", "google", "ollama"]),
        ("cost_optimized", ["ollama", "groq", "google", "anthropic", "openai"]),
    ],
)
async def test_the_named_orders(strategy: Strategy, expected: list[str]) -> None:
    names = ("groq", "google", "ollama", "openai", "anthropic")
    scene = stage(*(profile(name) for name in names), profile("unlisted"))
    assert [label.split("/")[0] for label in await order(scene, strategy=strategy)] == [*expected, "unlisted"]


async def test_local_only() -> None:
    scene = stage(profile("a"), profile("own", local=True))
    assert await order(scene, local_only=True) == ["own/own-1"]


async def test_forcing_a_model_forbids_all_others() -> None:
    scene = stage(b=[e.ModelTimedOut("slow")])
    with pytest.raises(e.ModelError):
        await scene.router.complete(ASK, Route(force="b"))
    assert scene.script.asked == ["b"]


async def test_tiers_of_a_route() -> None:
    scene = stage(profile("a"), profile("b", ModelProfile(id="b-1"), ModelProfile(id="b-cheap", tier=3), tier=1))
    assert await order(scene, tiers=frozenset({3})) == ["b/b-cheap"]
    assert await order(scene, tiers=frozenset({3}), models=("a", "b/b-cheap")) == ["b/b-cheap"]


async def test_what_a_model_cannot_do_is_known_before_it_is_asked() -> None:
    plain = CHAT.model_copy(update={"tools": False, "vision": False})
    scene = stage(profile("plain", capabilities=plain), profile("able", priority=60))
    tool = ToolSpec(name="look")
    picture = ChatMessage.user(TextPart(text="What is it?"), ImagePart(url="https://example.org/a.png"))
    assert await order(scene, ASK.model_copy(update={"tools": (tool,)})) == ["able/able-1"]
    assert await order(scene, ModelRequest(messages=(picture,))) == ["able/able-1"]
    why = await passed_over(scene, ASK.model_copy(update={"tools": (tool,)}))
    assert why["plain"] == "cannot do: tools"


async def test_what_does_not_fit_the_context_is_not_tried() -> None:
    long = ModelRequest.ask("word " * 10_000)
    scene = stage(profile("small", small("s", 4_000)), profile("large", small("l", 100_000), priority=60))
    assert await order(scene, long) == ["large/l"]
    assert "reads 4000 tokens" in (await passed_over(scene, long))["small"]


async def test_a_fitting_model_of_the_provider_stands_in_for_its_default() -> None:
    scene = stage(profile("a", small("a-1", 4_000), small("a-big", 100_000)))
    assert await order(scene, ModelRequest.ask("word " * 10_000)) == ["a/a-big"]


async def test_a_deprecated_model_is_passed_over_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    over = ModelProfile(id="old", deprecated_on=date(2025, 12, 31))
    scene = stage(profile("a", over), profile("b", priority=60))
    with caplog.at_level(logging.WARNING):
        assert (await scene.router.complete(ASK)).provider == "b"
        await scene.router.complete(ASK)
    assert caplog.text.count("old of a is passed over: it is deprecated since 2025-12-31") == 1
    with pytest.raises(NoModelFits, match="deprecated since 2025-12-31"):
        await scene.router.complete(ASK, Route(force="a/old"))


async def test_a_retired_provider_is_passed_over() -> None:
    scene = stage(
        profile("gone", status="retired", notice="It has closed."),
        profile("ended", sunset=date(2025, 6, 1)),
        profile("b"),
    )
    assert await order(scene) == ["b/b-1"]
    why = await passed_over(scene)
    assert "It has closed." in why["gone"]
    assert "2025-06-01" in why["ended"]


async def test_routes_of_agent_and_task_and_call() -> None:
    routes = Routes(
        default=Route(models=("a",)),
        by_agent={"cto": Route(models=("b",), max_retries=0)},
        by_task_type={"review": Route(models=("c",))},
    )
    scene = stage(settings=RouterSettings(routes=routes))
    await scene.router.complete(ASK)
    await scene.router.complete(ASK, context=CallContext(agent="cto"))
    await scene.router.complete(ASK, context=CallContext(agent="cto", task_type="review"))
    await scene.router.complete(ASK, Route(models=("a",)), context=CallContext(agent="cto"))
    assert scene.script.asked == ["a", "b", "c", "a"]
    chosen = routes.resolve(CallContext(agent="cto", task_type="review"), Route(seconds=9))
    assert (chosen.models, chosen.max_retries, chosen.seconds) == (("c",), 0, 9)


async def test_explaining_asks_nobody_and_shows_obstacles() -> None:
    scene = stage(a=[e.AuthenticationFailed("wrong key")])
    await scene.router.complete(ASK)
    asked = len(scene.script.seen)
    found = await Overview(scene.router).explain(ASK)
    assert len(scene.script.seen) == asked
    assert "model_authentication_failed" in (found.order[0].obstacle or "")
    assert found.order[1].obstacle is None
    assert found.to_json()["strategy"] == "priority"


async def test_a_probe_that_succeeds_brings_a_provider_back() -> None:
    scene = stage(a=[e.AuthenticationFailed("wrong key")])
    await scene.router.complete(ASK)
    overview = Overview(scene.router)
    first, *_ = await overview.candidates(("a",))
    assert (await overview.probe(first)).status == "success"
    assert (await scene.router.complete(ASK)).provider == "a"


async def test_the_list_of_providers() -> None:
    scene = stage(
        profile("a"),
        profile("b", status="retired"),
        absent={"b": ("B_API_KEY",)},
        settings=RouterSettings(prices=(price("a", 1.0, 2.0),)),
    )
    await scene.router.complete(ASK)
    a, b = await Overview(scene.router).providers()
    assert (a["configured"], a["status"], a["breaker"], a["is_healthy"]) == (True, "active", "closed", True)
    assert a["price"] == {"input": 1.0, "output": 2.0, "cached_input": None, "since": "2025-01-01"}
    assert a["calls"]["successful"] == 1
    assert (b["configured"], b["missing"], b["status"], b["price"]) == (False, ["B_API_KEY"], "retired", None)


async def test_embeddings_go_to_a_model_that_makes_them() -> None:
    able = Capabilities(chat=True, embeddings=True)
    scene = stage(profile("a"), profile("b", capabilities=able, default_embedding_model="b-embed", priority=60))
    answer = await scene.router.embed(EmbeddingRequest(inputs=("one", "two")))
    assert (answer.provider, answer.model, len(answer.vectors)) == ("b", "b-embed", 2)


def test_shipped_prices_are_dated_and_unknown_ones_are_none() -> None:
    providers, prices, today = builtin(), Prices(), date(2026, 11, 21)
    known = prices.of(providers["openai"], "gpt-5-mini", today)
    assert known is not None
    assert (known.input, known.output, known.since) == (0.25, 2.0, date(2026, 11, 1))
    assert prices.of(providers["openrouter"], "some/model", today) is None
    local = prices.of(providers["ollama"], "phi3:3.8b", today)
    assert local is not None
    assert local.input == 0


def test_of_several_prices_the_latest_that_holds_counts() -> None:
    old = Price(provider="a", model="m", input=1, output=1, since=date(2025, 1, 1))
    new = Price(provider="a", model="m", input=2, output=2, since=date(2026, 6, 1))
    prices = Prices((old, new))
    assert prices.of(profile("a", "m"), "m", date(2026, 5, 31)) == old
    assert prices.of(profile("a", "m"), "m", date(2026, 6, 1)) == new
    assert prices.of(profile("a", "m"), "m", date(2024, 6, 1)) is None


def test_cached_input_has_its_own_price() -> None:
    cost = Price(provider="a", model="m", input=1, output=4, cached_input=0.1, since=DAY).cost(
        Usage(input_tokens=1_000_000, cached_tokens=400_000, output_tokens=500_000)
    )
    assert cost.input_usd == pytest.approx(0.64)
    assert cost.output_usd == pytest.approx(2.0)
    assert cost.usd == pytest.approx(2.64)


async def test_the_cost_is_on_the_answer_and_absent_where_unknown() -> None:
    scene = stage(settings=RouterSettings(prices=(price("a", 1.0, 2.0),)))
    answer = await scene.router.complete(ASK)
    assert answer.cost is not None
    assert answer.cost.usd == pytest.approx(0.002)
    assert (await scene.router.complete(ASK, Route(force="b"))).cost is None
    assert scene.router.statistics.by_provider["b"].calls_of_unknown_cost == 1
