"""Patterns in a whole system: events come, matches are told, time passes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from aos.agents import Agent, Turn, on, on_event
from aos.kernel import meter
from aos.workflows.events.declared_events import DeclaredEvents, EventFile
from aos.workflows.events.pattern_agent import PatternAgent
from tests.harness import MemorySystem


class Seen(BaseModel):
    heard: list[Any] = []


class Guard(Agent[Seen]):
    """Notes what it is told, and all matches."""

    type = "guard"
    purpose = "Hear of what happens"

    @on("alarm")
    async def alarm(self, turn: Turn, state: Seen, data: Any) -> None:
        state.heard.append(data)

    @on_event("aos.patterns.*")
    async def matched(self, turn: Turn, state: Seen, data: Any) -> None:
        state.heard.append((data["pattern"], len(data["events"])))


class Relay(Agent[Seen]):
    """Publishes what it is told, with a label."""

    type = "relay"
    purpose = "Publish"

    @on("say")
    async def say(self, turn: Turn, state: Seen, data: Any) -> None:
        turn.label("untrusted:web")
        turn.publish("login.failed", "login.failed", data)


def world_of(folder: Path, *patterns: dict[str, Any]) -> MemorySystem:
    (folder / "all.rules.yaml").write_text(yaml.safe_dump({"patterns": list(patterns)}))
    return MemorySystem(Guard(), Relay(), folders=[str(folder)])


async def say(world: MemorySystem, topic: str, data: Any = None, *, after: float = 0, kind: str = "") -> None:
    await world.settle(until=timedelta(seconds=after))
    await world.system.messages.publish(topic, kind or topic, data)
    await world.settle(until=timedelta())


async def heard(world: MemorySystem) -> Any:
    state = await world.state("guard")
    return state["heard"] if state else []


FAILED = {"event": "login.failed", "threshold": 3}


async def test_a_match_is_published_and_its_action_is_done(tmp_path: Path) -> None:
    then = {
        "agent": "guard",
        "action": "alarm",
        "with": {"who": "${{ key }}", "tries": "${{ len(events) }}", "last": "${{ events[-1].data.ip }}"},
    }
    pattern = {"name": "break-in", "conditions": [FAILED], "window": "5m", "key": "event.data.user", "then": then}
    world = world_of(tmp_path, pattern)
    for ip in (1, 2):
        await say(world, "login.failed", {"user": "ann", "ip": ip}, after=1)
        await say(world, "login.failed", {"user": "bob", "ip": ip}, after=1)
    await say(world, "login.failed", {"user": "ann", "ip": 3}, after=1)
    assert await heard(world) == [{"who": "ann", "tries": 3, "last": 3}, ["break-in", 3]]
    state = await world.state("pattern:break-in")
    assert (state["seen"], state["kept"], state["matches"]) == (5, 2, 1)


async def test_windows_pass_and_what_they_held_goes(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"name": "p", "conditions": [FAILED], "window_minutes": 5})
    await say(world, "login.failed")
    await say(world, "login.failed", after=200)
    await say(world, "login.failed", after=200)
    await say(world, "login.failed", after=50)
    assert await heard(world) == [["p", 3]], "the first was gone, the other three are within five minutes"
    await say(world, "login.failed", after=10)
    assert (await world.state("pattern:p"))["kept"] == 1
    await world.settle(until=timedelta(minutes=6))
    state = await world.state("pattern:p")
    assert (state["kept"], state["next_expiry"]) == (0, None)
    assert [await world.system.kernel.rows.page("pattern:p", order) for order in ("p:", "t:")] == [[], []]


async def test_a_burst_after_a_match_is_part_of_it(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"name": "p", "conditions": [{"event": "door.#"}], "temporal_relationship": "any"})
    await say(world, "door.front.open")
    await say(world, "door.back.open", after=0.4)
    assert len(await heard(world)) == 1
    await say(world, "door.front.open", after=0.2)
    assert len(await heard(world)) == 2
    assert (await world.state("pattern:p"))["debounced"] == 1


async def test_a_sequence_of_different_events(tmp_path: Path) -> None:
    conditions = [{"event": "order.placed"}, {"event": "order.paid"}, {"event": "order.cancelled"}]
    pattern = {"name": "p", "conditions": conditions, "temporal_relationship": "sequence", "key": "event.data.order"}
    world = world_of(tmp_path, pattern)
    await say(world, "order.paid", {"order": 1})
    for topic in ("order.placed", "order.cancelled", "order.paid"):
        await say(world, topic, {"order": 1}, after=1)
    assert await heard(world) == []
    await say(world, "order.cancelled", {"order": 1}, after=1)
    assert await heard(world) == [["p", 3]]


async def test_conditions_look_at_data_and_types(tmp_path: Path) -> None:
    conditions = [
        {"event": "sensors.*", "where": "event.data.celsius > 30"},
        {"event": "fan.stopped", "room.floor": 2, "why": "broken"},
    ]
    world = world_of(tmp_path, {"name": "heat", "conditions": conditions})
    await say(world, "sensors.a", {"celsius": 25})
    await say(world, "sensors.a", {"kelvin": 300})
    await say(world, "house", {"room": {"floor": 2}, "why": "broken"}, kind="fan.stopped")
    await say(world, "house", {"room": {"floor": 3}, "why": "broken"}, kind="fan.stopped")
    state = await world.state("pattern:heat")
    assert (state["seen"], state["unreadable"], state["matches"]) == (1, 1, 0)
    await say(world, "sensors.b", {"celsius": 31})
    assert await heard(world) == [["heat", 2]]


async def test_matches_are_events_that_other_patterns_may_be_made_of_but_not_their_own(tmp_path: Path) -> None:
    once = {"name": "once", "conditions": [{"event": "ping"}], "temporal_relationship": "any", "debounce": 0}
    twice = {"name": "twice", "conditions": [{"event": "aos.patterns.#", "threshold": 2}], "debounce": 0}
    world = world_of(tmp_path, once, twice)
    for _ in range(4):
        await say(world, "ping", after=1)
    assert await heard(world) == [["once", 1], ["once", 1], ["twice", 2], ["once", 1], ["once", 1], ["twice", 2]]


async def test_what_is_known_of_events_is_known_of_their_match(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"name": "p", "conditions": [{"event": "login.failed"}, {"event": "door.open"}]})
    await world.system.directory.send("relay", "say", {"user": "ann"})
    await say(world, "door.open")
    entry = await world.system.kernel.journal.entry("pattern:p", 2)
    assert "untrusted:web" in entry.sent[-1]["body"]["labels"].split()


async def test_large_data_is_not_kept(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"name": "p", "conditions": [{"event": "a"}, {"event": "b"}]})
    await say(world, "a", "x" * 5_000)
    [(_, row)] = await world.system.kernel.rows.page("pattern:p", "p:")
    [event] = row["events"].values()
    assert event["data"] is None
    assert event["too_large"]


async def test_the_oldest_events_give_way_where_there_are_too_many(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"name": "p", "conditions": [FAILED], "window": "1h", "key": "event.data"})
    world.registry.unregister("pattern")
    world.registry.register(PatternAgent(world.system.declared_events, most=5))
    for user in range(8):
        await say(world, "login.failed", user, after=1)
    state = await world.state("pattern:p")
    assert (state["kept"], state["dropped"]) == (5, 3)
    for user in (0, 7):
        await say(world, "login.failed", user, after=1)
        await say(world, "login.failed", user, after=1)
    assert await heard(world) == [["p", 3]], "all three of the last, but of the first only two are left"


async def test_an_event_costs_the_same_however_many_are_kept(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"name": "p", "conditions": [FAILED], "window": "9h", "key": "event.data"})
    costs, kept = [], 0
    for size in (10, 1_000):
        while kept < size:
            kept += 1
            await say(world, "login.failed", kept)
        with meter.metered() as usage:
            await say(world, "login.failed", f"new {size}")
            await say(world, "login.failed", size // 2)
        costs.append(usage.storage_operations)
        assert len((await world.system.kernel.heads.read("pattern:p")).state) < 500  # type: ignore[union-attr]
    assert costs[0] == costs[1]


async def test_a_changed_pattern_begins_afresh(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"name": "p", "conditions": [FAILED]})
    await say(world, "login.failed")
    await say(world, "login.failed")
    redeclare(world, {"name": "p", "conditions": [{**FAILED, "where": "true"}]})
    await say(world, "login.failed")
    state = await world.state("pattern:p")
    assert (state["kept"], state["matches"]) == (1, 0)


async def test_a_pattern_that_is_declared_no_more_forgets(tmp_path: Path) -> None:
    world = world_of(tmp_path, {"name": "p", "conditions": [FAILED]})
    await say(world, "login.failed")
    redeclare(world)
    await say(world, "login.failed")
    assert (await world.state("pattern:p"))["kept"] == 1
    await world.settle()
    assert (await world.state("pattern:p"))["kept"] == 0


def redeclare(world: MemorySystem, *patterns: dict[str, Any]) -> None:
    """Have other patterns in force from now on."""
    world.registry.subscriptions.clear()
    for type_ in ("rule", "pattern"):
        world.registry.unregister(type_)
    declared = DeclaredEvents([EventFile.model_validate({"patterns": patterns})])
    world.registry.subscriptions.append(declared.subscribers)
    world.registry.register(PatternAgent(declared))
