"""Tasks: submitted once, seen through, cancelled, timed out, listed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aos.agents import Agent, NoState, Turn, on
from aos.agents.work import Work
from aos.kernel import meter
from aos.kernel.errors import AlreadyExists, InvalidInput, NotFound, TerminalError
from aos.workflows.definition.workflow import Workflow
from aos.workflows.tasks.task_request import TaskRequest
from tests.harness import MemorySystem

WORK = Workflow.from_json(
    {
        "name": "work",
        "title": "Work",
        "steps": [
            {"id": "left", "agent": "left", "timeout": "10m"},
            {"id": "right", "agent": "right", "timeout": "10m"},
            {"id": "boss", "agent": "boss", "needs": ["left", "right"], "timeout": "10m"},
        ],
        "outputs": {"summary": "${{ steps.boss.output.summary }}", "total": "${{ steps.boss.output.total }}"},
    }
)


class Worker(Agent[NoState]):
    listed = True

    @on("work.do")
    async def do(self, turn: Turn, _: NoState, work: Work) -> dict[str, Any] | None:
        if work.inputs.get("refuse") == self.type:
            raise TerminalError("Not my job.")
        if work.inputs.get("silent") == self.type:
            return None
        return {"summary": f"{self.type} done", "value": 1}


class Left(Worker):
    type = "left"


class Right(Worker):
    type = "right"


class Boss(Agent[NoState]):
    type = "boss"

    @on("work.do")
    async def sum(self, turn: Turn, _: NoState, work: Work) -> dict[str, Any]:
        return {"summary": "summed", "total": sum(result["value"] for result in work.results.values())}


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Left(), Right(), Boss(), workflows=(WORK,))


def request(**changes: Any) -> TaskRequest:
    return TaskRequest.model_validate({"task_type": "work", "title": "Do it", "target": "here", **changes})


async def test_examiners_work_side_by_side_and_the_decider_gets_their_results(world: MemorySystem) -> None:
    task_id, is_new = await world.system.tasks.submit(request())
    assert is_new
    await world.settle(until=timedelta(0))
    task = await world.system.tasks.detail(task_id)
    assert (task["status"], task["progress"], task["result"]["total"]) == ("completed", 1.0, 2)
    assert [part["agent"] for part in task["participants"]] == ["left", "right", "boss"]
    assert task["agent_results"]["left"] == {"summary": "left done", "value": 1}
    assert (task["workflow"], task["run_id"]) == ("work", task_id)
    entries = await world.system.directory.journal("right")
    assert entries[0].time <= (await world.system.directory.journal("boss"))[0].time


async def test_a_task_is_shown_before_its_agent_woke(world: MemorySystem) -> None:
    task_id, _ = await world.system.tasks.submit(request())
    assert (await world.system.tasks.detail(task_id))["status"] == "pending"
    tasks, _ = await world.system.task_index.page()
    assert [task["id"] for task in tasks] == [task_id]


async def test_an_idempotency_key_gives_the_same_task_and_refuses_another_request(world: MemorySystem) -> None:
    first, _ = await world.system.tasks.submit(request(), idempotency_key="k")
    await world.settle()
    world.clock.advance(3_600)
    again, is_new = await world.system.tasks.submit(request(), idempotency_key="k")
    assert (again, is_new) == (first, False)
    with pytest.raises(AlreadyExists, match=first):
        await world.system.tasks.submit(request(target="elsewhere"), idempotency_key="k")
    world.clock.advance(24 * 3_600)
    later, is_new = await world.system.tasks.submit(request(), idempotency_key="k")
    assert is_new
    assert later != first


async def test_the_same_request_within_a_minute_is_a_repetition(world: MemorySystem) -> None:
    first, _ = await world.system.tasks.submit(request())
    again, _ = await world.system.tasks.submit(request())
    world.clock.advance(61)
    later, _ = await world.system.tasks.submit(request())
    assert first == again != later


async def test_a_submission_that_was_cut_off_is_finished_by_its_repetition(world: MemorySystem) -> None:
    world.outbox.failure = RuntimeError("cut off")
    with pytest.raises(RuntimeError):
        await world.system.tasks.submit(request(), idempotency_key="k")
    world.outbox.failure = None
    task_id, _ = await world.system.tasks.submit(request(), idempotency_key="k")
    await world.settle()
    assert (await world.system.tasks.detail(task_id))["status"] == "completed"


async def test_an_agent_that_refuses_fails_the_task_and_is_named(world: MemorySystem) -> None:
    task_id, _ = await world.system.tasks.submit(request(parameters={"refuse": "right"}))
    await world.settle()
    task = await world.system.tasks.detail(task_id)
    assert task["status"] == "failed"
    assert "Not my job." in task["error"]["message"]
    failed = [part for part in task["participants"] if part["status"] == "failed"]
    assert [(part["agent"], part["error"]["message"]) for part in failed] == [("right", "Not my job.")]
    assert task["success_rate"] == 0.5


async def test_an_agent_that_stays_silent_is_waited_for_as_long_as_the_task_type_says(world: MemorySystem) -> None:
    task_id, _ = await world.system.tasks.submit(request(parameters={"silent": "left"}))
    await world.settle(until=timedelta(minutes=9))
    assert (await world.system.tasks.detail(task_id))["status"] == "running"
    await world.settle(until=timedelta(minutes=2))
    task = await world.system.tasks.detail(task_id)
    assert (task["status"], task["error"]["code"]) == ("failed", "deadline_exceeded")


async def test_a_task_not_done_by_its_deadline_fails(world: MemorySystem) -> None:
    deadline = world.clock.now() + timedelta(minutes=1)
    task_id, _ = await world.system.tasks.submit(request(parameters={"silent": "left"}, deadline=deadline.isoformat()))
    await world.settle(until=timedelta(minutes=2))
    task = await world.system.tasks.detail(task_id)
    assert (task["status"], task["error"]["code"]) == ("failed", "deadline_exceeded")


async def test_a_cancelled_task_stays_cancelled_whatever_answers_come(world: MemorySystem) -> None:
    task_id, _ = await world.system.tasks.submit(request())
    await world.system.tasks.cancel(task_id, "changed our minds")
    await world.settle()
    task = await world.system.tasks.detail(task_id)
    assert task["status"] == "cancelled"
    assert "changed our minds" in [event["text"] for event in task["events"]]
    assert all(part["status"] in ("cancelled", "completed") for part in task["participants"])


async def test_an_unknown_kind_of_task_and_a_past_deadline_are_refused_at_once(world: MemorySystem) -> None:
    with pytest.raises(NotFound, match="There are: work"):
        await world.system.tasks.submit(request(task_type="play"))
    with pytest.raises(InvalidInput, match="deadline"):
        await world.system.tasks.submit(request(deadline="2020-01-01T00:00:00Z"))
    with pytest.raises(NotFound, match="List the tasks"):
        await world.system.tasks.detail("20260101-000000-abcdef01")
    with pytest.raises(NotFound):
        await world.system.tasks.cancel("nonsense", "why")


async def test_tasks_are_listed_newest_first_in_pages_and_by_status(world: MemorySystem) -> None:
    made = []
    for number in range(5):
        task_id, _ = await world.system.tasks.submit(request(target=str(number)))
        made.append(task_id)
        world.clock.advance(2)
    await world.settle(until=timedelta(0))
    late, _ = await world.system.tasks.submit(request(target="late"))
    first, cursor = await world.system.task_index.page(limit=4)
    second, end = await world.system.task_index.page(limit=4, cursor=cursor)
    assert [task["id"] for task in first + second] == [late, *reversed(made)]
    assert end is None
    pending, _ = await world.system.task_index.page(status="pending")
    assert [task["id"] for task in pending] == [late]


async def test_a_task_turn_costs_one_operation_more_for_the_list(world: MemorySystem) -> None:
    await world.system.tasks.submit(request(), idempotency_key="k")
    await world.settle(until=timedelta(0))
    entries = await world.system.directory.journal((await world.system.directory.page(type="task"))[0][0]["id"])
    last = entries[-1]
    state = await world.state(last.agent)
    with meter.metered() as usage:
        await world.system.task_index.apply(replace(last, version=last.version + 1), state)
    assert usage.table_operations == 1


async def test_expired_keys_are_swept(world: MemorySystem) -> None:
    await world.system.tasks.submit(request())
    assert (await world.system.run_maintenance())["idempotency_keys"] == 0
    world.clock.advance(120)
    assert (await world.system.run_maintenance())["idempotency_keys"] == 1
