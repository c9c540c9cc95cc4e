"""The score by which it is seen at a glance whether work gets done."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aos.workflows.planning.orchestrator_health import judge_health
from tests.api.test_events import connect
from tests.workflows.test_task_execution import world_of
from tests.workflows.test_tasks import request


@pytest.mark.parametrize(
    ("facts", "score", "status"),
    [
        ((3, 0, 0, 0), 100, "healthy"),
        ((3, 2, 10, 0), 100, "healthy"),
        ((3, 3, 10, 0), 90, "healthy"),
        ((3, 6, 10, 0), 75, "degraded"),
        ((3, 0, 0, 80), 100, "healthy"),
        ((3, 0, 0, 81), 85, "healthy"),
        ((0, 0, 0, 0), 70, "degraded"),
        ((0, 10, 10, 100), 30, "critical"),
    ],
)
def test_what_is_wrong_is_taken_off(facts: tuple[int, int, int, int], score: int, status: str) -> None:
    agents, failed, ended, active = facts
    judged = judge_health(agents=agents, failed=failed, ended=ended, active=active, most_active=100)
    assert (judged.score, judged.status) == (score, status)
    assert 100 - score == sum(int(reason[1 : reason.index(":")]) for reason in judged.reasons)


async def test_the_score_is_of_the_last_tasks_and_of_those_at_work() -> None:
    world = world_of(scheduler={"max_running": 1, "reserved": 0})
    for number in range(3):
        await world.system.tasks.submit(request(task_type="breaking", target=str(number)))
        await world.settle()
        world.clock.advance(1)
    await world.system.tasks.submit(request(parameters={"silent": "left"}))
    await world.settle(until=timedelta(seconds=5))
    async with connect(world) as api:
        health = (await api.get("/system/orchestrator")).json()
    assert (health["score"], health["status"]) == (60, "degraded")
    assert health["reasons"] == ["-25: 3 of the last 3 tasks failed.", "-15: 1 of 1 places for tasks are taken."]
