"""Teams within teams: they are done again, may take their time, spend what is left, and end with the team around."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aos.agents.work import Contribution
from aos.kernel.address import is_address
from aos.workflows.messages import TEAM_START
from aos.workflows.teams.definition import parse_team
from aos.workflows.teams.sub_team import longest, sub_team_address
from tests.harness import MemorySystem
from tests.workflows.teams.test_teams import member, refuse, result_of, vote, work


def crew(*names: str, limits: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A crew whose only task is done by a conversation of these members."""
    talk = {
        "kind": "conversation",
        "members": [{"name": name, "agent": name} for name in names],
        "limits": limits or {},
    }
    return {"kind": "hybrid", "tasks": [{"id": "idea", "description": "Find an idea", "team": talk}], **more}


async def test_a_team_whose_work_is_sent_back_does_it_again_as_another() -> None:
    boss = member("boss", vote("revise", "Bolder."), vote("accept"))
    a = member("a", "a timid idea %APPR%", "a bold idea %APPR%")
    state = await work(crew("a", manager="boss"), a, boss)
    assert (state["result"]["reason"], state["result"]["output"]) == ("completed", {"idea": "a bold idea"})
    assert "Bolder." in a.heard["a"][1].task  # type: ignore[attr-defined]
    assert a.heard["a"][1].context == {"inputs": {"idea": "a timid idea"}}  # type: ignore[attr-defined]
    for team, output in (("team:t.idea", "a timid idea"), ("team:t.idea.2", "a bold idea")):
        assert (await result_of(state["world"], team))["output"] == output


async def test_a_team_may_take_as_long_as_its_own_limits_let_it() -> None:
    world = MemorySystem(member("a", None), member("b", "yes %APPR%"))
    talk = crew("a", "b", limits={"patience": "20m", "turns": 2})
    definition = {**talk, "members": [{"name": "b", "agent": "b"}]}
    await world.system.directory.send("team:t", TEAM_START, {"definition": definition, "task": "x"})
    await world.settle()
    assert (await result_of(world))["output"] == {"idea": "yes"}


async def test_a_team_that_is_not_waited_for_any_more_is_stopped() -> None:
    world = MemorySystem(member("a", None), member("b", "on"))
    definition = {**crew("a", "b", limits={"patience": "5m"}), "members": [{"name": "b", "agent": "b"}]}
    await world.system.directory.send("team:t", TEAM_START, {"definition": definition, "task": "x"})
    await world.settle(until=timedelta(minutes=1))
    await world.system.lifecycle.order("team:t.idea", "pause", reason="Audit")
    await world.settle(until=timedelta(hours=1))
    assert (await result_of(world))["reason"] == "member_failed"
    assert (await world.state("team:t.idea"))["status"] == "running"
    await world.system.lifecycle.order("team:t.idea", "resume")
    await world.settle()
    assert (await result_of(world, "team:t.idea"))["reason"] == "cancelled"


async def test_what_a_team_within_the_team_spends_counts_even_where_nothing_came_of_it() -> None:
    dear = member("a", Contribution(content="words", cost_usd=0.4), refuse)
    state = await work(crew("a", limits={"turns": 5}), dear)
    assert (state["result"]["reason"], state["result"]["cost_usd"]) == ("member_failed", 0.4)


async def test_a_team_within_the_team_spends_no_more_than_is_left() -> None:
    dear = member("a", Contribution(content="words", cost_usd=0.4))
    state = await work({**crew("a"), "limits": {"usd": 1.0}}, dear)
    inner = await result_of(state["world"], "team:t.idea")
    assert (inner["reason"], inner["iterations"]) == ("budget_exceeded", 3)


def test_addresses_that_would_be_too_long_are_shortened_and_stay_apart() -> None:
    assert sub_team_address("team:t", "idea") == "team:t.idea"
    long = [sub_team_address(f"team:{'x' * 60}", "y" * 40 + end, attempt) for end in "ab" for attempt in (1, 2)]
    assert len(set(long)) == 4
    assert all(is_address(address) and "." in address for address in long)


def test_a_team_has_ended_by_then() -> None:
    talk = parse_team({"kind": "conversation", "members": [{"name": "a", "agent": "a"}], "limits": {"turns": 2}})
    assert longest(talk) == timedelta(minutes=30)
    board = parse_team({"kind": "boardroom", "members": [{"name": "a", "agent": "a"}], "deadline": "2h"})
    assert longest(board) == timedelta(hours=4, minutes=10)
    timed = parse_team({**talk.model_dump(mode="json"), "limits": {"time": "1h"}})
    assert longest(timed) == timedelta(hours=1, minutes=10)
    outer = parse_team({**crew("a", limits={"time": "1h"}), "members": talk.model_dump(mode="json")["members"]})
    assert longest(outer) == timedelta(minutes=10) * 301 + timedelta(hours=1, minutes=10) * 3
