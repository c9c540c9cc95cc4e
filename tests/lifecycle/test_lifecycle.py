"""Orders to agents, types and teams in a whole system: what they stop, what they keep, what they tell."""

from __future__ import annotations

from typing import Any

import pytest

from aos.agents import Agent, Turn, on
from aos.kernel.errors import InvalidInput, NotAllowedNow, NotFound, UnknownAgentType
from tests.harness import MemorySystem


class Clerk(Agent[Any]):
    type = "clerk"
    purpose = "Write down what comes"

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    @on("note")
    async def note(self, turn: Turn, state: Any, data: dict[str, Any]) -> None:
        self.seen.append((turn.agent, data["n"]))


class Aide(Clerk):
    type = "aide"


@pytest.fixture
def clerk() -> Clerk:
    return Clerk()


@pytest.fixture
def world(clerk: Clerk) -> MemorySystem:
    return MemorySystem(clerk, Aide())


async def send(world: MemorySystem, to: str, number: int) -> None:
    await world.system.directory.send(to, "note", {"n": number})
    await world.settle()


async def test_an_agent_goes_through_its_life(world: MemorySystem, clerk: Clerk) -> None:
    lifecycle, directory = world.system.lifecycle, world.system.directory
    assert (await directory.status("clerk"))["status"] == "created"
    assert (await lifecycle.order("clerk", "register"))["status"] == "initialized"
    await send(world, "clerk", 1)
    status = await directory.status("clerk")
    assert (status["status"], status["wakes"], status["version"]) == ("sleeping", 1, 2)

    told = await lifecycle.order("clerk", "pause", reason="Holidays", by="ann")
    assert (told["status"], told["reason"], told["by"]) == ("paused", "Holidays", "ann")
    await send(world, "clerk", 2)
    status = await directory.status("clerk")
    assert (status["status"], status["reason"], status["ordered_by"]) == ("paused", "Holidays", "ann")
    assert status["waiting"] == 1
    assert status["since"] == told["since"]
    await lifecycle.order("clerk", "resume", by="ann")
    await world.settle()
    assert [number for _, number in clerk.seen] == [1, 2]

    await lifecycle.order("clerk", "terminate", reason="Replaced", by="bob")
    await send(world, "clerk", 3)
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert "Replaced" in letter.error["message"]
    assert (await lifecycle.order("clerk", "register"))["status"] == "sleeping"
    await world.system.kernel.resubmit(letter.id)
    await world.settle()
    assert [number for _, number in clerk.seen] == [1, 2, 3]

    history = await lifecycle.history("clerk")
    assert [(order["event"], order["from"], order["to"], order["by"]) for order in history] == [
        ("register", "open", "open", "operator"),
        ("pause", "open", "paused", "ann"),
        ("resume", "paused", "open", "ann"),
        ("terminate", "open", "terminated", "bob"),
        ("register", "terminated", "open", "operator"),
    ]
    assert len(await lifecycle.history("clerk", after=history[2]["version"], limit=1)) == 1
    assert (await directory.verify("clerk")).problem is None


async def test_an_order_given_twice_is_given_once(world: MemorySystem) -> None:
    lifecycle = world.system.lifecycle
    first = await lifecycle.order("clerk", "pause", by="ann")
    again = await lifecycle.order("clerk", "pause", by="bob")
    assert again == first
    assert len(await lifecycle.history("clerk")) == 1


async def test_what_is_no_order_or_leads_nowhere_is_refused(world: MemorySystem) -> None:
    lifecycle = world.system.lifecycle
    with pytest.raises(InvalidInput, match="no order"):
        await lifecycle.order("clerk", "dance")
    with pytest.raises(InvalidInput, match="reason"):
        await lifecycle.order("clerk", "quarantine", reason=" ")
    with pytest.raises(NotFound):
        await lifecycle.order("clerk:nobody", "pause")
    with pytest.raises(UnknownAgentType):
        await lifecycle.order("nobody", "register")
    await lifecycle.order("clerk", "terminate", reason="Done")
    with pytest.raises(NotAllowedNow, match="Possible now: register"):
        await lifecycle.order("clerk", "resume")


async def test_a_type_is_stopped_with_those_yet_to_be_born_and_released_but_for_who_was_stopped_alone(
    world: MemorySystem, clerk: Clerk
) -> None:
    lifecycle = world.system.lifecycle
    for key in ("clerk:a", "clerk:b"):
        await send(world, key, 0)
    await lifecycle.order("clerk:b", "quarantine", reason="Odd")
    world.clock.advance(1)
    told = await lifecycle.order_type("clerk", "pause", reason="Upgrade", by="ann")
    assert (told["status"], told["changed"], told["failed"]) == ("paused", 1, {})
    for key in ("clerk:a", "clerk:b", "clerk:new", "clerk"):
        await send(world, key, 1)
    await send(world, "aide", 1)
    assert clerk.seen == [("clerk:a", 0), ("clerk:b", 0)]
    statuses = [(await world.system.directory.status(key))["status"] for key in ("clerk:a", "clerk:b", "clerk:new")]
    assert statuses == ["paused", "quarantined", "paused"]
    assert (await lifecycle.type_status("clerk"))["reason"] == "Upgrade"

    world.clock.advance(1)
    told = await lifecycle.order_type("clerk", "resume")
    assert told["changed"] == 3
    await world.settle()
    assert sorted(clerk.seen[2:]) == [("clerk", 1), ("clerk:a", 1), ("clerk:new", 1)]
    assert (await world.system.directory.status("clerk:b"))["status"] == "quarantined"
    await send(world, "clerk:later", 2)
    assert clerk.seen[-1] == ("clerk:later", 2)


async def test_an_order_to_a_type_given_again_reaches_who_was_missed(world: MemorySystem) -> None:
    lifecycle = world.system.lifecycle
    await send(world, "clerk:a", 0)
    assert (await lifecycle.order_type("clerk", "resume"))["changed"] == 0
    world.clock.advance(1)
    await lifecycle.order_type("clerk", "pause")
    again = await lifecycle.order_type("clerk", "pause")
    assert (again["changed"], len(await lifecycle.history("clerk:a"))) == (1, 1)
    with pytest.raises(UnknownAgentType):
        await lifecycle.order_type("nobody", "pause")


async def test_an_agent_that_cannot_be_reached_is_named(world: MemorySystem, monkeypatch: pytest.MonkeyPatch) -> None:
    from aos.kernel.errors import Conflict

    await send(world, "clerk:a", 0)
    order = world.system.kernel.order

    async def busy(agent: str, decide: Any) -> Any:
        if agent == "clerk:a":
            raise Conflict("Busy.")
        return await order(agent, decide)

    monkeypatch.setattr(world.system.kernel, "order", busy)
    told = await world.system.lifecycle.order_type("clerk", "pause")
    assert told["failed"] == {"clerk:a": "Busy."}


async def test_a_team_takes_orders_together(world: MemorySystem, clerk: Clerk) -> None:
    lifecycle = world.system.lifecycle
    await lifecycle.teams.put("desk", ["aide", "clerk:*", "clerk:nobody", "aide"])
    assert await lifecycle.teams.all() == [{"team": "desk", "members": ["aide", "clerk:*", "clerk:nobody"]}]
    told = await lifecycle.order_team("desk", "pause", reason="Fire drill")
    assert set(told["members"]) == {"aide", "clerk:*"}
    assert "no agent 'clerk:nobody'" in told["failed"]["clerk:nobody"]
    await send(world, "clerk", 1)
    assert clerk.seen == []
    assert (await world.system.directory.status("aide"))["status"] == "paused"
    assert (await lifecycle.history("aide"))[0]["scope"] == "team:desk"
    world.clock.advance(1)
    await lifecycle.order_team("desk", "resume")
    await world.settle()
    assert clerk.seen == [("clerk", 1)]
    await lifecycle.teams.delete("desk")
    with pytest.raises(NotFound):
        await lifecycle.order_team("desk", "pause")


async def test_a_team_is_named_and_filled_properly(world: MemorySystem) -> None:
    teams = world.system.lifecycle.teams
    for name, members in (("Desk", ["a"]), ("desk", []), ("desk", ["Not An Address"]), ("desk", ["a"] * 201)):
        with pytest.raises(InvalidInput):
            await teams.put(name, members)
    with pytest.raises(NotFound):
        await teams.delete("desk")


async def test_the_statistics_count_states_wakes_and_messages(world: MemorySystem) -> None:
    await send(world, "clerk", 1)
    await send(world, "clerk", 2)
    await world.system.lifecycle.order("aide", "pause")
    await send(world, "aide", 3)
    statistics = await world.system.agent_manager.get_agent_statistics()
    assert statistics["by_status"]["sleeping"] == statistics["sleeping_agents"] == 1
    assert statistics["by_status"]["paused"] == 1
    assert statistics["total_wakes"] == 3
    assert statistics["messages"] == {"applied": 2, "aside": 1}
    assert (statistics["total_events_processed"], statistics["waiting_messages"]) == (2, 1)


async def test_teams_are_listed_however_many_there_are(world: MemorySystem) -> None:
    teams = world.system.lifecycle.teams
    for number in range(1_001):
        await teams.put(f"team{number}", ["clerk"])
    assert len(await teams.all()) == 1_001
