"""What an agent author writes, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from aos.agents import Agent, AgentRegistry, NoState, Turn, discover, on, on_event, on_reply
from aos.kernel.errors import AlreadyExists, NotFound, SettingInvalid
from tests.harness import MemorySystem


class Amount(BaseModel):
    by: int = 1


class Total(BaseModel):
    total: int = 0
    heard: list[str] = []


class Counter(Agent[Total]):
    type = "counter"
    purpose = "Keep a running total"

    @on("counter.add")
    async def add(self, turn: Turn, state: Total, amount: Amount) -> Total:
        state.total += amount.by
        return state

    @on_event("news")
    async def hear(self, turn: Turn, state: Total, news: str) -> None:
        state.heard.append(news)


class Asker(Agent[Total]):
    type = "asker"

    @on("asker.go")
    async def go(self, turn: Turn, state: Total, amount: Amount) -> None:
        turn.ask("counter", "counter.add", amount.model_dump())
        turn.publish("news", "news.said", "asked")

    @on_reply("counter.add")
    async def told(self, turn: Turn, state: Total, answer: dict[str, Any]) -> None:
        state.total = answer.get("total", -1)


async def test_handlers_get_typed_data_change_state_and_answer_with_what_they_return() -> None:
    world = MemorySystem(Counter(), Asker())
    await world.system.directory.send("asker", "asker.go", {"by": 4})
    await world.settle()
    assert await world.state("counter") == {"total": 4, "heard": ["asked"]}
    assert (await world.state("asker"))["total"] == 4


async def test_each_address_of_a_type_is_an_agent_of_its_own() -> None:
    world = MemorySystem(Counter())
    for address, by in (("counter", 1), ("counter:eu", 2), ("counter:us", 3)):
        await world.system.directory.send(address, "counter.add", {"by": by})
    await world.settle()
    assert [(await world.state(a))["total"] for a in ("counter", "counter:eu", "counter:us")] == [1, 2, 3]
    agents, _ = await world.system.directory.page()
    assert [agent["id"] for agent in agents] == ["counter", "counter:eu", "counter:us"]


@pytest.mark.parametrize(
    ("message_type", "data", "code", "said"),
    [
        ("counter.add", {"by": "many"}, "validation_error", "by: "),
        ("counter.sub", {}, "unknown_message_type", "It handles: counter.add"),
    ],
)
async def test_what_an_agent_cannot_take_is_a_dead_letter_that_says_why(
    message_type: str, data: Any, code: str, said: str
) -> None:
    world = MemorySystem(Counter())
    await world.system.directory.send("counter", message_type, data)
    await world.settle()
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert letter.error["code"] == code
    assert said in letter.error["message"]


async def test_state_survives_the_process() -> None:
    world = MemorySystem(Counter())
    await world.system.directory.send("counter", "counter.add", {"by": 5})
    await world.settle()
    successor = MemorySystem(Counter())
    successor.system.kernel._tables = world.tables
    successor.system.kernel.heads._tables = world.tables
    assert (await successor.state("counter"))["total"] == 5


async def test_state_of_an_older_shape_gets_the_defaults_of_new_fields() -> None:
    class Older(BaseModel):
        total: int = 0

    class Then(Agent[Older]):
        type = "counter"

        @on("counter.add")
        async def add(self, turn: Turn, state: Older, amount: Amount) -> None:
            state.total += amount.by

    world = MemorySystem(Then())
    await world.system.directory.send("counter", "counter.add", {"by": 2})
    await world.settle()
    world.registry.unregister("counter")
    world.registry.register(Counter())
    await world.system.directory.send("counter", "counter.add", {"by": 2})
    await world.settle()
    assert await world.state("counter") == {"total": 4, "heard": []}


def test_a_type_can_be_registered_once_and_must_be_an_address() -> None:
    registry = AgentRegistry([Counter()])
    with pytest.raises(AlreadyExists, match="counter"):
        registry.register(Counter())

    class Shouting(Agent[NoState]):
        type = "SHOUT"

    with pytest.raises(Exception, match="lower-case"):
        registry.register(Shouting())


def test_a_handler_of_the_wrong_shape_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(SettingInvalid, match=r"async def wrong\(self, turn, state, data\)"):

        class Wrong(Agent[NoState]):
            type = "wrong"

            @on("x")
            async def wrong(self, turn: Turn) -> None: ...


def test_two_handlers_of_one_message_are_refused() -> None:
    with pytest.raises(SettingInvalid, match="both handle 'x'"):

        class Twice(Agent[NoState]):
            type = "twice"

            @on("x")
            async def one(self, turn: Turn, state: NoState, data: Any) -> None: ...

            @on("x")
            async def two(self, turn: Turn, state: NoState, data: Any) -> None: ...


async def test_an_agent_that_has_not_lived_is_shown_as_created_and_an_unknown_one_is_not_found() -> None:
    world = MemorySystem(Counter())
    status = await world.system.directory.status("counter")
    assert (status["status"], status["version"]) == ("created", 0)
    for unknown in ("nobody", "counter:never"):
        with pytest.raises(NotFound, match=unknown):
            await world.system.directory.status(unknown)


def test_the_shipped_agents_are_discovered() -> None:
    import agents

    registry = AgentRegistry()
    discover(agents, registry)
    assert {agent.type for agent in registry} == {"code", "security", "documentation", "cto"}
