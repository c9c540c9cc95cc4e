"""What the turn offers beyond the kernel's."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from pydantic import BaseModel

from aos.agents import Agent, AgentRegistry, Turn, on, on_reply
from tests.harness import MemorySystem


class Heard(BaseModel):
    heard: list[str] = []


class Listener(Agent[Heard]):
    type = "listener"

    @on("news")
    async def hear(self, turn: Turn, state: Heard, data: str) -> None:
        state.heard.append(data)


class Second(Listener):
    type = "second"


class Hidden(Listener):
    type = "hidden"
    listed = False


class Caster(Listener):
    type = "caster"

    @on("go")
    async def go(self, turn: Turn, state: Heard, data: Any) -> None:
        state.heard = turn.broadcast("news", "hello")
        turn.log("told everybody", heard=len(state.heard))

    @on("think")
    async def think(self, turn: Turn, state: Heard, data: Any) -> None:
        assert not turn.can_think
        await turn.think("What is the news?")


async def test_a_broadcast_reaches_every_listed_agent_that_takes_it_but_the_sender() -> None:
    world = MemorySystem(Listener(), Second(), Hidden(), Caster())
    await world.system.directory.send("caster", "go", None)
    await world.settle()
    assert (await world.state("caster"))["heard"] == ["listener", "second"]
    assert (await world.state("listener"))["heard"] == (await world.state("second"))["heard"] == ["hello"]
    [entry] = await world.system.directory.journal("caster")
    assert len(entry.sent) == 2


async def test_what_a_turn_logs_is_tied_to_it(caplog: pytest.LogCaptureFixture) -> None:
    world = MemorySystem(Caster())
    with caplog.at_level(logging.INFO, logger="aos.agent"):
        id = await world.system.directory.send("caster", "go", None)
        await world.settle()
    [line] = [record for record in caplog.records if record.name == "aos.agent"]
    assert line.getMessage() == "told everybody"
    assert (vars(line)["agent"], vars(line)["message_id"], vars(line)["version"]) == ("caster", id, 1)
    assert vars(line)["facts"] == {"heard": 0}


async def test_without_a_model_thinking_fails_and_says_what_to_set() -> None:
    world = MemorySystem(Caster())
    await world.system.directory.send("caster", "think", None)
    await world.settle()
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert (letter.error["code"], "API key" in letter.error["message"]) == ("config_missing", True)


class Held(BaseModel):
    held: dict[str, Any] | None = None
    answers: list[Any] = []


class Slow(Agent[Held]):
    type = "slow"

    @on("ask")
    async def ask(self, turn: Turn, state: Held, data: Any) -> None:
        state.held = turn.hold_reply()

    @on("release")
    async def release(self, turn: Turn, state: Held, data: Any) -> None:
        turn.reply_to_held(state.held, "at last")


class Asker(Agent[Held]):
    type = "asker"

    @on("go")
    async def go(self, turn: Turn, state: Held, data: Any) -> None:
        turn.ask("slow", "ask", note=data)

    @on_reply("ask")
    async def told(self, turn: Turn, state: Held, data: Any) -> None:
        assert turn.request is not None
        state.answers.append([turn.request.note, data])


async def test_a_held_reply_answers_the_request_in_a_later_turn() -> None:
    world = MemorySystem(Slow(), Asker())
    await world.system.directory.send("asker", "go", "n1")
    await world.settle()
    assert (await world.state("asker"))["answers"] == []
    await world.system.directory.send("slow", "release", None)
    await world.settle()
    assert (await world.state("asker"))["answers"] == [["n1", "at last"]]


async def test_a_held_reply_goes_to_a_queue_outside_too_and_to_nobody_where_none_is_expected() -> None:
    world = MemorySystem(Slow())
    await world.system.directory.send("slow", "ask", None)
    await world.system.directory.send("slow", "release", None)
    await world.settle()
    assert len(world.outbox.sent) == 2
    await world.system.directory.send("slow", "ask", None, reply_to="queue:app-responses")
    await world.system.directory.send("slow", "release", None)
    await world.settle()
    [answer] = world.sent_to("app-responses")
    assert (answer["type"], answer["data"]) == ("ask.reply", "at last")


def test_an_agent_belongs_to_the_registry_it_was_registered_with() -> None:
    agent = Listener()
    registry = AgentRegistry([agent])
    assert agent.surroundings is registry.surroundings
    assert registry.takers("news") == ["listener"]
