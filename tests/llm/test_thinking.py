"""A model asked within a turn: paid once, journaled, and given back on a redelivery."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from aos.kernel.errors import InfrastructureError, RetryableError, SettingMissing, TerminalError
from aos.kernel.turn import Turn
from aos.llm import errors as e
from aos.llm.budgets import Budget
from aos.llm.request import ModelRequest, ResponseFormat
from aos.llm.response import ModelResponse
from aos.llm.route import Route
from aos.llm.router_settings import RouterSettings
from aos.llm.thinking import from_record, think
from tests.kernel.world import Script, World
from tests.llm.scripted import Stage, profile, said, stage


class Verdict(BaseModel):
    good: bool


async def give_to(scene: Stage, run: Any, times: int = 1) -> World:
    world = World(Script("judge", run))
    message = world.message("judge")
    for number in range(times):
        await world.give(message, delivery_count=number + 1)
        await world.settle()
    return world


async def test_the_answer_and_its_cost_are_in_the_journal() -> None:
    scene = stage(profile("openai", "gpt-5-mini"), openai=[said("Yes.")])

    async def run(turn: Turn) -> None:
        turn.state["said"] = (await think(turn, scene.router, "Is it good?")).text

    world = await give_to(scene, run)
    assert await world.state("judge") == {"said": "Yes."}
    [entry] = await world.kernel.journal.entries("judge")
    assert entry.usage["model_calls"] == 1
    assert entry.usage["model_input_tokens"] == 1_000
    assert entry.usage["model_output_tokens"] == 500
    assert entry.usage["model_cost_usd"] == pytest.approx(0.00125)
    [fact] = [fact for fact in entry.facts if fact["kind"] == "model"]
    assert (fact["provider"], fact["model"]) == ("openai", "gpt-5-mini")
    assert fact["tries"][0]["status"] == "success"


async def test_a_message_that_comes_back_is_not_paid_for_again() -> None:
    scene = stage(a=[said("first"), said("second"), said("never")])
    heard: list[list[str]] = []

    async def run(turn: Turn) -> None:
        heard.append([(await think(turn, scene.router, "One?")).text, (await think(turn, scene.router, "Two?")).text])
        if turn.attempt == 1:
            raise RetryableError("Not yet.")

    await give_to(scene, run)
    assert heard == [["first", "second"], ["first", "second"]]
    assert len(scene.script.seen) == 2


async def test_a_crash_before_the_answer_was_kept_asks_again_under_the_same_key() -> None:
    scene = stage()
    crashes = [True, False]

    async def run(turn: Turn) -> None:
        class Crashing:
            agent, remaining = turn.agent, turn.remaining
            idempotency_key, spend, record = turn.idempotency_key, turn.spend, turn.record

            async def step(self, name: str, work: Any) -> Any:
                await work()
                if crashes.pop(0):
                    raise InfrastructureError("gone")
                return await turn.step(name, work)

        await think(Crashing(), scene.router, "One?")

    world = World(Script("judge", run))
    message = world.message("judge")
    with pytest.raises(InfrastructureError):
        await world.give(message)
    await world.give(message, delivery_count=2)
    assert len({seen.request.idempotency_key for seen in scene.script.seen}) == 1


async def test_the_structure_is_there_after_a_redelivery_too() -> None:
    scene = stage(a=[said('{"good": true}')])
    seen: list[Any] = []
    request = ModelRequest.ask("Is it good?", response_format=ResponseFormat.of(Verdict))

    async def run(turn: Turn) -> None:
        seen.append((await think(turn, scene.router, request)).parsed)
        if turn.attempt == 1:
            raise RetryableError("Not yet.")

    await give_to(scene, run)
    assert seen == [Verdict(good=True)] * 2


async def test_what_is_kept_is_json() -> None:
    scene = stage()
    kept: list[Any] = []

    class Noting:
        agent, remaining = "judge", 60.0

        def idempotency_key(self, name: str) -> str:
            return "key"

        def spend(self, **amounts: float) -> None:
            return None

        def record(self, kind: str, **facts: Any) -> None:
            kept.append(facts)

        async def step(self, name: str, work: Any) -> Any:
            result = json.loads(json.dumps(await work()))
            kept.append(result)
            return result

    answer = await think(Noting(), scene.router, "Hello")
    assert isinstance(answer, ModelResponse)
    assert kept[0]["response"]["provider"] == "a"
    assert scene.script.seen[0].request.idempotency_key == "key"
    assert scene.script.seen[0].times.deadline == pytest.approx(58.0), "some of the turn is left for its commit"


async def test_a_refusal_is_not_kept_and_the_agents_budget_counts() -> None:
    scene = stage(
        profile("openai", "gpt-5-mini"), settings=RouterSettings(budgets=(Budget(scope="agent", usd=0.000001),))
    )

    async def run(turn: Turn) -> None:
        await think(turn, scene.router, "Hello")

    world = await give_to(scene, run)
    [letter], _ = await world.kernel.dead_letters.page()
    assert letter.error["code"] == "budget_exceeded"
    assert letter.error["details"]["subject"] == "agent:judge"
    assert scene.script.seen == []


async def test_models_out_for_a_while_put_the_message_aside() -> None:
    scene = stage(profile("a"), a=[e.ModelTimedOut("slow")])
    heard: list[str] = []

    async def run(turn: Turn) -> None:
        heard.append((await think(turn, scene.router, "Hello", route=Route(max_retries=0))).text)

    await give_to(scene, run)
    assert heard == ["a says"]


async def test_without_a_router_it_says_what_to_set() -> None:
    async def run(turn: Turn) -> None:
        with pytest.raises(SettingMissing, match="aos models list"):
            await think(turn, None, "Hello")

    await give_to(stage(), run)


def test_a_recorded_answer_that_fits_no_more_is_given_up_and_not_retried() -> None:
    class Stricter(BaseModel):
        good: bool
        reason: str

    recorded = {"response": said('{"good": true}').model_dump(mode="json"), "tries": []}
    request = ModelRequest.ask("Good?", response_format=ResponseFormat.of(Stricter))
    with pytest.raises(TerminalError, match="resubmit it under a new id") as caught:
        from_record(request, recorded)
    assert caught.value.code == "recorded_answer_does_not_fit"
