"""Sagas: what completed steps did is undone, the latest first, each once, and the result tells what was not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.workflows.run.office import Office, do


@pytest.fixture
def office() -> Office:
    return Office()


def undo(**wants: Any) -> dict[str, Any]:
    return {"agent": "hand", "with": {"undo": True, **wants}}


def saga(*last: dict[str, Any], **wants: Any) -> list[dict[str, Any]]:
    """Book a flight, a hotel and a car, one after another."""
    return [
        do("flight", say="f1", compensate=undo(what="${{ steps.flight.output }}")),
        do("hotel", "flight", say="h1", compensate=undo(what="${{ steps.hotel.output }}", **wants)),
        do("car", "hotel", say="c1"),
        *last,
    ]


async def undone(office: Office) -> list[str]:
    return [work["step"] for work in await office.works() if work["parameters"].get("undo")]


async def test_completed_steps_are_undone_the_latest_first(office: Office) -> None:
    run_id = await office.begin(saga(do("pay", "car", fail="no money")), on_failure="compensate")
    await office.settle()
    result = await office.workflows.result(run_id)
    assert (result["status"], result["error"]["message"]) == ("compensated", "no money")
    assert (result["compensated"], result["not_compensated"]) == (["hotel", "flight"], [])
    assert await undone(office) == ["hotel", "flight"]
    works = await office.works()
    assert [work["parameters"]["what"] for work in works if work["parameters"].get("undo")] == ["h1", "f1"]
    assert len({work["idempotency_key"] for work in works}) == len(works)
    assert works[-1]["results"] == {"flight": "f1"}
    assert await office.steps(run_id) == {
        "flight": "compensated",
        "hotel": "compensated",
        "car": "completed",
        "pay": "failed",
    }


async def test_a_compensation_is_tried_again(office: Office) -> None:
    result = await office.run(saga(do("pay", "car", fail="no"), flaky=2), on_failure="compensate")
    assert result["status"] == "compensated"
    assert await undone(office) == ["hotel", "hotel", "hotel", "flight"]


async def test_what_could_not_be_undone_is_named_and_the_rest_is_undone(office: Office) -> None:
    result = await office.run(saga(do("pay", "car", fail="no"), fail="gone", terminal=True), on_failure="compensate")
    assert (result["status"], result["error"]["code"]) == ("failed", "compensation_incomplete")
    assert "hotel" in result["error"]["message"]
    assert result["compensated"] == ["flight"]
    assert result["not_compensated"] == [{"step": "hotel", "reason": "gone"}]
    assert result["error"]["details"]["cause"]["message"] == "no"


async def test_nothing_is_undone_unless_the_workflow_says_so(office: Office) -> None:
    result = await office.run(saga(do("pay", "car", fail="no")))
    assert result["status"] == "failed"
    assert await undone(office) == []


async def test_where_nothing_was_done_nothing_is_undone(office: Office) -> None:
    result = await office.run([do("a", fail="no", compensate=undo())], on_failure="compensate")
    assert result["status"] == "failed"
    assert await undone(office) == []


async def test_cancelling_a_saga_undoes_it(office: Office) -> None:
    run_id = await office.begin(saga({"id": "rest", "needs": ["car"], "wait": {"for": "1d"}}), on_failure="compensate")
    assert await office.workflows.cancel(run_id, "changed my mind")
    await office.settle()
    result = await office.workflows.result(run_id)
    assert (result["status"], result["error"]["message"]) == ("cancelled", "changed my mind")
    assert result["compensated"] == ["hotel", "flight"]


async def test_an_answer_under_way_is_waited_for_and_undone(office: Office) -> None:
    steps = [do("slow", hold=True, compensate=undo()), do("bad", hold=True)]
    run_id = await office.begin(steps, on_failure="compensate")
    await office.workflows.cancel(run_id)
    await office.settle(until=timedelta(minutes=1))
    assert (await office.workflows.status(run_id))["status"] == "compensating"
    for _ in steps:
        await office.system.directory.send("hand", "let.go", "done")
    await office.settle(until=timedelta(minutes=1))
    result = await office.workflows.result(run_id)
    assert (result["status"], result["compensated"]) == ("cancelled", ["slow"])


async def test_what_may_have_been_done_is_named_where_no_answer_comes(office: Office) -> None:
    run_id = await office.begin([do("slow", silent=True, compensate=undo())], on_failure="compensate")
    await office.workflows.cancel(run_id)
    await office.settle()
    result = await office.workflows.result(run_id)
    assert (result["status"], result["error"]["code"]) == ("failed", "compensation_incomplete")
    assert [left["step"] for left in result["not_compensated"]] == ["slow"]
    assert await undone(office) == []


async def test_a_saga_undoes_what_was_done_side_by_side_in_the_order_of_completion(office: Office) -> None:
    steps = [do(id, hold=True, compensate=undo()) for id in ("a", "b", "c")]
    await office.begin([*steps, do("bad", "a", "b", "c", fail="no")], on_failure="compensate")
    for word in "xyz":
        await office.system.directory.send("hand", "let.go", word)
    await office.settle()
    assert await undone(office) == ["c", "b", "a"]


async def test_a_tool_may_undo(office: Office) -> None:
    steps = [
        do("add", say=3, compensate={"tool": "calculator", "with": {"expression": "3 - 3"}}),
        do("bad", "add", fail="no"),
    ]
    assert (await office.run(steps, on_failure="compensate"))["compensated"] == ["add"]


async def test_a_saga_with_many_steps_goes_on_over_turns(office: Office) -> None:
    plain = [do(f"s{n}", *(() if n == 0 else (f"s{n - 1}",)), compensate=undo()) for n in range(40)]
    result = await office.run([*plain, do("bad", "s39", fail="no")], on_failure="compensate")
    assert result["compensated"] == [f"s{n}" for n in reversed(range(40))]


async def test_a_map_that_was_cut_off_is_named(office: Office) -> None:
    steps: list[dict[str, Any]] = [
        {"id": "all", "map": {"over": [1], "step": {"agent": "hand", "with": {"silent": True}}}, "compensate": undo()},
        do("bad", hold=True),
    ]
    run_id = await office.begin(steps, on_failure="compensate")
    await office.workflows.cancel(run_id)
    await office.settle()
    assert [left["step"] for left in (await office.workflows.result(run_id))["not_compensated"]] == ["all"]


async def test_a_step_that_may_have_been_done_too_late_is_named(office: Office) -> None:
    steps = [do("a", compensate=undo()), do("slow", "a", silent=True, timeout="1m", compensate=undo())]
    result = await office.run(steps, on_failure="compensate")
    assert (result["status"], result["compensated"]) == ("failed", ["a"])
    assert [left["step"] for left in result["not_compensated"]] == ["slow"]
    assert result["error"]["details"]["cause"]["code"] == "deadline_exceeded"
