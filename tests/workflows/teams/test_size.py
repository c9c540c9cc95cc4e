"""However much its members say, the state of a team stays small: what they say is in rows."""

from __future__ import annotations

from typing import Any

import pytest

from aos.agents import Agent
from aos.agents.work import Contribution
from tests.workflows.teams.test_teams import RUBRIC, member, vote, work

LONG = "word " * 40_000
SMALL = 3_000

JUDGED = {"kind": "judge", "producer": "a", "judge": "b", "rubric": RUBRIC, "tries": 2}
SCHEMA = {"json_schema": {"type": "object", "properties": {"text": {"maxLength": 5}}}}
TASKS = [{"id": f"t{number}", "description": LONG, "member": "a"} for number in range(3)]


def scores(_: Any) -> Contribution:
    return Contribution(content=LONG, scores={"kind": 0.4})


@pytest.mark.parametrize(
    ("definition", "agents"),
    [
        ({"kind": "conversation", "limits": {"turns": 30, "window": 100}}, (member("a", LONG), member("b", LONG))),
        ({"kind": "crew", "tasks": TASKS}, (member("a", LONG),)),
        ({"kind": "debate", "rounds": 1}, tuple(member(name, vote("a", LONG)) for name in "abc")),
        (JUDGED, (member("a", LONG), member("b", scores))),
        (
            {"kind": "judge", "producer": "a", "rubric": {"criteria": [{"name": "fits", "check": SCHEMA}]}, "tries": 2},
            (member("a", Contribution(content=LONG, data={"text": LONG})),),
        ),
        ({"kind": "boardroom"}, tuple(member(name, vote("approve", LONG)) for name in "abc")),
    ],
    ids=["conversation", "crew", "debate", "judge", "judge by schema", "boardroom"],
)
async def test_the_head_of_a_team_stays_small(definition: dict[str, Any], agents: tuple[Agent[Any], ...]) -> None:
    state = await work(definition, *agents, task=LONG, inputs={"text": LONG})
    kernel = state["world"].system.kernel
    head = await kernel.heads.read("team:t")
    assert state["result"]["transcript_length"] > 0
    assert len(head.state) < SMALL
    for entry in await kernel.journal.entries("team:t", after=0, limit=100):
        assert all(len(str(decision)) < 25_000 for decision in entry.decisions)
        assert len(str(entry.facts)) < SMALL
        assert len(str(entry.patch)) < SMALL


async def test_a_judge_is_shown_the_work_and_the_result_has_all_of_it() -> None:
    judge = member("b", scores)
    state = await work(JUDGED, member("a", LONG), judge)
    assert judge.heard["b"][0].context == {"work": LONG}  # type: ignore[attr-defined]
    assert state["result"]["output"] == LONG
    assert state["result"]["reason"] == "not_passed"
