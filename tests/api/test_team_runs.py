"""Teams over HTTP: set to work, followed, read, listed, stopped; and stopped as a whole by an operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aos.kernel.errors import AlreadyExists, InvalidInput
from aos.workflows.teams.declared_teams import DeclaredTeams, read_teams
from tests.api.test_events import connect
from tests.harness import MemorySystem
from tests.workflows.teams.test_teams import member

TALK: dict[str, Any] = {
    "kind": "conversation",
    "members": [{"name": "a", "agent": "a"}, {"name": "b", "agent": "b", "role": "critic"}],
}


def world_of(folder: Path | None = None) -> MemorySystem:
    return MemorySystem(member("a", "one"), member("b", "two %APPR%"), folders=[str(folder)] if folder else [])


def declare(folder: Path, text: str) -> None:
    (folder / "authors.team.yaml").write_text(text)


async def test_a_team_is_shown_from_the_moment_it_is_set_to_work() -> None:
    world = world_of()
    async with connect(world) as api:
        started = await api.post("/team-runs", json={"definition": TALK, "task": "Write"})
        assert started.status_code == 202
        run = started.json()["id"]
        place = started.headers["Location"].removeprefix("/api/v1")
        assert (await api.get(place)).json()["status"] == "pending"
        assert (await api.get(f"{place}/result")).status_code == 409
        assert (await api.get(f"{place}/transcript")).json() == {"lines": [], "after": None}
        assert (await api.get(f"{place}/events")).json() == {"events": [], "after": "", "ended": False}
        await world.settle()
        shown = (await api.get(place)).json()
        assert (shown["status"], shown["reason"], shown["transcript_length"]) == ("completed", "approved", 2)
        assert shown["members"][1] == {"name": "b", "agent": "b", "role": "critic"}
        assert (await api.get(f"{place}/result")).json()["output"] == "two"
        page = (await api.get(f"{place}/transcript", params={"limit": 1})).json()
        assert ([line["content"] for line in page["lines"]], page["after"]) == (["one"], 1)
        rest = (await api.get(f"{place}/transcript", params={"after": 1})).json()
        assert [line["who"] for line in rest["lines"]] == ["b"]
        events = (await api.get(f"{place}/events")).json()
        assert [e["data"]["member"] for e in events["events"] if e["event"] == "team.said"] == ["a", "b"]
        assert events["ended"]
        listed = (await api.get("/team-runs", params={"status": "completed"})).json()["runs"]
        assert [(item["id"], item["reason"]) for item in listed] == [(run, "approved")]
        assert (await api.get("/team-runs", params={"status": "failed"})).json()["runs"] == []


async def test_a_declared_team_is_set_to_work_by_its_name(tmp_path: Path) -> None:
    declare(tmp_path, "kind: conversation\nmembers:\n  - {name: a, agent: a}\n  - {name: b, agent: b}\n")
    world = world_of(tmp_path)
    async with connect(world) as api:
        names = [team["name"] for team in (await api.get("/team-definitions")).json()["teams"]]
        assert names == ["authors"]
        run = (await api.post("/teams/authors/runs", json={"task": "Write", "limits": {"turns": 1}})).json()["id"]
        await world.settle()
        assert (await api.get(f"/team-runs/{run}")).json()["reason"] == "max_iterations_reached"


async def test_an_order_to_a_declared_team_goes_to_its_agents(tmp_path: Path) -> None:
    declare(tmp_path, "kind: conversation\nmembers:\n  - {name: a, agent: a}\n  - {name: b, agent: b}\n")
    world = world_of(tmp_path)
    async with connect(world) as api:
        assert (await api.get("/teams")).json() == {"teams": [{"team": "authors", "members": ["a", "b"]}]}
        assert (await api.delete("/teams/authors")).status_code == 409
        paused = (await api.post("/teams/authors/pause", json={"reason": "Holiday."})).json()
        assert {who: its["status"] for who, its in paused["members"].items()} == {"a": "paused", "b": "paused"}


async def test_a_team_is_stopped() -> None:
    world = MemorySystem(member("a", None))
    async with connect(world) as api:
        run = (
            await api.post("/team-runs", json={"definition": {**TALK, "members": TALK["members"][:1]}, "task": "x"})
        ).json()["id"]
        assert (await api.post(f"/team-runs/{run}/cancel")).status_code == 202
        await world.settle()
        assert (await api.get(f"/team-runs/{run}")).json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/teams/nobody/runs", {"task": "x"}, 404, "unknown_team"),
        ("/team-runs", {"task": "x", "definition": {"kind": "choir"}}, 422, "validation_error"),
        ("/team-runs", {"task": "", "definition": TALK}, 422, "validation_error"),
        ("/team-runs", {"task": "x", "definition": TALK, "limits": {"turns": 0}}, 422, "validation_error"),
        ("/team-runs/20260101-000000-x/cancel", None, 404, "not_found"),
    ],
)
async def test_what_cannot_be_done_is_refused(path: str, body: Any, status: int, code: str) -> None:
    async with connect(world_of()) as api:
        answer = await api.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (await api.get("/team-runs/nonsense")).status_code == 404


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", "declares nothing"),
        ("kind: [", "authors.team.yaml, line"),
        ("kind: choir", "authors.team.yaml: This is no team"),
    ],
)
def test_a_file_that_declares_no_team_is_named(tmp_path: Path, text: str, problem: str) -> None:
    declare(tmp_path, text)
    with pytest.raises(InvalidInput, match=problem):
        read_teams([tmp_path])


def test_two_teams_of_one_name_are_refused(tmp_path: Path) -> None:
    declare(tmp_path, "kind: handoff\nmembers: [{name: a, agent: a}]\n")
    teams = read_teams([tmp_path])
    with pytest.raises(AlreadyExists, match="two teams"):
        DeclaredTeams([*teams, *teams])
