"""What the page on teams shows are teams, and its agent is a member."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from aos.workflows.teams.definition import parse_team
from tests.test_docs import snippets
from tests.workflows.teams.test_teams import member, work

PAGE = Path(__file__).parents[3] / "docs" / "teams.md"
SHOWN = [*map(yaml.safe_load, snippets(PAGE, "yaml")), *map(json.loads, snippets(PAGE, "json"))]


@pytest.mark.parametrize("definition", SHOWN, ids=lambda definition: str(definition["kind"]))
def test_a_team_that_is_shown_is_one(definition: dict[str, Any]) -> None:
    parse_team(definition)


def test_every_kind_is_shown() -> None:
    assert {shown["kind"] for shown in SHOWN} == {"conversation", "handoff", "hybrid", "debate", "judge", "boardroom"}


async def test_the_agent_that_is_shown_contributes() -> None:
    names: dict[str, Any] = {"__name__": "teams"}
    for code in snippets(PAGE, "python"):
        exec(compile(code, "teams.md", "exec", dont_inherit=True), names)
    result = (await work({"kind": "conversation"}, member("writer", "word " * 21, "Spring."), names["Critic"]()))[
        "result"
    ]
    assert [line["content"] for line in result["messages"]][1:] == ["Shorter, please.", "Spring.", "Good. %APPR%"]
    assert result["approved"]
    result = (await work({"kind": "boardroom"}, names["Critic"]()))["result"]
    assert result["output"]["outcome"] == "approve"
