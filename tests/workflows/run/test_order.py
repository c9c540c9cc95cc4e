"""Which steps are done, in which order, with what, and what becomes of failures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aos.kernel.errors import InvalidInput, NotAllowedNow, NotFound
from aos.workflows.messages import Parent
from aos.workflows.status import SKIPPED_TEXT
from tests.workflows.run.office import Office, do


@pytest.fixture
def office() -> Office:
    return Office()


async def test_steps_are_done_in_order_with_the_outputs_of_those_before(office: Office) -> None:
    steps = [
        do("first", say="${{ inputs.word }}"),
        do("second", say="${{ steps.first.output + '!' }}"),
        do("third", "second", say={"both": "${{ [steps.first.output, steps.second.output] }}"}),
    ]
    result = await office.run(steps, {"word": "ho"}, inputs={"word": "string"})
    assert (result["status"], result["output"]) == ("completed", {"third": {"both": ["ho", "ho!"]}})
    works = await office.works()
    assert [work["step"] for work in works] == ["first", "second", "third"]
    assert works[2]["results"] == {"first": "ho", "second": "ho!"}
    assert works[0]["inputs"] == {"word": "ho"}


async def test_steps_that_need_nothing_from_each_other_are_done_side_by_side(office: Office) -> None:
    run_id = await office.begin([do("a", hold=True), do("b", hold=True), do("c", "a", "b")])
    assert await office.steps(run_id) == {"a": "running", "b": "running", "c": "pending"}
    for word in ("x", "y"):
        await office.system.directory.send("hand", "let.go", word)
        await office.settle(until=timedelta(0))
    assert (await office.works())[2]["results"] == {"a": "x", "b": "y"}


async def test_no_more_steps_than_allowed_are_done_at_a_time(office: Office) -> None:
    run_id = await office.begin([do(f"s{n}", hold=True) for n in range(5)], concurrency=2)
    assert list((await office.steps(run_id)).values()) == ["running", "running", "pending", "pending", "pending"]
    await office.system.directory.send("hand", "let.go", "done")
    await office.settle(until=timedelta(0))
    assert list((await office.steps(run_id)).values()) == ["completed", "running", "running", "pending", "pending"]


async def test_a_run_may_allow_less_than_its_workflow(office: Office) -> None:
    run_id = await office.begin([do(f"s{n}", hold=True) for n in range(3)], options={"concurrency": 1})
    assert list((await office.steps(run_id)).values()) == ["running", "pending", "pending"]


async def test_inputs_are_checked_and_have_defaults(office: Office) -> None:
    steps = [do("a", say="${{ inputs.size }}")]
    inputs = {"size": {"type": "integer", "default": 3}, "name": {"type": "string"}}
    assert (await office.run(steps, {"name": "n"}, inputs=inputs))["output"] == {"a": 3}
    with pytest.raises(InvalidInput, match="size: it is a text"):
        await office.workflows.start("w", {"name": "n", "size": "large"})
    with pytest.raises(InvalidInput, match="name: it is missing"):
        await office.workflows.start("w")
    with pytest.raises(NotFound):
        await office.workflows.start("nothing")


async def test_long_inputs_are_kept_beside_the_head(office: Office) -> None:
    result = await office.run(
        [do("a", say="${{ len(inputs.text) }}"), do("b", "a", say="${{ len(inputs.text) }}")],
        {"text": "x" * 50_000},
        inputs={"text": "string"},
    )
    assert result["output"] == {"b": 50_000}
    run_id = result["run_id"]
    assert len(str(await office.state(f"workflow:{run_id}"))) < 3_000


async def test_a_condition_that_does_not_hold_skips_the_step_and_nothing_else(office: Office) -> None:
    run_id = await office.begin(
        [
            do("look", say=5),
            do("large", when="steps.look.output > 9"),
            do("after", "large", say="${{ steps.large.output == null }}"),
        ]
    )
    await office.settle()
    assert await office.steps(run_id) == {"look": "completed", "large": "skipped", "after": "completed"}
    result = await office.workflows.result(run_id)
    assert (result["status"], result["output"]) == ("completed", {"after": True})
    assert (await office.workflows.status(run_id))["steps"]["large"]["error"] is None


async def test_branches_by_result(office: Office) -> None:
    steps = [
        do("check", say={"ok": True}),
        do("pay", when="steps.check.output.ok", say="paid"),
        do("refuse", when="not steps.check.output.ok", say="refused"),
    ]
    result = await office.run(steps, outputs={"what": "${{ steps.pay.output or steps.refuse.output }}"})
    assert result["output"] == {"what": "paid"}


async def test_what_depends_on_a_failed_step_is_skipped_and_the_rest_is_done(office: Office) -> None:
    steps = [do("bad", fail="broken"), do("next", "bad"), do("last", "next"), do("other"), do("beside", "other")]
    run_id = await office.begin(steps)
    await office.settle()
    assert await office.steps(run_id) == {
        "bad": "failed",
        "next": "skipped",
        "last": "skipped",
        "other": "completed",
        "beside": "completed",
    }
    status = await office.workflows.status(run_id)
    assert status["status"] == "failed"
    assert status["steps"]["last"]["error"] == SKIPPED_TEXT
    assert status["steps"]["bad"]["error"] == "broken"
    result = await office.workflows.result(run_id)
    assert (result["error"]["step"], result["error"]["message"]) == ("bad", "broken")


async def test_an_optional_step_may_fail(office: Office) -> None:
    steps = [do("try", optional=True, fail="no"), do("after", "try", say="${{ steps.try.status }}")]
    result = await office.run(steps)
    assert (result["status"], result["output"]) == ("completed", {"after": "failed"})


async def test_a_step_whose_expression_has_no_value_fails(office: Office) -> None:
    result = await office.run([do("a", say={"x": 1}), do("b", say="${{ steps.a.output.y }}")])
    assert result["status"] == "failed"
    assert "there is no 'y'" in result["error"]["message"]


async def test_an_agent_that_does_not_exist_fails_its_step(office: Office) -> None:
    result = await office.run([{"id": "a", "agent": "${{ inputs.who }}"}], {"who": "nobody"}, inputs={"who": "string"})
    assert result["error"]["code"] == "unknown_agent_type"


async def test_there_is_no_result_before_the_end(office: Office) -> None:
    run_id = await office.begin([do("a", hold=True)])
    with pytest.raises(NotAllowedNow) as refused:
        await office.workflows.result(run_id)
    assert refused.value.code == "run_not_finished"
    with pytest.raises(NotFound):
        await office.workflows.result("nothing")


async def test_a_run_is_shown_before_its_agent_woke(office: Office) -> None:
    workflow = await office.define([do("a")])
    run_id = await office.workflows.start(workflow.name)
    assert (await office.workflows.status(run_id))["status"] == "pending"
    runs, _ = await office.workflows.runs(status="pending")
    assert [run["id"] for run in runs] == [run_id]
    await office.settle()
    assert (await office.workflows.runs(status="pending"))[0] == []
    (run,), _ = await office.workflows.runs(workflow="w")
    assert (run["status"], run["progress"]) == ("completed", 1.0)


async def test_the_same_id_starts_one_run(office: Office) -> None:
    await office.define([do("a")])
    for _ in range(2):
        assert await office.workflows.start("w", run_id="mine") == "mine"
    await office.settle()
    assert len(await office.works()) == 1


async def test_a_run_keeps_the_version_it_was_started_with(office: Office) -> None:
    run_id = await office.begin([do("a", hold=True), do("b", "a", say="old")])
    await office.define([do("a"), do("b", "a", say="new")])
    await office.system.directory.send("hand", "let.go", 1)
    await office.settle()
    assert (await office.workflows.result(run_id))["output"] == {"b": "old"}


async def test_the_status_has_the_names_of_the_contract(office: Office) -> None:
    run_id = await office.begin([do("a"), do("b", "a", hold=True)], options={"metadata": {"for": "test"}})
    status = await office.workflows.status(run_id)
    assert {"workflow_id", "status", "created_at", "started_at", "completed_at", "steps", "metadata"} <= status.keys()
    assert status["metadata"] == {"for": "test"}
    assert {"status", "agent_id", "started_at", "completed_at", "error", "retry_count"} <= status["steps"]["a"].keys()
    progress = await office.workflows.progress(run_id)
    assert {name: progress[name] for name in ("total_steps", "completed_steps", "failed_steps", "running_steps")} == {
        "total_steps": 2,
        "completed_steps": 1,
        "failed_steps": 0,
        "running_steps": 1,
    }
    assert progress["progress_percentage"] == 50.0


async def test_whoever_started_a_run_is_told_of_its_progress_and_its_end(office: Office) -> None:
    parent = Parent(address="hand", note="mine")
    await office.run([do("a"), do("b", "a")], parent=parent, reply_to="queue:ended")
    state = await office.state("hand")
    told = [(one["step"], one["status"], one["progress"]) for one in state["told"]]
    assert told == [("a", "running", 0.0), ("a", "completed", 0.5), ("b", "running", 0.5), ("b", "completed", 0.99)]
    (ended,) = office.sent_to("ended")
    assert (ended["data"]["status"], ended["data"]["output"]) == ("completed", {"b": "b done"})


async def test_a_run_with_many_steps_tells_about_a_hundred_times(office: Office) -> None:
    await office.run([do(f"s{n}") for n in range(300)], parent=Parent(address="hand"))
    progress = [one["progress"] for one in (await office.state("hand"))["told"]]
    assert len(progress) <= 100
    assert progress == sorted(progress)


async def test_steps_are_listed_with_their_outputs_page_by_page(office: Office) -> None:
    result = await office.run([do(f"s{n}", say=n) for n in range(5)])
    first, cursor = await office.workflows.steps(result["run_id"], limit=3)
    rest, end = await office.workflows.steps(result["run_id"], limit=3, cursor=cursor)
    assert [step["output"] for step in [*first, *rest]] == [0, 1, 2, 3, 4]
    assert end is None


async def test_a_run_that_cannot_begin_has_failed(office: Office) -> None:
    start: dict[str, Any] = {"definition": "0" * 64, "name": "gone"}
    await office.system.directory.send("workflow:20260101-000000-x", "workflow.start", start)
    await office.settle()
    assert (await office.workflows.result("20260101-000000-x"))["error"]["code"] == "not_found"
