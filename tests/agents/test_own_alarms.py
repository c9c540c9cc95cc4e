"""Clock wakes of agents that share a type: each has its own, from its first turn on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aos.agents import Agent, AgentPolicy, RetryPolicy, Turn, Wake, on
from aos.kernel.errors import TerminalError
from tests.agents.test_wakes import Heard, Sleeper
from tests.harness import MemorySystem


class Plant(Agent[Heard]):
    type = "plant"
    listed = False
    wakes: tuple[Any, ...] = (Wake(name="water", every="1h", quiet="22:00-06:00"),)
    policy = AgentPolicy(retry=RetryPolicy(max_attempts=1))

    @on("sow")
    async def sow(self, turn: Turn, state: Heard, data: Any) -> None:
        state.at.append("sown")

    @on("agent.wake")
    async def water(self, turn: Turn, state: Heard, data: dict[str, Any]) -> None:
        state.at.append(turn.now.strftime("%H:%M"))
        state.wakes.append(data["stands_for"])
        if data["due"].startswith("2026-01-01T09"):
            raise TerminalError("no water")


async def sown(world: MemorySystem, *agents: str) -> None:
    for agent in agents:
        await world.system.directory.send(agent, "sow", None)
    await world.settle(until=timedelta(0))


async def test_each_instance_is_woken_from_its_first_turn_on_and_a_failed_wake_breaks_nothing() -> None:
    world = MemorySystem(Plant())
    world.clock.advance(7.5 * 3600)
    await sown(world, "plant:a")
    await world.settle(until=timedelta(hours=1))
    await sown(world, "plant:b")
    await world.settle(until=timedelta(hours=2))
    assert (await world.state("plant:a"))["at"] == ["sown", "08:00", "10:00"]
    assert (await world.state("plant:b"))["at"] == ["sown", "10:00"]
    letters, _ = await world.system.kernel.dead_letters.page()
    assert len(letters) == 2


async def test_quiet_hours_make_one_wake_of_many() -> None:
    world = MemorySystem(Plant())
    world.clock.advance(20.5 * 3600)
    await sown(world, "plant:a")
    await world.settle(until=timedelta(hours=11))
    state = await world.state("plant:a")
    assert state["at"] == ["sown", "21:00", "06:00", "07:00"]
    assert state["wakes"] == [1, 9, 1]


@pytest.mark.parametrize(("catch_up", "expected"), [("latest", [3]), ("all", [1, 1, 1]), ("skip", [])])
async def test_a_tick_that_comes_late_catches_up_as_declared(catch_up: Any, expected: list[int]) -> None:
    agent = Plant()
    agent.wakes = (Wake(name="water", every="1h", catch_up=catch_up),)
    world = MemorySystem(agent)
    await sown(world, "plant:a")
    world.clock.advance(3.5 * 3600)
    await world.settle(until=timedelta(0))
    assert (await world.state("plant:a"))["wakes"] == expected
    await world.settle(until=timedelta(hours=1))
    assert (await world.state("plant:a"))["wakes"] == [*expected, 1]


async def test_a_plan_that_changes_changes_the_alarms_at_the_next_turn() -> None:
    agent = Plant()
    world = MemorySystem(agent)
    world.clock.advance(8 * 3600)
    await sown(world, "plant:a")
    agent.wakes = (Wake(name="water", every="30m"), Wake(name="once", at=world.clock.now() - timedelta(hours=1)))
    await sown(world, "plant:a")
    await world.settle(until=timedelta(hours=1))
    assert (await world.state("plant:a"))["at"] == ["sown", "sown", "08:30"]
    agent.wakes = ()
    await sown(world, "plant:a")
    before = (await world.state("plant:a"))["at"]
    await world.settle()
    assert (await world.state("plant:a"))["at"] == before


async def test_an_instance_may_say_that_it_wants_no_more() -> None:
    class Annual(Plant):
        type = "annual"

        def own_wakes(self, turn: Turn) -> tuple[Any, ...]:
            return () if len(turn.state["wakes"]) >= 2 else self.wakes

    world = MemorySystem(Annual())
    world.clock.advance(10 * 3600)
    await sown(world, "annual:a")
    await world.settle()
    assert (await world.state("annual:a"))["wakes"] == [1, 1]


async def test_a_tick_that_was_lost_is_set_again_at_the_next_turn() -> None:
    world = MemorySystem(Plant())
    world.clock.advance(8.5 * 3600)
    await sown(world, "plant:a")
    world.outbox.sent.clear()
    world._delivered, world._waiting = 0, []
    world.clock.advance(3 * 3600)
    await sown(world, "plant:a")
    await world.settle(until=timedelta(minutes=1))
    assert (await world.state("plant:a"))["wakes"] == [3]


async def test_the_alarms_cost_an_ordinary_turn_nothing_and_the_plan_of_an_instance_shows_them() -> None:
    world = MemorySystem(Plant(), Sleeper())
    world.clock.advance(8.5 * 3600)
    assert {line["kind"] for line in await world.system.alarm.plan("plant:a")} == {"message"}
    await sown(world, "plant:a")
    sent = len(world.outbox.sent)
    await sown(world, "plant:a", "plant:a", "plant:a")
    assert len(world.outbox.sent) == sent + 3
    await world.settle(until=timedelta(hours=1))
    [line] = [line for line in await world.system.alarm.plan("plant:a") if line["kind"] != "message"]
    assert (line["name"], line["next"]) == ("water", "2026-01-01T10:00:00Z")
    assert line["last"] == "2026-01-01T09:00:00Z"
