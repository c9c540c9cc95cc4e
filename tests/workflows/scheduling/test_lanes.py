"""Lanes: who goes first, who is put off, whose place is taken, and what an admission costs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from aos.agents import Agent, Turn, on, on_reply
from aos.kernel import meter
from aos.kernel.errors import InvalidInput, NotFound
from aos.workflows.messages import PAUSE, RESUME
from aos.workflows.scheduling.admission import ADMIT, DONE, EXPIRED, MISSED, Admission, lane_address
from tests.harness import MemorySystem

LANE = lane_address()


class Seen(BaseModel):
    heard: list[str] = []


class Job(Agent[Seen]):
    """Notes what it is told, and never ends by itself."""

    type = "job"
    purpose = "Be scheduled"
    listed = False

    @on("job.begin")
    async def begin(self, turn: Turn, state: Seen, data: Any) -> None:
        order.append(turn.agent.partition(":")[2])
        state.heard.append(f"begin {data}")

    @on(PAUSE)
    async def pause(self, turn: Turn, state: Seen, data: Any) -> None:
        state.heard.append("pause")

    @on(RESUME)
    async def resume(self, turn: Turn, state: Seen, data: Any) -> None:
        order.append(turn.agent.partition(":")[2])
        state.heard.append("resume")

    @on("job.end")
    async def end(self, turn: Turn, state: Seen, data: Any) -> None:
        turn.send(LANE, DONE, {})

    @on(MISSED)
    async def missed(self, turn: Turn, state: Seen, data: dict[str, Any]) -> None:
        state.heard.append(f"missed {data['work']}")

    @on(EXPIRED)
    async def expired(self, turn: Turn, state: Seen, data: dict[str, Any]) -> None:
        state.heard.append(f"expired {data['work']}")


order: list[str] = []


@pytest.fixture(autouse=True)
def _empty_order() -> None:
    order.clear()


def world_of(**limits: Any) -> MemorySystem:
    return MemorySystem(Job(), scheduler={"reserved": 0, **limits})


async def admit(world: MemorySystem, name: str, **asked: Any) -> None:
    """Admit `job:<name>` and deliver what follows at once."""
    message = {"type": "job.begin", "data": name}
    asked = {"work": f"job:{name}", "message": message, **asked}
    await world.system.schedules.admit(Admission.model_validate(asked))
    await world.settle(until=timedelta())


async def end(world: MemorySystem, *names: str) -> None:
    for name in names:
        await world.system.directory.send(f"job:{name}", "job.end", None)
        await world.settle(until=timedelta())


async def drain(world: MemorySystem) -> None:
    """End whatever runs until nothing does."""
    while running := (await world.system.schedules.show())["running"]:
        await end(world, *[row["work"].partition(":")[2] for row in running])


async def rows(world: MemorySystem) -> list[str]:
    """Keys of the rows the lane keeps."""
    return [key for order in "wqoxska" for key, _ in await world.system.kernel.rows.page(LANE, f"{order}:")]


async def heard(world: MemorySystem, name: str) -> list[str]:
    found: list[str] = (await world.state(f"job:{name}"))["heard"]
    return found


async def test_the_line_goes_by_priority_then_deadline_then_arrival() -> None:
    world = world_of(max_running=1)
    now = world.clock.now()
    await admit(world, "first", priority="background")
    await admit(world, "low", priority="LOW")
    await admit(world, "normal")
    await admit(world, "later", priority=5, deadline=now + timedelta(hours=2))
    await admit(world, "sooner", priority=5, deadline=now + timedelta(hours=1))
    await admit(world, "high", priority="high")
    shown = await world.system.schedules.show()
    assert [row["work"] for row in shown["waiting"]] == [
        f"job:{name}" for name in ("high", "sooner", "later", "normal", "low")
    ]
    assert [row["position"] for row in shown["waiting"]] == [1, 2, 3, 4, 5]
    assert (await world.system.schedules.work("job:later"))["position"] == 3
    await drain(world)
    assert order == ["first", "high", "sooner", "later", "normal", "low"]
    assert (await world.system.schedules.show())["counts"]["running"] == 0
    assert await rows(world) == []


async def test_places_are_limited_and_given_back() -> None:
    world = world_of(max_running=3)
    for number in range(5):
        await admit(world, f"n{number}")
    shown = await world.system.schedules.show()
    assert shown["counts"] == {"running": 3, "urgent": 0, "waiting": 2, "suspended": 0, "behind": 0}
    assert order == ["n0", "n1", "n2"]
    await end(world, "n1")
    assert order == ["n0", "n1", "n2", "n3"]
    world.clock.advance(10)
    await end(world, "n0")
    statistics = (await world.system.schedules.show())["statistics"]
    assert (statistics["admitted"], statistics["started"], statistics["finished"]) == (5, 5, 2)
    assert statistics["mean_wait_seconds"] == 2.0


async def test_urgent_work_has_places_of_its_own() -> None:
    world = world_of(max_running=3, reserved=1)
    for number in range(3):
        await admit(world, f"n{number}", priority=8)
    assert order == ["n0", "n1"]
    await admit(world, "urgent", priority="CRITICAL")
    assert order == ["n0", "n1", "urgent"]
    await end(world, "urgent")
    assert order == ["n0", "n1", "urgent"], "the reserved place is not for ordinary work"
    await end(world, "n0")
    assert order[-1] == "n2"


async def test_urgent_work_puts_off_the_least_work_that_can_be_suspended() -> None:
    world = world_of(max_running=3)
    await admit(world, "fixed", priority=1)
    await admit(world, "low", priority=2, suspendable=True)
    await admit(world, "mid", priority=5, suspendable=True)
    await admit(world, "waits", priority=6)
    await admit(world, "urgent", priority=9)
    assert await heard(world, "low") == ["begin low", "pause"]
    assert order == ["fixed", "low", "mid", "urgent"]
    assert (await world.system.schedules.show())["counts"]["suspended"] == 1
    await end(world, "urgent")
    assert order[-1] == "waits", "by priority it comes before the one that was put off"
    await end(world, "waits")
    assert await heard(world, "low") == ["begin low", "pause", "resume"]
    assert order.count("low") == 2
    await drain(world)
    assert await rows(world) == []


async def test_urgent_work_waits_where_nothing_can_be_suspended_and_goes_next() -> None:
    world = world_of(max_running=1)
    await admit(world, "fixed")
    await admit(world, "other", priority=8)
    await admit(world, "urgent", priority=10)
    assert order == ["fixed"]
    await end(world, "fixed")
    assert order == ["fixed", "urgent"]


async def test_suspended_work_may_end_and_holds_no_place() -> None:
    world = world_of(max_running=1)
    await admit(world, "low", suspendable=True)
    await admit(world, "urgent", priority=10)
    await end(world, "low")
    counts = (await world.system.schedules.show())["counts"]
    assert counts == {"running": 1, "urgent": 1, "waiting": 0, "suspended": 0, "behind": 0}
    await end(world, "urgent")
    assert await rows(world) == []


async def test_works_of_one_key_go_in_the_order_they_came() -> None:
    world = world_of(max_running=10)
    await admit(world, "a1", affinity="customer 7", priority=1)
    await admit(world, "a2", affinity="customer 7", priority=10)
    await admit(world, "a3", affinity="customer 7")
    await admit(world, "b1", affinity="customer 8")
    assert order == ["a1", "b1"]
    assert (await world.system.schedules.show())["counts"]["behind"] == 2
    assert (await world.system.schedules.work("job:a3"))["status"] == "behind"
    await end(world, "a1")
    assert order == ["a1", "b1", "a2"]
    await end(world, "a2")
    assert order == ["a1", "b1", "a2", "a3"]
    await drain(world)
    assert await rows(world) == []


async def test_work_lends_its_priority_to_those_of_its_key_before_it() -> None:
    world = world_of(max_running=1)
    await admit(world, "busy")
    await admit(world, "other", priority=6)
    await admit(world, "k1", affinity="k", priority=1)
    await admit(world, "k2", affinity="k", priority=2)
    await admit(world, "k3", affinity="k", priority=8)
    await admit(world, "k4", affinity="k", priority=1)
    await drain(world)
    assert order == ["busy", "k1", "k2", "k3", "other", "k4"]


async def test_work_that_has_waited_long_gets_every_tenth_place() -> None:
    world = world_of(max_running=1, patience_seconds=60)
    await admit(world, "busy")
    await admit(world, "old", priority=1)
    world.clock.advance(61)
    running = "busy"
    for number in range(30):
        await admit(world, f"new{number}", priority=8)
        await end(world, running)
        running = order[-1]
    assert order.index("old") == 10
    assert (await world.system.schedules.show())["statistics"]["aged"] >= 1


async def test_nothing_ages_before_its_time() -> None:
    world = world_of(max_running=1, patience_seconds=3_600)
    await admit(world, "busy")
    await admit(world, "old", priority=1)
    running = "busy"
    for number in range(15):
        await admit(world, f"new{number}", priority=8)
        await end(world, running)
        running = order[-1]
    assert "old" not in order


async def test_the_place_of_work_that_never_ends_is_taken_from_it() -> None:
    world = world_of(max_running=2)
    await admit(world, "lost", limit="10m", tell="job:boss")
    await admit(world, "also", limit="10m")
    await admit(world, "next")
    await world.settle(until=timedelta(minutes=9))
    assert order == ["lost", "also"]
    await world.settle(until=timedelta(minutes=2))
    assert order == ["lost", "also", "next"]
    assert await heard(world, "boss") == ["expired job:lost"]
    shown = await world.system.schedules.show()
    assert shown["counts"]["running"] == 1
    assert shown["statistics"]["expired"] == 2
    await end(world, "lost")
    assert (await world.system.schedules.show())["counts"]["running"] == 1, "what comes too late changes nothing"
    await world.settle(until=timedelta(hours=2))
    assert (await world.system.schedules.show())["counts"]["running"] == 0
    assert await rows(world) == []


async def test_work_whose_deadline_has_passed_is_not_begun() -> None:
    world = world_of(max_running=1)
    await admit(world, "busy")
    for name in ("late1", "late2", "late3"):
        deadline = world.clock.now() + timedelta(minutes=1)
        await admit(world, name, deadline=deadline, tell="job:boss", affinity=name)
    await admit(world, "behind", affinity="late1")
    world.clock.advance(61)
    await end(world, "busy")
    await world.settle(until=timedelta())
    assert order == ["busy", "behind"]
    assert await heard(world, "boss") == ["missed job:late1", "missed job:late2", "missed job:late3"]
    assert (await world.system.schedules.show())["statistics"]["missed"] == 3


async def test_waiting_work_is_withdrawn_and_work_that_runs_is_not() -> None:
    world = world_of(max_running=1)
    schedules = world.system.schedules
    await admit(world, "busy", affinity="k")
    await admit(world, "waits")
    await admit(world, "behind", affinity="k", priority=8)
    for name in ("busy", "waits", "behind", "unknown"):
        await schedules.withdraw(f"job:{name}")
        await world.settle(until=timedelta())
    shown = await schedules.show()
    assert shown["counts"] == {"running": 1, "urgent": 0, "waiting": 0, "suspended": 0, "behind": 0}
    assert shown["statistics"]["withdrawn"] == 2
    await end(world, "busy")
    assert order == ["busy"]
    assert await rows(world) == []


async def test_a_work_is_in_a_lane_once_and_may_come_again() -> None:
    world = world_of(max_running=1)
    for _ in range(2):
        await admit(world, "one")
        await admit(world, "two")
    assert order == ["one"]
    assert (await world.system.schedules.show())["counts"]["waiting"] == 1
    await end(world, "one", "one", "two", "two")
    await admit(world, "one")
    assert order == ["one", "two", "one"]


async def test_an_agent_is_told_where_its_work_stands() -> None:
    world = world_of(max_running=1)
    told: list[Any] = []

    class Asker(Agent[Seen]):
        type = "asker"
        purpose = "Ask"

        @on("go")
        async def go(self, turn: Turn, state: Seen, data: Any) -> None:
            turn.ask(LANE, ADMIT, {"work": data, "message": {"type": "job.begin"}})

        @on_reply(ADMIT)
        async def told(self, turn: Turn, state: Seen, data: Any) -> None:
            told.append(data)

    world.system.register_agent(Asker())
    for work in ("job:a", "job:b"):
        await world.system.directory.send("asker", "go", work)
        await world.settle(until=timedelta())
    assert told == [{"work": "job:a", "status": "running"}, {"work": "job:b", "status": "waiting"}]


class Answering(Agent[Seen]):
    """Answers when it is told to."""

    type = "answering"
    purpose = "Answer at the end"
    listed = False

    @on("job.begin")
    async def begin(self, turn: Turn, state: Seen, data: Any) -> None:
        order.append(turn.agent.partition(":")[2])
        state.heard.append(json.dumps(turn.hold_reply()))

    @on("job.end")
    async def end(self, turn: Turn, state: Seen, data: Any) -> None:
        turn.reply_to_held(json.loads(state.heard[-1]), "done")


async def test_work_that_answers_at_its_end_gives_its_place_back_by_that() -> None:
    world = world_of(max_running=1)
    world.system.register_agent(Answering())
    for name in ("a", "b", "c"):
        await admit(world, name, work=f"answering:{name}", answers=True, limit="10m", suspendable=True)
    assert order == ["a"]
    await admit(world, "urgent", priority=10)
    await admit(world, "never", work="unknown:x", answers=True)
    await end(world, "urgent")
    assert order == ["a", "urgent"]
    for name in ("a", "b"):
        await world.system.directory.send(f"answering:{name}", "job.end", None)
        await world.settle(until=timedelta())
    assert order == ["a", "urgent", "b", "c"]
    await world.settle(until=timedelta(minutes=9))
    assert (await world.system.schedules.show())["counts"]["running"] == 1
    await world.settle(until=timedelta(minutes=2))
    shown = await world.system.schedules.show()
    assert shown["counts"]["running"] == 0, "c never answered, and there is no agent that could do the last"
    assert (shown["statistics"]["expired"], shown["statistics"]["finished"]) == (1, 4)
    assert await rows(world) == []


async def test_an_admission_and_a_release_cost_the_same_however_long_the_line() -> None:
    world = world_of(max_running=1)
    await admit(world, "busy")
    costs = []
    waiting = 0
    for length in (10, 2_000):
        while waiting < length:
            waiting += 1
            await admit(world, f"w{waiting}", priority=waiting % 8 + 1)
        with meter.metered() as usage:
            await admit(world, f"more{length}", priority=3)
            await end(world, order[-1])
        costs.append(usage.storage_operations)
        size = len((await world.system.kernel.heads.read(LANE)).state)  # type: ignore[union-attr]
        assert size < 1_000
    assert costs[0] == costs[1]


async def test_lanes_are_apart_and_must_have_been_used() -> None:
    world = world_of(max_running=1)
    schedules = world.system.schedules
    await schedules.admit(Admission.model_validate({"work": "job:x", "message": {"type": "job.begin"}}), lane="night")
    await world.settle(until=timedelta())
    assert (await schedules.show("night"))["counts"]["running"] == 1
    assert (await schedules.show())["counts"]["running"] == 0
    with pytest.raises(NotFound):
        await schedules.show("never")
    with pytest.raises(NotFound):
        await schedules.work("job:x")
    await schedules.done("job:x", lane="night")
    await world.settle(until=timedelta())
    assert (await schedules.show("night"))["counts"]["running"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"priority": "soon"},
        {"priority": 11},
        {"work": "Not An Address"},
        {"deadline": "2026-01-01T00:00:00"},
        {"limit": "soon"},
    ],
)
def test_what_cannot_be_admitted(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, InvalidInput)):
        Admission.model_validate({"work": "job:x", "message": {"type": "t"}, **wrong})
