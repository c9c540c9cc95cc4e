"""`aos team run`, `runs`, `show`, `transcript`, `cancel`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from aos.agents import Agent
from aos.api.app import create_app
from aos.cli import running
from aos.cli.client import Client, Endpoint
from aos.cli.commands import app
from tests.harness import MemorySystem
from tests.workflows.teams.test_teams import member, refuse, vote

TALK = "kind: conversation\nmembers:\n  - {name: writer, agent: writer}\n  - {name: critic, agent: critic}\n"


class Terminal:
    """Runs commands against a system that is at work meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.world = MemorySystem()

    def open(self, *agents: Agent[Any], folder: Path | None = None, is_at_work: bool = True) -> None:
        """Have a system of these agents; one that is not at work takes orders, and does nothing."""
        self.world = MemorySystem(*agents, folders=[str(folder)] if folder else [])

        async def settle(_: httpx.Request) -> None:
            if is_at_work:
                await self.world.settle()

        @asynccontextmanager
        async def connect(endpoint: Endpoint) -> AsyncIterator[Client]:
            transport = httpx.ASGITransport(create_app(self.world.system))
            async with httpx.AsyncClient(transport=transport, event_hooks={"request": [settle]}) as http:
                yield Client(endpoint, http)

        self._monkeypatch.setattr(running, "connect", connect)

    def __call__(self, *words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, ["team", *words], env={"COLUMNS": "200", "NO_COLOR": "1"})
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code).stdout)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    monkeypatch.chdir(tmp_path)
    for name in ("AOS_URL", "AOS_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "authors.team.yaml").write_text(TALK)
    return Terminal(monkeypatch)


def authors() -> tuple[Agent[Any], Agent[Any]]:
    return member("writer", "Draft [one].", "Draft two."), member("critic", "Too long.", "Good. %APPR%")


def test_a_team_of_a_file_is_set_to_work_and_listened_to(terminal: Terminal) -> None:
    terminal.open(*authors())
    shown = terminal("run", "authors.team.yaml", "Write a line").stdout
    said = [line for line in shown.splitlines() if line.startswith(("writer", "critic"))]
    assert said == ["writer: Draft [one].", "critic: Too long.", "writer: Draft two.", "critic: Good. %APPR%"]
    assert "approved" in shown
    assert "completed" in shown
    [run] = terminal.json("runs")["runs"]
    assert run["id"] in shown
    assert (run["name"], run["kind"], run["status"], run["task"]) == (
        "authors",
        "conversation",
        "completed",
        "Write a line",
    )


def test_a_declared_team_is_set_to_work_by_its_name(terminal: Terminal, tmp_path: Path) -> None:
    terminal.open(*authors(), folder=tmp_path)
    shown = terminal.json("run", "authors", "Write", "--inputs", '{"about": "spring"}')
    assert (shown["status"], shown["result"]["output"]) == ("completed", "Good.")
    assert shown["inputs"] == {"about": "spring"}
    assert "There is no team 'nobody'" in terminal("run", "nobody", "Write", code=1).output


def test_a_team_that_comes_to_nothing_ends_with_code_1(terminal: Terminal) -> None:
    terminal.open(*authors())
    shown = terminal("run", "authors.team.yaml", "Write", "--limits", '{"turns": 1}', code=1).stdout
    assert "max_iterations_reached" in shown
    run = terminal.json("runs", "--status", "failed")["runs"][0]["id"]
    assert terminal.json("show", run, code=1)["reason"] == "max_iterations_reached"


def test_who_does_not_contribute_is_named(terminal: Terminal) -> None:
    terminal.open(member("writer", refuse), member("critic", "Fine. %APPR%"))
    assert "writer did not contribute: I will not." in terminal("run", "authors.team.yaml", "Write").stdout


def test_nobody_has_to_listen(terminal: Terminal) -> None:
    terminal.open(*authors())
    started = terminal.json("run", "authors.team.yaml", "Write", "--no-watch")
    assert started["status"] == "pending"
    shown = terminal("show", started["id"]).stdout
    assert "completed" in shown
    assert "Good." in shown


def test_what_was_said_is_read_page_by_page(terminal: Terminal) -> None:
    terminal.open(*authors())
    run = terminal.json("run", "authors.team.yaml", "Write")["id"]
    page = terminal("transcript", run, "--limit", "3").stdout
    assert page.splitlines() == ["writer: Draft [one].", "critic: Too long.", "writer: Draft two.", "More: --after 3"]
    assert terminal("transcript", run, "--after", "3").stdout.splitlines() == ["critic: Good. %APPR%"]
    assert terminal("transcript", run, "--after", "4").stdout.splitlines() == ["Nothing more was said yet."]
    assert [line["who"] for line in terminal.json("transcript", run)["lines"]] == ["writer", "critic"] * 2


def test_votes_are_shown_with_what_is_said(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "board.team.json").write_text(
        json.dumps({"kind": "boardroom", "members": [{"name": "writer", "agent": "writer"}]})
    )
    terminal.open(member("writer", vote("approve", "We need it.")))
    assert "writer (votes approve): We need it." in terminal("run", "board.team.json", "Buy it?").stdout


def test_a_team_is_stopped(terminal: Terminal) -> None:
    terminal.open(member("writer", None), member("critic", "x"), is_at_work=False)
    run = terminal.json("run", "authors.team.yaml", "Write", "--no-watch")["id"]
    assert f"Team {run} was asked to stop." in terminal("cancel", run).stdout
    assert terminal.json("cancel", run) == {"id": run, "status": "cancelling"}
    assert "Nothing was said yet." in terminal("transcript", run).stdout
    asyncio.run(terminal.world.settle())
    shown = terminal("show", run, code=1).stdout
    assert "cancelled" in shown
    assert "cancelled on request" in shown


def test_lists_go_on_where_they_ended(terminal: Terminal) -> None:
    terminal.open(*authors())
    assert "No team was set to work" in terminal("runs").stdout
    for task in ("First", "Second"):
        terminal.world.clock.advance(60)
        terminal("run", "authors.team.yaml", task)
    shown = terminal("runs", "--limit", "1").stdout
    assert "Second" in shown
    assert "First" not in shown
    cursor = shown.split("More: --cursor ")[1].strip()
    assert "First" in terminal("runs", "--cursor", cursor).stdout


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("run", "authors.team.yaml", "x", "--inputs", "[1]"), 2, "is no JSON object"),
        (("run", "authors.team.yaml", "x", "--limits", "{"), 2, "is not JSON"),
        (("run", "odd.team.yaml", "x"), 2, "This is no team"),
        (("run", "authors.team.yaml", "x", "--limits", '{"turns": 0}'), 1, "limits.turns"),
        (("show", "nonsense"), 1, "There is no team 'nonsense'"),
        (("transcript", "nonsense"), 1, "There is no team 'nonsense'"),
        (("cancel", "nonsense"), 1, "There is no team 'nonsense'"),
        (("runs", "--status", "lost"), 1, "status"),
    ],
)
def test_what_cannot_be_done_is_said(
    terminal: Terminal, tmp_path: Path, words: tuple[str, ...], code: int, problem: str
) -> None:
    (tmp_path / "odd.team.yaml").write_text("kind: choir\n")
    terminal.open(*authors())
    assert problem in terminal(*words, code=code).output.replace("\n", " ")
