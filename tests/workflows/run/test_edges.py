"""What goes wrong before a call is made, what comes twice or at the wrong time, and waits within maps and loops."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aos.kernel.errors import InvalidInput, NotAllowedNow
from aos.workflows.definition.workflow import Workflow
from tests.workflows.run.office import Office, do

SECOND = timedelta(seconds=1)


@pytest.fixture
def office() -> Office:
    return Office()


async def test_cancelling_ends_maps_and_loops_under_way(office: Office) -> None:
    hold = {"agent": "hand", "with": {"hold": True}}
    steps: list[dict[str, Any]] = [
        {"id": "all", "map": {"over": [1, 2, 3], "step": hold, "concurrency": 2}, "timeout": "1h"},
        {"id": "again", "loop": {"step": hold}, "timeout": "1h"},
    ]
    run_id = await office.begin(steps)
    await office.workflows.cancel(run_id)
    await office.settle()
    state = await office.state(f"workflow:{run_id}")
    assert (state["status"], state["calls"], state["fans"], state["rounds"]) == ("cancelled", {}, {}, {})
    assert len(await office.works()) == 3


async def test_each_item_may_wait_for_an_event_of_its_own(office: Office) -> None:
    wait = {"wait": {"event": {"topic": "paid", "where": "event.order == item"}}}
    run_id = await office.begin([{"id": "all", "map": {"over": ["a", "b"], "step": wait}}])
    await office.workflows.event(run_id, "paid", {"order": "b"})
    await office.settle(until=SECOND)
    items, _ = await office.workflows.items(run_id, "all")
    assert [item["index"] for item in items] == [1]
    await office.workflows.respond(run_id, "all[0]", "by hand", by="anna")
    await office.settle(until=SECOND)
    assert (await office.workflows.result(run_id))["output"] == {"all": ["by hand", {"order": "b"}]}


async def test_a_round_may_wait_for_an_event(office: Office) -> None:
    wait = {"wait": {"event": {"topic": "tick", "where": "event > (last or 0)"}}}
    run_id = await office.begin([{"id": "again", "loop": {"step": wait, "until": "last > 1"}}])
    for tick in (1, 1, 2):
        await office.workflows.event(run_id, "tick", tick)
        await office.settle(until=SECOND)
    assert (await office.workflows.result(run_id))["output"] == {"again": 2}


async def test_a_run_is_started_once(office: Office) -> None:
    run_id = await office.begin([do("a", hold=True)])
    state = await office.state(f"workflow:{run_id}")
    await office.system.directory.send(f"workflow:{run_id}", "workflow.start", state["request"])
    await office.settle(until=SECOND)
    (letter,), _ = await office.system.kernel.dead_letters.page()
    assert letter.error["code"] == "run_exists"
    assert (await office.workflows.status(run_id))["status"] == "running"


async def test_an_id_must_be_one(office: Office) -> None:
    await office.define([do("a")])
    with pytest.raises(InvalidInput):
        await office.workflows.start("w", run_id="not an id")


async def test_a_run_that_could_not_begin_cannot_be_done_again(office: Office) -> None:
    workflow = await office.define([do("a")], inputs={"n": "integer"})
    start: dict[str, Any] = {"definition": workflow.digest, "name": "w", "inputs": {"n": "x"}}
    await office.system.directory.send("workflow:r", "workflow.start", start)
    await office.settle()
    assert (await office.workflows.result("r"))["error"]["code"] == "inputs_invalid"
    await office.workflows.rerun("r", "a")
    await office.settle()
    (letter,), _ = await office.system.kernel.dead_letters.page()
    assert letter.error["code"] == "run_not_begun"


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ({"wait": {"until": "inputs.word"}}, "is not a time"),
        ({"wait": {"approval": {"prompt": "${{ inputs.empty }}"}}}, "prompt"),
        ({"wait": {"event": {"topic": "${{ inputs.number }}"}}}, "must give a text"),
        ({"agent": "${{ inputs.number }}"}, "must give a text"),
        ({"team": "nobody", "with": {"task": "x"}}, "no team"),
        ({"map": {"over": [1], "step": {"agent": "hand", "with": {"say": "${{ item.x }}"}}}}, "no 'x'"),
        ({"loop": {"step": {"agent": "hand", "with": {"say": "${{ last.x }}"}}}}, "no 'x'"),
        ({"loop": {"step": {"agent": "hand"}, "while": "last.x"}}, "no 'x'"),
        ({"agent": "hand", "when": "inputs.number.x"}, "no 'x'"),
        ({"map": {"over": {"artifact": "${{ inputs.word }}"}, "step": {"agent": "hand"}}}, "not an artifact"),
    ],
)
async def test_a_step_that_cannot_begin_fails_and_says_why(office: Office, step: dict[str, Any], problem: str) -> None:
    inputs = {"word": "string", "number": "integer", "empty": "string"}
    given = {"word": "soon", "number": 3, "empty": ""}
    steps = [{"id": "a", **step}, do("b", "a")]
    # What is there when it is defined may be gone when it runs, so names are not looked at here.
    workflow = Workflow.from_json({"name": "w", "inputs": inputs, "steps": steps})
    await office.system.definitions.put(workflow)
    run_id = await office.workflows.start("w", given)
    await office.settle()
    result = await office.workflows.result(run_id)
    assert result["status"] == "failed"
    assert problem in result["error"]["message"]
    assert result["error"]["step"] == "a"


async def test_outputs_without_a_value_fail_the_run(office: Office) -> None:
    result = await office.run([do("a", say={"x": 1})], outputs={"y": "${{ steps.a.output.y }}"})
    assert (result["status"], result["error"]["code"]) == ("failed", "expression_name")


async def test_a_compensation_that_cannot_begin_is_named(office: Office) -> None:
    undo = {"agent": "hand", "with": {"undo": "${{ steps.a.output.gone }}"}}
    result = await office.run([do("a", say={}, compensate=undo), do("b", "a", fail="no")], on_failure="compensate")
    assert result["error"]["code"] == "compensation_incomplete"
    assert [left["step"] for left in result["not_compensated"]] == ["a"]


async def test_a_long_chain_of_steps_that_are_skipped_goes_on_over_turns(office: Office) -> None:
    chain = [do(f"s{n}", *([f"s{n - 1}"] if n else []), when="false") for n in range(60)]
    result = await office.run([*chain, do("last", "s59")])
    assert result["output"] == {"last": "last done"}


async def test_a_message_about_a_run_that_was_never_started_is_a_dead_letter(office: Office) -> None:
    await office.system.directory.send("workflow:none", "workflow.rerun", {"from_step": "a"})
    await office.system.directory.send("workflow:none", "workflow.cancel", {})
    await office.system.directory.send("workflow:none", "workflow.event", {"topic": "x"})
    await office.settle()
    letters, _ = await office.system.kernel.dead_letters.page()
    assert [letter.error["code"] for letter in letters] == ["unknown_run"]


async def test_a_run_that_has_not_begun_cannot_be_steered_yet(office: Office) -> None:
    await office.define([do("a")])
    run_id = await office.workflows.start("w")
    with pytest.raises(NotAllowedNow) as refused:
        await office.workflows.rerun(run_id, "a")
    assert refused.value.code == "run_not_begun"
    assert (await office.workflows.progress(run_id))["status"] == "pending"
    assert await office.workflows.cancel(run_id)
    await office.settle()
    assert (await office.workflows.result(run_id))["status"] == "cancelled"


async def test_a_deadline_ends_a_saga_by_undoing_it(office: Office) -> None:
    undo = {"agent": "hand", "with": {"undo": True}}
    steps = [do("a", compensate=undo), {"id": "rest", "needs": ["a"], "wait": {"for": "1d"}}]
    result = await office.run(steps, on_failure="compensate", timeout="1h")
    assert (result["status"], result["error"]["code"]) == ("compensated", "deadline_exceeded")
