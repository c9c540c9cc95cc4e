"""How agents do: what is told of failures and of what waits."""

from __future__ import annotations

from typing import Any

import pytest

from aos.agents import Agent, Turn, on
from aos.kernel.errors import NotFound, TerminalError
from aos.kernel.policy import AgentPolicy
from tests.harness import MemorySystem


class Moody(Agent[Any]):
    type = "moody"
    purpose = "Fail where it is told to"
    policy = AgentPolicy(strict_order=True)

    @on("do")
    async def do(self, turn: Turn, state: Any, data: dict[str, Any]) -> None:
        if data.get("fail"):
            raise TerminalError("It broke: AccountKey=c2VjcmV0c2VjcmV0;", code="broken")


async def told(world: MemorySystem, *fails: bool) -> dict[str, Any]:
    for fail in fails:
        await world.system.directory.send("moody", "do", {"fail": fail})
    await world.settle()
    return await world.system.health.of("moody")


async def test_an_agent_is_healthy_until_its_failures_add_up() -> None:
    world = MemorySystem(Moody())
    assert (await told(world))["state"] == "created"
    fine = await told(world, *[False] * 18)
    assert (fine["status"], fine["reasons"], fine["failure_rate"], fine["last_error"]) == ("healthy", [], 0.0, None)
    worse = await told(world, True, False, True)
    assert worse["status"] == "healthy"
    worse = await told(world, True)
    assert (worse["status"], worse["messages_considered"]) == ("degraded", 22)
    assert worse["last_error"]["code"] == "broken"
    assert "c2VjcmV0" not in str(worse)
    bad = await told(world, *[True] * 20)
    assert (bad["status"], bad["failures_in_a_row"]) == ("unhealthy", 22)
    assert len(bad["reasons"]) == 2


async def test_orders_and_what_waits_are_told() -> None:
    world = MemorySystem(Moody())
    await told(world, False)
    await world.system.lifecycle.order("moody", "pause", reason="Rest")
    made = world.clock.now()
    await told(world, False, False)
    world.clock.advance(3_600)
    paused = await told(world, False)
    assert (paused["status"], paused["backlog"]["put_aside"]) == ("degraded", 3)
    assert paused["oldest_waiting"] == made.isoformat().replace("+00:00", "Z")
    assert "Rest" in paused["reasons"][0]
    await world.system.lifecycle.order("moody", "quarantine", reason="Odd")
    assert (await told(world))["status"] == "unhealthy"
    await world.system.lifecycle.order("moody", "resume")
    waiting = await world.system.health.of("moody")
    assert waiting["status"] == "degraded"
    assert "3 messages wait for it, the oldest for 60 minutes." in waiting["reasons"]
    assert (await told(world))["status"] == "healthy"


async def test_an_agent_without_its_type_is_unhealthy_and_an_unknown_one_is_not_found() -> None:
    world = MemorySystem(Moody())
    await told(world, False)
    world.registry.unregister("moody")
    health = await world.system.health.of("moody")
    assert (health["status"], "not registered" in health["reasons"][0]) == ("unhealthy", True)
    with pytest.raises(NotFound):
        await world.system.health.of("moody:nobody")
