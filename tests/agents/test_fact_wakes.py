"""Agents woken by facts that other agents publish, at the edge of a condition."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from aos.agents import Agent, NoState, Turn, Wake, on, on_event
from aos.agents.declaration import Declaration
from aos.agents.declarative_agent import DeclarativeAgent
from aos.agents.fact_wake import FactCondition, fact_topic
from aos.kernel.errors import InvalidInput
from aos.kernel.message import Message
from tests.harness import MemorySystem


class Treasury(Agent[NoState]):
    type = "treasury"

    @on("balance")
    async def balance(self, turn: Turn, state: NoState, value: Any) -> None:
        turn.publish_fact("balance", value)

    @on("forge")
    async def forge(self, turn: Turn, state: NoState, value: Any) -> None:
        data = {"agent": "treasury", "fact": "balance", "value": value, "order": [10**9, 0]}
        turn.publish("aos.facts.treasury.balance", "aos.fact", data)


class Heard(BaseModel):
    wakes: list[Any] = []
    events: list[Any] = []


class Watch(Agent[Heard]):
    type = "watch"
    wakes = (
        Wake.when(agent="treasury", fact="balance", below=10_000),
        Wake.when(agent="treasury", fact="balance", name="empty", equals=0, message="money.gone", data="run"),
        Wake(name="noon", cron="0 12 * * *"),
    )

    @on("agent.wake")
    async def wake(self, turn: Turn, state: Heard, data: dict[str, Any]) -> None:
        state.wakes.append(data["value"])

    @on("money.gone")
    async def gone(self, turn: Turn, state: Heard, data: str) -> None:
        state.wakes.append(data)


class Both(Watch):
    type = "both"

    @on_event("aos.facts.treasury.#")
    async def fact(self, turn: Turn, state: Heard, data: dict[str, Any]) -> None:
        state.events.append(data["value"])


async def publish(world: MemorySystem, *values: Any, agent: str = "treasury", kind: str = "balance") -> None:
    for value in values:
        await world.system.directory.send(agent, kind, value)
        await world.settle()


async def test_an_agent_is_woken_when_a_condition_begins_to_hold_and_again_after_it_did_not() -> None:
    world = MemorySystem(Treasury(), Watch())
    await publish(world, 20_000, 9_000, 8_000, 12_000, 7_000, 0, "unknown", 5)
    assert (await world.state("watch"))["wakes"] == [9_000, 7_000, "run", 5]


async def test_a_fact_that_holds_when_first_heard_of_wakes() -> None:
    world = MemorySystem(Treasury(), Watch())
    await publish(world, 1)
    assert (await world.state("watch"))["wakes"] == [1]


async def test_only_the_agent_itself_says_what_its_facts_are_and_old_news_is_no_news() -> None:
    class Forger(Treasury):
        type = "forger"

    world = MemorySystem(Treasury(), Forger(), Watch())
    await publish(world, 20_000)
    await publish(world, 1, agent="forger", kind="forge")
    assert (await world.state("watch"))["wakes"] == []
    late = Message(
        id="late",
        source="treasury",
        type="aos.fact",
        time=world.clock.now(),
        to="watch",
        topic="aos.facts.treasury.balance",
        data={"agent": "treasury", "fact": "balance", "value": 3, "order": [0, 0]},
    )
    await world.system.kernel.mailbox.post(late)
    await world.settle()
    assert (await world.state("watch"))["wakes"] == []


def test_a_fact_has_a_name_that_can_be_waited_for() -> None:
    with pytest.raises(InvalidInput, match="cannot name a fact"):
        fact_topic("treasury", "Balance")


async def test_a_handler_of_the_event_is_called_as_well() -> None:
    world = MemorySystem(Treasury(), Both())
    await publish(world, 20_000, 9_000)
    state = await world.state("both")
    assert (state["events"], state["wakes"]) == ([20_000, 9_000], [9_000])


async def test_the_plan_shows_facts_and_whether_they_are_armed() -> None:
    world = MemorySystem(Treasury(), Watch())
    lines = {line["name"]: line for line in await world.system.alarm.plan("watch") if line["kind"] == "fact"}
    assert lines["balance"]["on"] == "treasury balance below 10000"
    assert (lines["balance"]["armed"], lines["balance"]["last"]) == (True, None)
    await publish(world, 9_000)
    lines = {line["name"]: line for line in await world.system.alarm.plan("watch") if line["kind"] == "fact"}
    assert (lines["balance"]["armed"], lines["empty"]["armed"]) == (False, True)
    assert lines["balance"]["last"] is not None


@pytest.mark.parametrize(
    ("condition", "holding", "failing"),
    [
        ({"below": 5}, [4, -1.5], [5, "4", True, None]),
        ({"above": 5}, [6], [5]),
        ({"at_most": 5}, [5], [6]),
        ({"at_least": 5, "below": 7}, [5, 6.9], [4, 7]),
        ({"equals": {"a": 1}}, [{"a": 1}], [{"a": 2}, 1]),
        ({"equals": None}, [None], [0]),
        ({"differs": "ok"}, ["bad", None], ["ok"]),
    ],
)
def test_conditions_compare(condition: dict[str, Any], holding: list[Any], failing: list[Any]) -> None:
    wanted = FactCondition(agent="a", fact="f", **condition)
    assert all(wanted.holds(value) for value in holding)
    assert not any(wanted.holds(value) for value in failing)


@pytest.mark.parametrize("fields", [{}, {"below": 1, "agent": "No Address"}, {"below": 1, "fact": "No Fact"}])
def test_what_is_no_condition_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, InvalidInput), match=r"needs one of|address|pattern"):
        FactCondition(**{"agent": "a", "fact": "f", **fields})


def test_a_declared_agent_may_wait_for_a_fact() -> None:
    declaration = Declaration.model_validate(
        {
            "id": "guard",
            "name": "Guard",
            "description": "Watches.",
            "instructions": "Watch.",
            "triggers": [{"when": {"agent": "treasury", "fact": "balance", "below": 10}, "prompt": "Money is short."}],
        }
    )
    agent = DeclarativeAgent(declaration)
    assert agent.fact_topics == {"aos.facts.treasury.balance"}
    assert "agent.wake" in agent.message_types
    assert declaration.prompt_of_wake("wake-1") == "Money is short."
