"""Loops: one or more steps done again and again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.run.office import Office, do


@pytest.fixture
def office() -> Office:
    return Office()


def again(step: dict[str, Any] | None = None, *, while_: str | None = None, **more: Any) -> dict[str, Any]:
    own: dict[str, Any] = {name: more.pop(name) for name in ("retry", "timeout") if name in more}
    body = (
        {"steps": more.pop("steps")}
        if "steps" in more
        else {"step": step or {"agent": "hand", "with": {"say": "${{ index }}"}}}
    )
    condition = {} if while_ is None else {"while": while_}
    return {"id": "again", "loop": {**body, **condition, **more}, **own}


async def test_until_the_output_is_good_enough(office: Office) -> None:
    assert (await office.run([again(until="last == 2")]))["output"] == {"again": 2}
    assert len(await office.works()) == 3


async def test_while_it_holds(office: Office) -> None:
    assert (await office.run([again(while_="index < 2")]))["output"] == {"again": 1}
    assert (await office.run([again(while_="false")], name="never"))["output"] == {"again": None}


async def test_at_most_so_many_rounds(office: Office) -> None:
    assert (await office.run([again(until="false", most=4)]))["output"] == {"again": 3}


async def test_each_round_has_what_the_one_before_came_to(office: Office) -> None:
    step = {"agent": "hand", "with": {"say": "${{ (last or 1) * 2 }}"}}
    assert (await office.run([again(step, until="last > 30")]))["output"] == {"again": 32}


async def test_several_steps_in_a_round(office: Office) -> None:
    steps = [
        do("draft", say="${{ (last or '') + 'x' }}"),
        do("never", when="false"),
        do("check", say="${{ steps.draft.output + inputs.mark }}"),
    ]
    result = await office.run([again(steps=steps, until="len(last) > 5")], {"mark": "!"}, inputs={"mark": "string"})
    assert result["output"] == {"again": "x!x!x!"}


async def test_a_round_is_tried_again_and_a_failed_one_ends_the_loop(office: Office) -> None:
    step = {"agent": "hand", "with": {"flaky": 1, "say": 1}, "retry": {"attempts": 2}}
    assert (await office.run([again(step, until="index == 1")]))["status"] == "completed"
    result = await office.run([again({"agent": "hand", "with": {"fail": "no"}})], name="bad")
    assert (result["status"], result["error"]["message"]) == ("failed", "no")


async def test_a_failed_step_of_a_round_ends_the_loop(office: Office) -> None:
    result = await office.run([again(steps=[do("good"), do("bad", fail="no"), do("after")])])
    assert (result["error"]["message"], result["error"]["step"]) == ("no", "again")
    assert [work["step"] for work in await office.works()] == ["good", "bad"]


async def test_a_loop_for_each_item_of_a_map(office: Office) -> None:
    loop = {"loop": {"step": {"agent": "hand", "with": {"say": "${{ item + index }}"}}, "until": "last >= item + 2"}}
    result = await office.run([{"id": "all", "map": {"over": [10, 20], "step": loop}}])
    assert result["output"] == {"all": [12, 22]}


async def test_a_condition_without_a_value_fails_the_loop(office: Office) -> None:
    result = await office.run([again(until="last.done")])
    assert result["status"] == "failed"


async def test_a_loop_takes_too_long(office: Office) -> None:
    step = {"wait": {"for": "1h"}}
    result = await office.run([again(step, timeout="150m")])
    assert (result["error"]["code"], result["duration_seconds"]) == ("step_timeout", 9000)
