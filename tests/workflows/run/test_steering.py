"""Runs are paused, resumed, cancelled, done again from a step, and rolled back to checkpoints."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aos.kernel.errors import NotAllowedNow, NotFound
from aos.workflows.human.request import GivenAnswer
from tests.workflows.run.office import Office, do

SECOND = timedelta(seconds=1)


@pytest.fixture
def office() -> Office:
    return Office()


async def let_go(office: Office, word: object = "go") -> None:
    await office.system.directory.send("hand", "let.go", word)
    await office.settle(until=SECOND)


async def test_a_paused_run_begins_nothing_and_loses_nothing(office: Office) -> None:
    run_id = await office.begin([do("a", hold=True), do("b", "a")])
    assert await office.workflows.pause(run_id)
    await let_go(office)
    assert await office.steps(run_id) == {"a": "completed", "b": "pending"}
    assert (await office.workflows.status(run_id))["status"] == "paused"
    assert await office.workflows.resume(run_id)
    await office.settle(until=SECOND)
    assert (await office.workflows.result(run_id))["status"] == "completed"
    assert not await office.workflows.pause(run_id)


async def test_a_retry_that_is_due_while_a_run_is_paused_follows_once_it_goes_on(office: Office) -> None:
    run_id = await office.begin([do("a", flaky=1, retry={"attempts": 2})])
    await office.workflows.pause(run_id)
    await office.settle(until=timedelta(minutes=1))
    assert len(await office.works()) == 1
    await office.workflows.resume(run_id)
    await office.settle(until=SECOND)
    assert (await office.workflows.result(run_id))["status"] == "completed"


async def test_a_paused_run_whose_last_step_ends_has_ended(office: Office) -> None:
    run_id = await office.begin([do("a", hold=True)])
    await office.workflows.pause(run_id)
    await let_go(office)
    assert (await office.workflows.result(run_id))["status"] == "completed"


async def test_cancelling_ends_a_run_and_ignores_what_comes_later(office: Office) -> None:
    run_id = await office.begin([do("a", hold=True), do("b", "a"), do("c")])
    assert await office.workflows.cancel(run_id, "enough")
    await office.settle(until=SECOND)
    result = await office.workflows.result(run_id)
    assert (result["status"], result["error"]["message"]) == ("cancelled", "enough")
    assert await office.steps(run_id) == {"a": "cancelled", "b": "cancelled", "c": "completed"}
    await let_go(office)
    assert (await office.steps(run_id))["a"] == "cancelled"
    assert not await office.workflows.cancel(run_id)
    assert [told["reason"] for told in (await office.state("hand"))["cancelled"]] == ["enough"]


async def test_only_agents_that_want_to_know_are_told(office: Office) -> None:
    run_id = await office.begin([do("a", agent="deaf")])
    await office.workflows.cancel(run_id)
    await office.settle(until=SECOND)
    assert (await office.system.kernel.dead_letters.page())[0] == []


async def test_cancelling_goes_on_to_runs_teams_people_and_timers(office: Office) -> None:
    await office.define([do("slow", silent=True)], name="inner")
    steps: list[dict[str, Any]] = [
        {"id": "inner", "workflow": "inner"},
        {"id": "ok", "wait": {"approval": {"prompt": "Pay?"}}},
        {"id": "rest", "wait": {"for": "1d"}},
    ]
    run_id = await office.begin(steps)
    status = await office.workflows.status(run_id)
    child = status["steps"]["inner"]["run_id"]
    await office.workflows.cancel(run_id, "enough")
    await office.settle(until=SECOND)
    assert (await office.workflows.result(child))["status"] == "cancelled"
    assert (await office.system.people.open())[0] == []
    with pytest.raises(NotAllowedNow):
        await office.system.people.answer(status["steps"]["ok"]["request_id"], GivenAnswer(by="anna", approved=True))
    now = office.clock.now()
    await office.settle()
    assert (office.clock.now() - now) <= timedelta(days=1)
    assert (await office.workflows.result(run_id))["status"] == "cancelled"


async def test_pausing_goes_on_to_the_runs_within(office: Office) -> None:
    await office.define([do("a", hold=True), do("b", "a")], name="inner")
    run_id = await office.begin([{"id": "inner", "workflow": "inner"}])
    child = (await office.workflows.status(run_id))["steps"]["inner"]["run_id"]
    await office.workflows.pause(run_id)
    await office.settle(until=SECOND)
    assert (await office.workflows.status(child))["status"] == "paused"
    await office.workflows.resume(run_id)
    await let_go(office)
    assert (await office.workflows.result(run_id))["status"] == "completed"


async def test_a_failed_run_is_done_again_from_the_step_that_failed(office: Office) -> None:
    run_id = await office.begin([do("a"), do("b", "a", flaky=1), do("c", "b"), do("d", "a")])
    await office.settle()
    assert (await office.workflows.result(run_id))["status"] == "failed"
    # A new attempt at the run has idempotency keys of its own, so the hand fails once more.
    await office.workflows.rerun(run_id, "b")
    await office.settle()
    assert (await office.workflows.result(run_id))["status"] == "failed"
    works = [work["step"] for work in await office.works()]
    assert (works.count("a"), works.count("b"), works.count("d")) == (1, 2, 1)


async def test_steps_before_keep_their_results_and_those_after_are_done_anew(office: Office) -> None:
    run_id = await office.begin(
        [do("a", say=1), do("b", say="${{ steps.a.output + run.attempt }}"), do("c", say="${{ steps.b.output * 10 }}")]
    )
    await office.settle()
    assert (await office.workflows.result(run_id))["output"] == {"c": 20}
    await office.workflows.rerun(run_id, "b")
    await office.settle()
    assert (await office.workflows.result(run_id))["output"] == {"c": 30}
    assert [work["step"] for work in await office.works()] == ["a", "b", "c", "b", "c"]
    assert (await office.workflows.status(run_id))["attempt"] == 2
    with pytest.raises(NotFound):
        await office.workflows.rerun(run_id, "z")


async def test_what_is_under_way_is_given_up_where_a_run_is_done_again(office: Office) -> None:
    run_id = await office.begin([do("a"), do("b", "a", hold=True)])
    await office.workflows.rerun(run_id, "a")
    await office.settle(until=SECOND)
    await let_go(office, "old")
    assert (await office.steps(run_id))["b"] == "running"
    await let_go(office, "new")
    assert (await office.workflows.result(run_id))["output"] == {"b": "new"}


async def test_a_map_is_done_again_whole(office: Office) -> None:
    each = {
        "id": "all",
        "map": {"over": "inputs.list", "step": {"agent": "hand", "with": {"say": "${{ item + run.attempt }}"}}},
    }
    run_id = await office.begin([each], {"list": [1, 2]}, inputs={"list": "array"})
    await office.settle()
    await office.workflows.rerun(run_id, "all")
    await office.settle()
    assert (await office.workflows.result(run_id))["output"] == {"all": [3, 4]}


async def test_a_step_that_was_undone_must_be_done_again_first(office: Office) -> None:
    undo = {"agent": "hand", "with": {"undo": True}}
    run_id = await office.begin([do("a", compensate=undo), do("b", "a", fail="no")], on_failure="compensate")
    await office.settle()
    await office.workflows.rerun(run_id, "b")
    await office.settle()
    assert (await office.workflows.result(run_id))["status"] == "compensated"
    (letter, *_), _ = await office.system.kernel.dead_letters.page()
    assert letter.error["code"] == "step_not_done"
    await office.workflows.rerun(run_id, "a")
    await office.settle()
    result = await office.workflows.result(run_id)
    assert (result["status"], result["compensated"]) == ("compensated", ["a"])
    assert len([work for work in await office.works() if work["parameters"].get("undo")]) == 2


async def test_rolling_back_to_a_checkpoint_does_anew_what_was_not_done_then(office: Office) -> None:
    run_id = await office.begin([do("a"), do("b", "a", hold=True), do("c", "b")])
    name = await office.workflows.checkpoint(run_id, "before-b")
    await let_go(office, 1)
    assert (await office.workflows.result(run_id))["output"] == {"c": "c done"}
    (kept,) = await office.workflows.checkpoints(run_id)
    assert kept["name"] == name == "before-b"
    await office.workflows.rollback(run_id, name)
    await office.settle(until=SECOND)
    assert await office.steps(run_id) == {"a": "completed", "b": "running", "c": "pending"}
    await let_go(office, 2)
    assert [work["step"] for work in await office.works()] == ["a", "b", "c", "b", "c"]
    with pytest.raises(NotFound):
        await office.workflows.rollback(run_id, "other")


async def test_a_message_only_a_run_sends_itself_is_refused_from_others(office: Office) -> None:
    run_id = await office.begin([do("a", hold=True)])
    await office.system.directory.send(f"workflow:{run_id}", "workflow.deadline", None)
    await office.settle(until=SECOND)
    assert (await office.workflows.status(run_id))["status"] == "running"
