from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from aos.agents import Agent, Turn, migrates, on
from aos.kernel.errors import SettingInvalid, StoreUnavailable
from tests.harness import MemorySystem


class First(BaseModel):
    total: float = 0


class Third(BaseModel):
    cents: int = 0
    currency: str = "EUR"


class Old(Agent[First]):
    type = "till"

    @on("add")
    async def add(self, turn: Turn, state: First, data: float) -> None:
        state.total += data


class New(Agent[Third]):
    type = "till"
    state_version = 3

    @migrates(1)
    def to_cents(self, state: dict[str, Any]) -> dict[str, Any]:
        return {"cents": round(state["total"] * 100)}

    @migrates(2)
    def with_currency(self, state: dict[str, Any]) -> dict[str, Any]:
        return {**state, "currency": "USD"}

    @on("add")
    async def add(self, turn: Turn, state: Third, data: float) -> None:
        state.cents += round(data * 100)


class Broken(New):
    @migrates(2)
    def with_currency(self, state: dict[str, Any]) -> dict[str, Any]:
        return {"cents": state["dollars"]}


async def lived(*agents: Agent[Any]) -> MemorySystem:
    """A world in which the agents were each in charge for one message."""
    world = MemorySystem(agents[0])
    for agent in agents:
        world.registry.unregister("till")
        world.registry.register(agent)
        await world.system.directory.send("till", "add", 1.5)
        await world.settle()
    return world


async def stored(world: MemorySystem) -> dict[str, Any]:
    head = await world.system.kernel.heads.read("till")
    assert head is not None
    state: dict[str, Any] = json.loads(head.state)
    return state


async def test_old_state_is_migrated_step_by_step_and_written_with_its_version() -> None:
    world = await lived(Old(), New())
    assert await world.state("till") == {"cents": 300, "currency": "USD"}
    assert await stored(world) == {"cents": 300, "currency": "USD", "aos.version": 3}
    assert (await world.system.directory.verify("till")).problem is None


async def test_new_agents_start_at_the_version_of_today() -> None:
    world = await lived(New())
    assert await stored(world) == {"cents": 150, "currency": "EUR", "aos.version": 3}


async def test_an_agent_that_never_migrated_stores_no_version() -> None:
    assert await stored(await lived(Old())) == {"total": 1.5}


@pytest.mark.parametrize(
    ("first", "second", "code", "said"),
    [
        (New(), Old(), "state_too_new", "Deploy the code that wrote it"),
        (Old(), Broken(), "state_migration_failed", "from version 2: KeyError"),
    ],
)
async def test_state_that_cannot_be_brought_up_to_date_fails_the_turn_and_is_kept(
    first: Agent[Any], second: Agent[Any], code: str, said: str
) -> None:
    world = await lived(first)
    before = await stored(world)
    world.registry.unregister("till")
    world.registry.register(second)
    await world.system.directory.send("till", "add", 1.5)
    with pytest.raises(StoreUnavailable, match=said) as caught:
        await world.settle()
    assert caught.value.code == code
    assert await stored(world) == before


def test_a_version_without_a_way_to_it_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(SettingInvalid, match="one from each version before 2"):

        class Gap(Agent[First]):
            type = "gap"
            state_version = 2

    with pytest.raises(SettingInvalid, match="both migrate from 1"):

        class Twice(New):
            @migrates(1)
            def again(self, state: dict[str, Any]) -> dict[str, Any]:
                return state
