"""How tasks are carried out: by agents that fit, held back, paused, done again, within a budget, and told about."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from aos.agents import Agent, NoState, Turn, on
from aos.agents.work import WORK as WORK_TYPE
from aos.agents.work import Work
from aos.kernel.errors import AosError, NotAllowedNow, NotFound, TerminalError
from aos.workflows.callback_agent import CALLBACK_TYPE
from tests.harness import MemorySystem
from tests.workflows.test_tasks import WORK, Boss, Left, Right, request

KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()


class Painter(Agent[NoState]):
    type = "painter"
    purpose = "Paint"
    capabilities: tuple[str, ...] = ("painting",)

    @on(WORK_TYPE)
    async def do(self, turn: Turn, _: NoState, work: Work) -> dict[str, Any]:
        said = {"prompt": work.parameters["prompt"], "target": work.target, "results": sorted(work.results)}
        return {"summary": f"{self.type} painted", "score": 0.9, "cost_usd": 0.25, **said}


class Framer(Painter):
    type = "framer"
    capabilities = ("framing", "painting")


class Clumsy(Agent[NoState]):
    type = "clumsy"
    purpose = "Break things"
    capabilities = ("breaking",)

    @on(WORK_TYPE)
    async def do(self, turn: Turn, _: NoState, work: Work) -> None:
        raise TerminalError("It broke.")


def world_of(**config: Any) -> MemorySystem:
    return MemorySystem(Left(), Right(), Boss(), Painter(), Framer(), Clumsy(), workflows=(WORK,), **config)


async def done(world: MemorySystem, **fields: Any) -> dict[str, Any]:
    task_id, _ = await world.system.tasks.submit(request(**fields))
    await world.settle()
    return await world.system.tasks.detail(task_id)


async def test_a_type_that_agents_can_do_needs_no_workflow() -> None:
    task = await done(world_of(), task_type="painting", title="A hall", description="Paint the hall blue")
    assert task["status"] == "completed", task["error"]
    assert set(task["assigned_agents"]) <= {"painter", "framer"}
    told = task["orchestration"]
    assert told["execution_mode"] in ("single_agent", "multi_agent")
    assert told["selection"][0]["reason"] == "can do painting; has no results yet"
    assert told["complexity_analysis"]["level"] == "simple"
    result = next(iter(task["agent_results"].values()))
    assert (result["prompt"], result["target"]) == ("Paint the hall blue", "here")
    assert (task["quality_score"], task["success_rate"]) == (0.9, 1.0)
    assert task["cost_usd"] == pytest.approx(0.25 * len(task["participants"]))


async def test_the_caller_names_agents_and_their_order() -> None:
    task = await done(world_of(), agents=["framer", "painter"], coordination="sequential", mode="multi_agent")
    assert [part["agent"] for part in task["participants"]] == ["framer", "painter"]
    assert task["agent_results"]["painter"]["results"] == ["framer"]


async def test_several_agents_cover_what_is_required_and_the_best_combines() -> None:
    wanted = ["painting", "framing", "breaking"]
    task = await done(world_of(), required_capabilities=wanted, coordination="collaborative")
    assert set(task["orchestration"]["participating_agents"]) >= {"framer", "clumsy"}
    assert task["status"] == "failed"
    assert task["success_rate"] == pytest.approx(0.5, abs=0.2)
    assert 0 < task["quality_score"] <= 0.9


async def test_quality_of_a_task_in_which_all_failed_is_their_credit() -> None:
    task = await done(world_of(), task_type="breaking")
    assert (task["status"], task["quality_score"], task["success_rate"]) == ("failed", 0.1, 0.0)


async def test_plans_alike_are_one_workflow() -> None:
    world = world_of()
    for title in ("One hall", "Another hall"):
        await done(world, task_type="painting", title=title)
    versions, _ = await world.system.definitions.versions("planned")
    assert len(versions) == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"task_type": "dancing"}, "unknown_task_type"),
        ({"required_capabilities": ["dancing"]}, "capability_missing"),
        ({"agents": ["nobody"]}, "validation_error"),
        ({"workflow": "nothing"}, "unknown_workflow"),
        ({"callback_url": "https://example.com/x"}, "config_missing"),
    ],
)
async def test_what_cannot_be_carried_out_is_refused_at_once(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(AosError) as caught:
        await world_of().system.tasks.submit(request(**fields))
    assert caught.value.code == code


async def test_a_paused_agent_is_not_chosen() -> None:
    world = world_of()
    await world.system.lifecycle.order("framer", "pause")
    task = await done(world, task_type="painting")
    assert task["assigned_agents"] == ["painter"]


async def test_a_task_that_is_held_back_begins_when_it_is_told_to() -> None:
    world = world_of()
    task_id, _ = await world.system.tasks.submit(request(auto_execute=False))
    await world.settle(until=timedelta(minutes=1))
    assert (await world.system.tasks.detail(task_id))["status"] == "pending"
    await world.system.tasks.begin(task_id)
    await world.system.tasks.begin(task_id)
    await world.settle()
    task = await world.system.tasks.detail(task_id)
    assert (task["status"], task["runs"]) == ("completed", 1)


async def test_a_paused_task_begins_nothing_new_and_goes_on() -> None:
    world = world_of()
    task_id, _ = await world.system.tasks.submit(request())
    await world.settle_some(3)
    assert (await world.system.tasks.detail(task_id))["status"] == "running"
    await world.system.tasks.pause(task_id, "lunch")
    await world.settle(until=timedelta(minutes=5))
    task = await world.system.tasks.detail(task_id)
    assert task["status"] == "paused"
    assert "boss" not in task["assigned_agents"]
    assert "paused: lunch" in [event["text"] for event in task["events"]]
    await world.system.tasks.resume(task_id, "back")
    await world.settle()
    assert (await world.system.tasks.detail(task_id))["status"] == "completed"


async def test_a_task_that_waits_for_its_turn_is_paused_out_of_the_lane() -> None:
    world = world_of()
    task_id, _ = await world.system.tasks.submit(request())
    await world.settle_some(1)
    await world.system.tasks.pause(task_id, "lunch")
    await world.settle(until=timedelta(minutes=5))
    assert (await world.system.tasks.detail(task_id))["status"] == "paused"
    assert (await world.system.schedules.show("tasks"))["running"] == []
    await world.system.tasks.resume(task_id, "back")
    await world.settle()
    assert (await world.system.tasks.detail(task_id))["status"] == "completed"


async def test_a_held_task_that_was_told_to_begin_and_paused_begins_once_it_goes_on() -> None:
    world = world_of()
    held, _ = await world.system.tasks.submit(request(auto_execute=False))
    await world.settle(until=timedelta(seconds=1))
    await world.system.tasks.pause(held, "not yet")
    await world.system.tasks.resume(held, "perhaps")
    await world.settle(until=timedelta(seconds=1))
    assert (await world.system.tasks.detail(held))["status"] == "pending"
    await world.system.tasks.begin(held)
    await world.settle_some(1)
    await world.system.tasks.pause(held, "lunch")
    await world.settle(until=timedelta(minutes=5))
    assert (await world.system.tasks.detail(held))["status"] == "paused"
    await world.system.tasks.resume(held, "back")
    await world.settle()
    assert (await world.system.tasks.detail(held))["status"] == "completed"


async def test_a_task_that_ended_is_done_again_by_the_same_version() -> None:
    world = world_of()
    task = await done(world, parameters={"refuse": "right"})
    assert task["status"] == "failed"
    with pytest.raises(NotFound):
        await world.system.tasks.rerun("20260101-000000-nothing0", "why not")
    await world.system.tasks.rerun(task["id"], "mended")
    with pytest.raises(NotAllowedNow):
        await running_rerun(world, task["id"])
    await world.settle()
    again = await world.system.tasks.detail(task["id"])
    assert (again["status"], again["runs"], again["run_id"]) == ("failed", 2, f"{task['id']}.r2")
    assert "done again: mended" in [event["text"] for event in again["events"]]


async def running_rerun(world: MemorySystem, task_id: str) -> None:
    await world.settle_some(1)
    await world.system.tasks.rerun(task_id, "too early")


async def test_a_task_stops_at_its_budget() -> None:
    world = world_of()
    fields = {"agents": ["painter", "framer"], "coordination": "sequential", "mode": "multi_agent", "budget": 0.2}
    task = await done(world, **fields)
    assert (task["status"], task["error"]["code"]) == ("failed", "budget_exceeded")
    assert task["assigned_agents"] == ["painter"]


async def test_the_end_of_a_task_is_told_at_its_callback() -> None:
    world = world_of(callbacks={"hosts": ["localhost"], "key": KEY, "allow_private": True})
    task_id, _ = await world.system.tasks.submit(request(callback_url="http://localhost:1/hook"))
    await world.settle(until=timedelta(minutes=1))
    state = await world.state(f"{CALLBACK_TYPE}:{task_id}")
    assert state["delivered"] == 0
    sent = [m for m in world.outbox.sent if m.session_id == f"{CALLBACK_TYPE}:{task_id}"]
    assert len(sent) >= 2, "it is tried again while nobody answers"
    assert b'"status":"completed"' in sent[0].body


async def test_cancelling_reaches_the_run() -> None:
    world = world_of()
    task_id, _ = await world.system.tasks.submit(request(parameters={"silent": "left"}))
    await world.settle(until=timedelta(minutes=1))
    await world.system.tasks.cancel(task_id, "enough")
    await world.settle(until=timedelta(minutes=1))
    assert (await world.state(f"workflow:{task_id}"))["status"] == "cancelled"
    assert (await world.system.tasks.detail(task_id))["status"] == "cancelled"


async def test_urgent_tasks_overtake_a_backlog() -> None:
    world = world_of(scheduler={"max_running": 1, "reserved": 0})
    ids = []
    for priority, target in ((5, "first"), (2, "late"), (5, "second"), (8, "soon")):
        task_id, _ = await world.system.tasks.submit(request(priority=priority, target=target))
        ids.append(task_id)
        world.clock.advance(1)
    await world.settle()
    tasks = [await world.system.tasks.detail(task_id) for task_id in ids]
    assert all(task["status"] == "completed" for task in tasks)
    entries = await world.system.directory.journal("left", limit=50)
    worked = [entry.received[0]["message"]["data"]["target"] for entry in entries]
    assert worked == ["first", "soon", "second", "late"]


async def test_a_task_that_waits_for_its_turn_can_be_cancelled_and_leaves_the_lane() -> None:
    world = world_of(scheduler={"max_running": 1, "reserved": 0})
    first, _ = await world.system.tasks.submit(request(parameters={"silent": "left"}))
    second, _ = await world.system.tasks.submit(request(target="waits"))
    await world.settle(until=timedelta(minutes=1))
    assert (await world.system.tasks.detail(second))["status"] == "pending"
    await world.system.tasks.cancel(second, "not needed")
    await world.settle(until=timedelta(minutes=1))
    assert (await world.system.tasks.detail(second))["status"] == "cancelled"
    shown = await world.system.schedules.show("tasks")
    assert (shown["waiting"], [work["work"] for work in shown["running"]]) == ([], [f"task:{first}"])
    assert (await world.system.tasks.detail(first))["status"] == "running"


async def test_urgent_work_has_a_task_stop_and_what_people_paused_stays_so() -> None:
    world = world_of(scheduler={"max_running": 1, "reserved": 0})
    low, _ = await world.system.tasks.submit(request(priority=2, parameters={"silent": "left"}))
    await world.settle(until=timedelta(seconds=5))
    urgent, _ = await world.system.tasks.submit(request(priority=10, target="urgent"))
    await world.settle(until=timedelta(seconds=5))
    task = await world.system.tasks.detail(low)
    told = [event["text"] for event in task["events"]]
    assert "paused: more urgent work has the place" in told
    assert "resumed: there is a place again" in told
    assert (await world.system.tasks.detail(urgent))["status"] == "completed"
    assert task["status"] == "running"
    await world.system.tasks.pause(low, "lunch")
    await world.settle(until=timedelta(seconds=5))
    another, _ = await world.system.tasks.submit(request(priority=10, target="urgent, too"))
    await world.settle(until=timedelta(seconds=5))
    assert (await world.system.tasks.detail(another))["status"] == "completed"
    assert (await world.system.tasks.detail(low))["status"] == "paused"
    await world.system.tasks.resume(low, "back")
    await world.settle(until=timedelta(seconds=5))
    assert (await world.system.tasks.detail(low))["status"] == "running"


async def test_results_are_those_of_the_last_run() -> None:
    world = world_of()
    task = await done(world)
    assert set(task["agent_results"]) == {"left", "right", "boss"}
    await world.system.lifecycle.order("boss", "terminate", reason="Retired.")
    await world.system.tasks.rerun(task["id"], "again")
    await world.settle()
    again = await world.system.tasks.detail(task["id"])
    assert (again["status"], set(again["agent_results"])) == ("failed", {"left", "right"})


async def test_a_task_is_submitted_once_and_hears_only_its_own_run() -> None:
    world = world_of()
    task = await done(world)
    address = f"task:{task['id']}"
    news = {"run_id": "x", "step": "left", "status": "failed", "progress": 0.1}
    await world.system.directory.send(address, "workflow.progress", news)
    entry = (await world.system.directory.journal(address))[0]
    await world.system.directory.send(address, "task.submitted", entry.received[0]["message"]["data"])
    await world.settle()
    after = await world.system.tasks.detail(task["id"])
    assert (after["progress"], after["status"]) == (1.0, "completed")
    letters, _ = await world.system.kernel.dead_letters.page()
    assert [letter.error["code"] for letter in letters] == ["not_allowed_now"]
