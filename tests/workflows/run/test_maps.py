"""Maps: one thing done for each item of a list."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from aos.workflows.messages import Parent
from tests.workflows.run.office import Office, do


@pytest.fixture
def office() -> Office:
    return Office()


def each(over: Any, step: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    own: dict[str, Any] = {name: more.pop(name) for name in ("retry", "timeout", "optional") if name in more}
    action = step or {"agent": "hand", "with": {"say": "${{ item * 2 }}"}}
    return {"id": "all", "map": {"over": over, "step": action, **more}, **own}


async def test_each_item_is_done_and_the_output_has_their_order(office: Office) -> None:
    result = await office.run(
        [do("list", say=[1, 2, 3]), each("steps.list.output"), do("sum", say="${{ sum(steps.all.output) }}")]
    )
    assert result["output"] == {"sum": 12}
    items, _ = await office.workflows.items(result["run_id"], "all")
    assert [(item["index"], item["status"], item["output"]) for item in items] == [
        (0, "completed", 2),
        (1, "completed", 4),
        (2, "completed", 6),
    ]


async def test_an_empty_list_is_done_at_once(office: Office) -> None:
    assert (await office.run([each([])]))["output"] == {"all": []}


async def test_items_are_done_side_by_side_as_far_as_allowed(office: Office) -> None:
    run_id = await office.begin([each(list(range(5)), {"agent": "hand", "with": {"hold": True}}, concurrency=2)])
    assert len((await office.state("hand"))["held"]) == 2
    await office.system.directory.send("hand", "let.go", "x")
    await office.settle(until=timedelta(0))
    assert len(await office.works()) == 3
    status = await office.workflows.status(run_id)
    assert status["steps"]["all"]["items"] == {"total": 5, "done": 1, "failed": 0}
    assert status["progress"] == 0.2


async def test_the_first_failure_ends_a_map(office: Office) -> None:
    step = {"agent": "hand", "with": {"fail": "${{ 'bad' if item == 2 else '' }}"}}
    run_id = await office.begin([each([1, 2, 3], step, concurrency=1), do("after", "all")])
    await office.settle()
    result = await office.workflows.result(run_id)
    assert (result["error"]["message"], result["error"]["details"]["index"]) == ("bad", 1)
    assert len(await office.works()) == 2
    assert await office.steps(run_id) == {"all": "failed", "after": "skipped"}


@pytest.mark.parametrize(("rule", "expected"), [("skip", ["ok", "ok"]), ("collect", ["ok", "bad", "ok"])])
async def test_failed_items_are_left_out_or_collected(office: Office, rule: str, expected: list[str]) -> None:
    step = {"agent": "hand", "with": {"fail": "${{ 'bad' if item == 2 else '' }}", "say": "ok"}}
    result = await office.run([each([1, 2, 3], step, on_item_failure=rule)])
    output = result["output"]["all"]
    assert [item if isinstance(item, str) else item["error"]["message"] for item in output] == expected


async def test_more_failures_than_tolerated_fail_the_map(office: Office) -> None:
    step = {"agent": "hand", "with": {"fail": "${{ 'bad' if item < 3 else '' }}"}}
    result = await office.run([each([1, 2, 3, 4], step, on_item_failure="skip", tolerate=0.25)])
    assert result["error"]["code"] == "too_many_items_failed"
    again = await office.run([each([1, 2, 3, 4], step, on_item_failure="skip", tolerate=0.5)], name="more")
    assert again["status"] == "completed"


async def test_an_item_is_tried_again(office: Office) -> None:
    step = {"agent": "hand", "with": {"flaky": "${{ item }}", "say": 1}, "retry": {"attempts": 3}}
    result = await office.run([each([0, 2], step)])
    assert result["output"] == {"all": [1, 1]}
    assert len(await office.works()) == 4


async def test_a_map_is_tried_again_as_a_whole(office: Office) -> None:
    step = {"agent": "hand", "with": {"silent": True}}
    result = await office.run([each([1], step, timeout="1m", retry={"attempts": 2})])
    assert (result["error"]["code"], result["duration_seconds"]) == ("step_timeout", 121)
    assert len(await office.works()) == 2


async def test_what_it_goes_over_must_be_a_list(office: Office) -> None:
    result = await office.run([do("list", say=3), each("steps.list.output")])
    assert "must give a list" in result["error"]["message"]


async def test_items_of_an_artifact(office: Office) -> None:
    lines = "\n".join(json.dumps(n) for n in range(120)).encode()
    artifact = await office.system.artifacts.put("lines.jsonl", lines)
    result = await office.run(
        [each({"artifact": "${{ inputs.file }}"})], {"file": artifact.id}, inputs={"file": "string"}
    )
    assert result["output"] == {"all": [2 * n for n in range(120)]}


async def test_a_map_within_a_map(office: Office) -> None:
    inner = {
        "map": {
            "over": "item",
            "as": "cell",
            "step": {"agent": "hand", "with": {"say": "${{ cell + inputs.by + index }}"}},
        }
    }
    result = await office.run([each([[1, 2], [], [3]], inner)], {"by": 10}, inputs={"by": "integer"})
    assert result["output"] == {"all": [[11, 13], [], [13]]}


async def test_each_item_in_a_run_of_another_workflow(office: Office) -> None:
    await office.define([do("twice", say="${{ inputs.n * 2 }}")], name="double", inputs={"n": "integer"})
    step = {"workflow": "double", "with": {"n": "${{ item }}"}}
    assert (await office.run([each([1, 2], step)]))["output"] == {"all": [{"twice": 2}, {"twice": 4}]}


async def test_no_more_items_than_the_run_allows(office: Office) -> None:
    run_id = await office.begin([each(list(range(9)), {"agent": "hand", "with": {"hold": True}})], concurrency=3)
    assert len(await office.works()) == 3
    assert len((await office.state(f"workflow:{run_id}"))["calls"]) == 3


async def test_a_map_tells_how_far_it_is(office: Office) -> None:
    await office.run([each([1, 2, 3, 4])], parent=Parent(address="hand"))
    told = [one["progress"] for one in (await office.state("hand"))["told"]]
    assert told == [0.0, 0.25, 0.5, 0.75, 0.99, 0.99]
