"""Steps that fail are tried again, steps that take too long are given up, and late answers change nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aos.agents import Agent, NoState, Turn, on
from aos.kernel.errors import Throttled
from aos.kernel.policy import AgentPolicy, RetryPolicy
from tests.workflows.run.office import Office, do


class Busy(Agent[NoState]):
    """Has too much to do."""

    type = "busy"
    policy = AgentPolicy(retry=RetryPolicy(max_attempts=2))
    turns = 0

    @on("work.do")
    async def do(self, turn: Turn, _: NoState, work: dict[str, Any]) -> None:
        self.turns += 1
        raise Throttled("Too much to do.")


@pytest.fixture
def office() -> Office:
    return Office()


async def test_a_step_is_tried_again_with_growing_pauses(office: Office) -> None:
    retry = {"attempts": 3, "delay": "10s", "backoff": 3}
    run_id = await office.begin([do("a", flaky=2, retry=retry), do("b", "a")])
    began = office.clock.now()
    assert await office.steps(run_id) == {"a": "waiting", "b": "pending"}
    await office.settle()
    assert (office.clock.now() - began) == timedelta(seconds=40)
    assert (await office.workflows.result(run_id))["status"] == "completed"
    status = await office.workflows.status(run_id)
    assert status["steps"]["a"]["retry_count"] == 2
    works = await office.works()
    assert len({work["idempotency_key"] for work in works if work["step"] == "a"}) == 1


async def test_after_the_last_attempt_the_step_has_failed(office: Office) -> None:
    result = await office.run([do("a", fail="never", retry={"attempts": 2})])
    assert (result["status"], result["error"]["message"]) == ("failed", "never")
    assert len(await office.works()) == 2


async def test_only_errors_of_the_named_classes_are_tried_again(office: Office) -> None:
    await office.run([do("a", fail="no", terminal=True, retry={"attempts": 3})])
    assert len(await office.works()) == 1
    await office.run(
        [do("a", fail="no", terminal=True, code="busy", retry={"attempts": 3, "on": ["busy"]})], name="other"
    )
    assert len(await office.works()) == 4


async def test_a_step_without_retries_is_done_once(office: Office) -> None:
    await office.run([do("a", fail="no")])
    assert len(await office.works()) == 1


async def test_a_step_that_takes_too_long_is_tried_again_and_fails(office: Office) -> None:
    result = await office.run([do("a", silent=True, timeout="30s", retry={"attempts": 2, "on": "timeout"})])
    assert result["error"]["code"] == "deadline_exceeded"
    assert len(await office.works()) == 2
    assert result["duration_seconds"] == 61


async def test_a_late_answer_is_ignored(office: Office) -> None:
    run_id = await office.begin([do("a", hold=True, timeout="30s", optional=True), do("b", hold=True)])
    await office.settle(until=timedelta(seconds=31))
    assert await office.steps(run_id) == {"a": "failed", "b": "running"}
    await office.system.directory.send("hand", "let.go", "too late")
    await office.settle(until=timedelta(0))
    assert await office.steps(run_id) == {"a": "failed", "b": "running"}
    steps, _ = await office.workflows.steps(run_id)
    assert steps[0]["output"] is None


async def test_an_agent_that_has_tried_as_often_as_it_may_is_judged_by_what_failed_it() -> None:
    busy = Busy()
    office = Office(busy)
    result = await office.run([do("a", agent="busy", retry={"attempts": 2, "on": ["throttled"]})])
    assert result["error"]["code"] == "throttled"
    assert busy.turns == 4


async def test_a_run_ends_at_its_deadline(office: Office) -> None:
    run_id = await office.begin([do("a", silent=True), do("b", "a")], timeout="1h")
    await office.settle()
    result = await office.workflows.result(run_id)
    assert (result["status"], result["error"]["code"], result["duration_seconds"]) == (
        "failed",
        "deadline_exceeded",
        3600,
    )
    assert await office.steps(run_id) == {"a": "cancelled", "b": "skipped"}


async def test_over_budget_nothing_more_is_begun(office: Office) -> None:
    cost = {"usage": {"cost_usd": 0.6, "tokens": 100}}
    run_id = await office.begin([do("a", say=cost), do("b", "a", say=cost), do("c", "b")], budget=1.0)
    await office.settle()
    result = await office.workflows.result(run_id)
    assert (result["status"], result["error"]["code"]) == ("failed", "budget_exceeded")
    assert (result["cost_usd"], result["tokens"]) == (1.2, 200)
    assert await office.steps(run_id) == {"a": "completed", "b": "completed", "c": "skipped"}


async def test_what_was_spent_when_all_is_done_does_not_fail_the_run(office: Office) -> None:
    result = await office.run([do("a", say={"cost_usd": 2})], budget=1.0)
    assert (result["status"], result["cost_usd"]) == ("completed", 2)


async def test_the_timeline_has_every_attempt(office: Office) -> None:
    result = await office.run([do("a", flaky=1, retry={"attempts": 2}), do("b", "a")])
    timeline = await office.workflows.timeline(result["run_id"])
    assert [(one["step"], one["attempt"], one["status"]) for one in timeline] == [
        ("a", 1, "failed"),
        ("a", 2, "completed"),
        ("b", 1, "completed"),
    ]
    assert all(one["started_at"] and one["finished_at"] for one in timeline)
