from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from aos.agents import NoState, Turn
from aos.agents.function_agent import new_agent
from aos.agents.purpose_driven_agent import PurposeDrivenAgent
from aos.kernel.errors import SettingInvalid
from tests.harness import MemorySystem


class Order(BaseModel):
    amount: float


class Sales(BaseModel):
    total: float = 0
    news: list[str] = []


clerk = new_agent("sales-clerk", purpose="Know what was sold", state=Sales, capabilities=("sales",), state_version=2)


@clerk.on("order.placed")
async def sold(turn: Turn, state: Sales, order: Order) -> Sales:
    state.total += order.amount
    turn.publish("sales", "sold", state.total)
    return state


@clerk.on_event("sales")
async def hear(turn: Turn, state: Sales, total: float) -> None:
    state.news.append(f"{turn.agent}: {total}")


@clerk.migrates(1)
def from_text(state: dict[str, Any]) -> dict[str, Any]:
    return {**state, "total": float(state["total"])}


asker = new_agent("asker", state=Sales)


@asker.on("go")
async def go(turn: Turn, state: Sales, data: Any) -> None:
    turn.ask("sales-clerk", "order.placed", data)


@asker.on_reply("order.placed")
async def told(turn: Turn, state: Sales, answer: Sales) -> None:
    state.total = answer.total


async def test_functions_make_an_agent_like_any_other() -> None:
    world = MemorySystem(clerk(), asker())
    await world.system.directory.send("asker", "go", {"amount": 2.5})
    await world.settle()
    assert await world.state("sales-clerk") == {"total": 2.5, "news": ["sales-clerk: 2.5"]}
    assert (await world.state("asker"))["total"] == 2.5
    status = await world.system.directory.status("sales-clerk")
    assert (status["purpose"], status["capabilities"]) == ("Know what was sold", ["sales"])


async def test_its_functions_data_is_checked_by_their_annotation() -> None:
    world = MemorySystem(clerk())
    await world.system.directory.send("sales-clerk", "order.placed", {"amount": "much"})
    await world.settle()
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert "amount: " in letter.error["message"]


async def test_it_can_have_the_abilities_of_another_class() -> None:
    driven = new_agent("driven", purpose="Count what was sold", state=NoState, base=PurposeDrivenAgent)
    made = driven()
    assert isinstance(made, PurposeDrivenAgent)
    MemorySystem(made)
    assert await made.add_goal("Sell more") == "goal_1"


def test_what_cannot_be_a_handler_or_an_attribute_is_refused() -> None:
    wrong = new_agent("wrong", state=NoState)
    with pytest.raises(SettingInvalid, match=r"async def handler\(turn, state, data\)"):

        @wrong.on("x")
        async def handler(turn: Turn) -> None: ...

    with pytest.raises(SettingInvalid, match="'colour'"):
        new_agent("wrong", colour="red")
