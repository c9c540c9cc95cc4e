"""Agents without code: asked, woken, bounded, and honest where there is no model."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from aos.agents.declaration import Declaration
from aos.agents.declarative_agent import DeclarativeAgent
from tests.harness import MemorySystem
from tests.llm.scripted import Stage, said, stage

WRITER: dict[str, Any] = {
    "id": "writer",
    "name": "Writer",
    "description": "Writes.",
    "instructions": "Write briefly.",
}


def world_of(scene: Stage | None, **fields: Any) -> MemorySystem:
    world = MemorySystem(DeclarativeAgent(Declaration.model_validate({**WRITER, **fields})))
    world.registry.surroundings.find_router = lambda: scene.router if scene else None
    return world


async def ask(world: MemorySystem, prompt: Any, **fields: Any) -> None:
    data = {"prompt": prompt} if isinstance(prompt, str) else prompt
    await world.system.directory.send("writer", "agent.query", data, reply_to="queue:app", **fields)
    await world.settle()


def answers(world: MemorySystem) -> list[Any]:
    return [message["data"] for message in world.sent_to("app")]


async def test_a_question_is_answered_with_the_instructions_and_the_conversation() -> None:
    scene = stage(a=[said("one"), said("two"), said("other")])
    world = world_of(scene)
    await ask(world, "First?")
    await ask(world, "Second?")
    await ask(world, "Elsewhere?", conversation_id="c2")
    assert [answer["answer"] for answer in answers(world)] == ["one", "two", "other"]
    assert answers(world)[0] == {"answer": "one", "conversation": "main", "provider": "a", "model": "a-1"}
    said_to = [[part.text for part in seen.request.messages] for seen in scene.script.seen]
    assert said_to == [
        ["Write briefly.", "First?"],
        ["Write briefly.", "First?", "one", "Second?"],
        ["Write briefly.", "Elsewhere?"],
    ]
    assert (await world.state("writer"))["calls"] == 3
    found, _ = await (await world.system.directory.conversations("writer")).list()
    assert {each["conversation"] for each in found} == {"main", "c2"}


async def test_the_chain_and_the_limits_are_those_declared() -> None:
    scene = stage()
    world = world_of(scene, model="b", limits={"max_tokens": 50, "temperature": 0.1})
    await ask(world, "Hello?")
    [seen] = scene.script.seen
    assert (seen.provider, seen.request.max_tokens, seen.request.temperature) == ("b", 50, 0.1)


@pytest.mark.parametrize("scene", [None, stage(absent=dict.fromkeys("abc", ("KEY",)))])
async def test_without_a_model_the_question_ends_with_a_clear_error(scene: Stage | None) -> None:
    world = world_of(scene)
    await ask(world, "Anybody?")
    [error] = answers(world)
    assert error["code"] == "no_model_configured"
    assert "aos models list" in error["message"]
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert letter.error["retryable"] is False


async def test_a_conversation_shows_the_model_a_bounded_part_and_a_summary_of_the_rest() -> None:
    scene = stage(a=[said(f"answer {n}") for n in range(30)])
    world = world_of(scene, limits={"messages": 4, "conversations": 2, "characters": 1_000})
    for number in range(6):
        await ask(world, f"question {number}")
    await ask(world, "x" * 990)
    await ask(world, "Well?")
    asked = [seen.request.messages for seen in scene.script.seen if seen.request.messages[0].text == "Write briefly."]
    assert len(asked) == 8
    assert max(len(messages) for messages in asked) <= 1 + 1 + 4 + 1
    assert asked[-1][1].text.startswith("What was said before, in short:\n")
    assert asked[-2][-1].text == "x" * 990
    assert sum(len(message.text) for message in asked[-1]) < 1_000
    page = await (await world.system.directory.conversations("writer")).page("main")
    assert (page["total"], page["entries"][-1]["content"]) == (16, "question 0")


async def test_conversations_beyond_those_at_hand_are_remembered_all_the_same() -> None:
    scene = stage()
    world = world_of(scene, limits={"conversations": 2})
    for name in ("c1", "c2", "c3", "c1"):
        await ask(world, {"prompt": f"I am {name}", "conversation": name})
    assert [message.text for message in scene.script.seen[-1].request.messages] == [
        "Write briefly.",
        "I am c1",
        "a says",
        "I am c1",
    ]


async def test_summaries_count_against_the_budget_and_none_is_bought_beyond_it() -> None:
    scene = stage()
    world = world_of(scene, limits={"messages": 4}, budget={"calls_per_day": 3})
    for number in range(3):
        await ask(world, f"The harbour has {number} cranes.")
    assert len(scene.script.seen) == 3
    assert (await world.state("writer"))["calls"] == 3
    page = await (await world.system.directory.conversations("writer")).page("main")
    assert page["summary"]["by"] == "model"


async def test_the_budget_of_a_day_is_kept_and_begins_anew() -> None:
    world = world_of(stage(), budget={"calls_per_day": 2})
    for _ in range(3):
        await ask(world, "Again?")
    assert [answer.get("code") for answer in answers(world)] == [None, None, "budget_exceeded"]
    world.clock.advance(24 * 3600)
    await ask(world, "Today?")
    assert "answer" in answers(world)[-1]


async def test_money_counts_against_the_budget() -> None:
    from tests.llm.scripted import profile

    scene = stage(profile("openai", "gpt-5-mini"), openai=[said("1"), said("2")])
    world = world_of(scene, budget={"usd_per_day": 0.001})
    await ask(world, "One?")
    await ask(world, "Two?")
    assert [answer.get("code") for answer in answers(world)] == [None, "budget_exceeded"]


async def test_triggers_wake_it_and_its_answers_are_published() -> None:
    scene = stage()
    triggers = [
        {"name": "morning", "cron": "10 0 * * *", "prompt": "Good morning."},
        {"topic": "orders.*", "prompt": "Note this:"},
        {"message": "invoice.sent", "prompt": "Check it."},
    ]
    world = world_of(scene, triggers=triggers, publish="summaries")
    for _ in range(12):
        await world.system.alarm.ring()
        await world.settle(until=timedelta(minutes=1))
    await world.system.messages.publish("orders.placed", "order.placed", {"number": 7})
    await world.settle()
    await world.system.directory.send("writer", "invoice.sent", {"amount": 3})
    await world.settle()
    asked = [seen.request.messages[-1].text for seen in scene.script.seen]
    assert asked[0] == "Good morning."
    assert asked[1].startswith("Note this:\n\nReceived order.placed:")
    assert '"number": 7' in asked[1]
    assert '"amount": 3' in asked[2]
    published = [json.loads(m.body) for m in world.outbox.sent if m.entity == world.config.messaging.events]
    assert [event["topic"] for event in published if event["type"] == "agent.answered"] == ["summaries"] * 3


async def test_an_answer_of_a_declared_shape_comes_as_a_value() -> None:
    scene = stage(a=[said('{"good": true}')])
    schema = {"type": "object", "properties": {"good": {"type": "boolean"}}, "required": ["good"]}
    world = world_of(scene, response_schema=schema)
    await ask(world, "Is it?")
    assert answers(world)[0]["value"] == {"good": True}


@pytest.mark.parametrize(
    ("message_type", "data", "code"),
    [
        ("agent.query", {"question": "x"}, "validation_error"),
        ("agent.query", {"prompt": ""}, "validation_error"),
        ("agent.wake", {"wake": "none"}, "unknown_message_type"),
        ("invoice.sent", {}, "unknown_message_type"),
    ],
)
async def test_what_it_does_not_understand_is_refused(message_type: str, data: Any, code: str) -> None:
    world = world_of(stage())
    await world.system.directory.send("writer", message_type, data)
    await world.settle()
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert letter.error["code"] == code


async def test_plain_words_are_a_question_too() -> None:
    world = world_of(stage(a=[said("yes")]))
    await ask(world, {"prompt": "a"})
    await world.system.directory.send("writer", "agent.query", "Just words?", reply_to="queue:app")
    await world.settle()
    assert len(answers(world)) == 2
