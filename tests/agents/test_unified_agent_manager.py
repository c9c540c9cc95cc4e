from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from aos.agents import Agent, LeadershipAgent, NoState, PerpetualAgent, PurposeDrivenAgent, Turn, on
from aos.agents.personas import PersonaRegistry
from aos.agents.unified_agent_manager import UnifiedAgentManager
from aos.kernel.errors import AlreadyExists, NotFound, StoreUnavailable
from tests.harness import MemorySystem


class Job(Agent[NoState]):
    type = "job"
    listed = False

    @on("work")
    async def work(self, turn: Turn, state: NoState, data: Any) -> None: ...


class Plain(Agent[NoState]):
    type = "plain"


def managed(*agents: Agent[Any]) -> tuple[MemorySystem, UnifiedAgentManager]:
    world = MemorySystem(*agents)
    return world, world.system.agent_manager


async def test_a_registered_agent_takes_messages_until_it_is_deregistered() -> None:
    _, manager = managed()
    ceo: PurposeDrivenAgent[NoState] = PurposeDrivenAgent("ceo", "Lead the company", "ceo")
    assert await manager.register_agent(ceo)
    assert manager.get_agent("ceo") is ceo
    assert await ceo.add_goal("Grow") == "goal_1"
    with pytest.raises(AlreadyExists, match="ceo"):
        await manager.register_agent(PerpetualAgent("ceo"))
    assert await manager.deregister_agent("ceo")
    assert not ceo.is_running
    assert not await manager.deregister_agent("ceo")
    assert manager.get_agent("ceo") is None


async def test_agents_are_listed_and_counted_by_kind() -> None:
    world, manager = managed(Plain(), Job())
    await world.system.directory.send("job:1", "work", None)
    await world.settle()
    modes = {agent["id"]: agent["operational_mode"] for agent in await manager.list_agents()}
    assert modes == {"plain": "perpetual", "job:1": "task-based"}
    assert [agent["id"] for agent in await manager.list_perpetual_agents()] == ["plain"]
    statistics = await manager.get_agent_statistics()
    assert {name: statistics[name] for name in list(statistics)[:4]} == {
        "total_agents": 2,
        "perpetual_agents": 1,
        "task_based_agents": 1,
        "perpetual_percentage": 50.0,
    }


async def test_the_health_of_all_is_told_at_once() -> None:
    _, manager = managed(Plain(), LeadershipAgent("cfo", role="CFO"), Job())
    health = await manager.health_check_all()
    assert set(health) == {"plain", "cfo"}
    assert all(each["healthy"] and each["operational_mode"] == "perpetual" for each in health.values())
    assert health["cfo"]["purpose_flags"] == {}
    with pytest.raises(NotFound, match="nobody"):
        await manager.health_check("nobody")


async def test_where_storage_is_out_of_reach_health_says_so_and_registering_fails_whole() -> None:
    world, manager = managed(PerpetualAgent("ceo"))

    async def fails(*args: Any, **options: Any) -> Any:
        raise StoreUnavailable("Tables are out of reach.")

    world.tables.get = fails  # type: ignore[method-assign]
    assert (await manager.health_check_all())["ceo"] == {
        "agent_id": "ceo",
        "healthy": False,
        "error": "Tables are out of reach.",
    }
    with pytest.raises(StoreUnavailable):
        await manager.register_agent(PerpetualAgent("cfo"))
    assert manager.get_agent("cfo") is None


def test_personas_lead_to_adapters() -> None:
    personas = PersonaRegistry()
    assert list(personas) == [
        "generic",
        "leadership",
        "marketing",
        "finance",
        "operations",
        "technology",
        "hr",
        "legal",
    ]
    cfo: LeadershipAgent[BaseModel] = LeadershipAgent("cfo", role="CFO")
    assert personas.adapters_of(cfo) == ["leadership-adapter", "finance-adapter"]
    assert personas.adapters_of(PurposeDrivenAgent("x", "Serve", "mine")) == ["mine"]
    personas.register("sales", "sales-lora")
    assert personas.adapter("sales") == "sales-lora"
    with pytest.raises(AlreadyExists, match="sales"):
        personas.register("sales", "other")
    with pytest.raises(NotFound, match="generic, leadership"):
        personas.adapter("pirate")
