"""Agents that are stuck, and what becomes of them when the maintenance comes round."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aos.agents import Agent, Turn, on
from aos.kernel.errors import BusUnavailable, StoreUnavailable, TerminalError
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.standing import Standing
from aos.lifecycle import recovery
from tests.harness import MemorySystem


class Worker(Agent[Any]):
    type = "worker"
    purpose = "Work, fail or wait as it is told"
    policy = AgentPolicy(retry=RetryPolicy(max_attempts=2))

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    @on("work")
    async def work(self, turn: Turn, state: Any, data: str) -> None:
        if data == "break":
            raise ZeroDivisionError("Nobody thought of that.")
        if data == "refuse":
            raise TerminalError("Not this.", code="refused")
        if data == "later":
            turn.remind("soon", "work", "reminded", after=timedelta(minutes=1))
        self.done.append(data)


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def world(worker: Worker) -> MemorySystem:
    return MemorySystem(worker)


async def send(world: MemorySystem, *what: str) -> None:
    for data in what:
        await world.system.directory.send("worker", "work", data)
    await world.settle(until=timedelta(seconds=30))


async def sweep(world: MemorySystem) -> list[str]:
    """Run the maintenance; what was repaired, oldest first."""
    before = len((await world.system.recovery.repairs.page())[0])
    made = (await world.system.run_maintenance())["repairs"]
    repairs, _ = await world.system.recovery.repairs.page()
    assert len(repairs) - before == made
    return [repair["what"] for repair in reversed(repairs[:made])]


async def test_agents_that_are_well_are_left_alone(world: MemorySystem, worker: Worker) -> None:
    await send(world, "a", "refuse", "later")
    await world.settle()
    assert worker.done == ["a", "later", "reminded"]
    world.clock.advance(3_600)
    assert await sweep(world) == []


async def test_an_agent_that_fails_over_and_over_by_its_own_fault_is_quarantined(world: MemorySystem) -> None:
    await send(world, *["refuse"] * 25)
    assert await sweep(world) == []
    await send(world, *["break"] * 10)
    [what] = await sweep(world)
    assert "20 tries failed with 'handler_failed'" in what
    status = await world.system.directory.status("worker")
    assert (status["status"], status["ordered_by"]) == ("quarantined", "aos.recovery")
    assert "Nobody thought of that" in status["reason"]
    assert await sweep(world) == []


async def test_messages_put_aside_that_nobody_takes_up_are_taken_up(world: MemorySystem, worker: Worker) -> None:
    await world.system.lifecycle.order("worker", "pause")
    await send(world, "a", "b")
    world.outbox.failure = BusUnavailable("Down.")
    with pytest.raises(BusUnavailable):
        await world.system.lifecycle.order("worker", "resume")
    world.outbox.failure = None
    await world.settle(until=timedelta(minutes=5))
    assert await sweep(world) == []
    await world.settle(until=timedelta(minutes=6))
    [what] = await sweep(world)
    assert "2 messages were put aside" in what
    await world.settle()
    assert worker.done == ["a", "b"]
    assert (await world.system.lifecycle.history("worker"))[-1]["event"] == "recover"


async def test_messages_of_a_terminated_agent_that_nobody_gave_up_are_given_up(world: MemorySystem) -> None:
    await world.system.lifecycle.order("worker", "pause")
    await send(world, "a")
    world.outbox.failure = BusUnavailable("Down.")
    with pytest.raises(BusUnavailable):
        await world.system.lifecycle.order("worker", "terminate", reason="Over", by="ann")
    world.outbox.failure = None
    world.clock.advance(700)
    await sweep(world)
    await world.settle()
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert "terminated by ann" in letter.error["message"]


async def test_a_reminder_that_never_came_is_sent_again_once(world: MemorySystem, worker: Worker) -> None:
    await send(world, "later")
    world._waiting.clear()
    assert await sweep(world) == []
    world.clock.advance(700)
    [what] = await sweep(world)
    assert what.startswith("sent reminder 'soon' again")
    await world.settle()
    assert worker.done == ["later", "reminded"]
    assert await sweep(world) == []


async def test_reminders_of_stopped_agents_old_ones_and_unknown_ones_are_left(
    world: MemorySystem, worker: Worker
) -> None:
    await send(world, "later")
    world._waiting.clear()
    await world.system.lifecycle.order("worker", "pause")
    world.clock.advance(700)
    assert await sweep(world) == []
    await world.system.lifecycle.order("worker", "resume")
    world.clock.advance(2 * 86_400)
    assert await sweep(world) == []
    for unknown in ("worker:99:0", "something else", "worker:1:7"):
        assert await world.system.recovery._reminder("worker", unknown) == (None, None)
    assert worker.done == ["later"]


async def test_draining_that_takes_too_long_becomes_a_pause(world: MemorySystem) -> None:
    await send(world, "a")
    await world.system.lifecycle.order("worker", "drain")
    world.clock.advance(86_399)
    assert await sweep(world) == []
    world.clock.advance(1)
    [what] = await sweep(world)
    assert "Draining took too long" in what
    assert (await world.system.directory.status("worker"))["status"] == "paused"


async def test_an_order_to_a_type_that_an_agent_missed_is_followed(world: MemorySystem) -> None:
    await send(world, "a")
    since = world.clock.now().isoformat().replace("+00:00", "Z")
    ordered = Standing(state="paused", event="pause", reason="Upgrade", by="ann", since=since, scope="type:worker")
    await world.system.kernel.type_orders.put("worker", ordered)
    assert await sweep(world) == ["followed the order for its type"]
    assert (await world.system.directory.status("worker"))["reason"] == "Upgrade"
    assert await sweep(world) == []


async def test_an_order_whose_dead_letters_were_not_stored_is_published_again(
    world: MemorySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(world, "later")
    dead_letters = world.system.kernel.dead_letters
    add = dead_letters.add

    async def broken(record: Any) -> None:
        raise StoreUnavailable("Down.")

    from aos.kernel.errors import NeedsAnswer

    async def ask(self: Worker, turn: Turn, state: Any, data: str) -> None:
        raise NeedsAnswer("May I?", question="may-i")

    monkeypatch.setattr(world.registry.behaviour("worker"), "handle", lambda turn: ask(Worker(), turn, None, ""))
    await send(world, "ask")
    monkeypatch.setattr(dead_letters, "add", broken)
    with pytest.raises(StoreUnavailable):
        await world.system.lifecycle.order("worker", "terminate", reason="Over")
    monkeypatch.setattr(dead_letters, "add", add)
    assert await sweep(world) == []
    world.clock.advance(700)
    [what] = await sweep(world)
    assert what.startswith("published turn")
    assert len((await dead_letters.page())[0]) == 1
    assert await sweep(world) == []


async def test_what_changed_since_it_was_looked_at_is_left_alone(world: MemorySystem) -> None:
    await send(world, "a")
    await world.system.lifecycle.order("worker", "drain")
    world.clock.advance(86_400)
    found = world.system.recovery
    head = await world.system.kernel.heads.read("worker")
    assert head is not None
    await world.system.lifecycle.order("worker", "resume")
    for decide in (
        found._event("draining_timeout", "late"),
        found._event("quarantine", "poison"),
        found._nudge("stuck"),
    ):
        assert await found._order(head, "nothing", decide) in (0, 1)
    assert (await world.system.directory.status("worker"))["status"] == "sleeping"


async def test_a_sweep_goes_on_where_the_one_before_stopped(
    world: MemorySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in "abc":
        await world.system.directory.send(f"worker:{key}", "work", "a")
    await world.settle()
    monkeypatch.setattr(recovery, "_AGENTS", 2)
    looked: list[str] = []
    attend = world.system.recovery._attend

    async def note(head: Any, ordered: Any) -> int:
        looked.append(head.agent)
        return await attend(head, ordered)

    monkeypatch.setattr(world.system.recovery, "_attend", note)
    for _ in range(3):
        await sweep(world)
    assert looked == ["worker:a", "worker:b", "worker:c", "worker:a", "worker:b"]


async def test_repairs_are_kept_for_a_month(world: MemorySystem) -> None:
    repairs = world.system.recovery.repairs
    for number in range(3):
        await repairs.add("worker", f"repair {number}")
        world.clock.advance(1)
    page, cursor = await repairs.page(limit=2)
    assert [repair["what"] for repair in page] == ["repair 2", "repair 1"]
    assert cursor is not None
    world.clock.advance(30 * 86_400)
    assert await repairs.sweep() == 3
    assert (await repairs.page())[0] == []
