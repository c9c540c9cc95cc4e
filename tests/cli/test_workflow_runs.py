"""Runs of workflows on the command line: started, watched, listed, steered, answered."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from aos.api.app import create_app
from aos.cli import running
from aos.cli.client import Client, Endpoint
from aos.cli.run_watch import RunWatch
from tests.cli.test_commands import Terminal
from tests.workflows.run.office import Office, do

TEXT = """\
inputs: {topic: string, pages: integer}
steps:
  - {id: look, agent: hand, title: Look it up, with: {say: "${{ inputs.topic }}"}}
  - {id: write, agent: hand, with: {say: {pages: "${{ inputs.pages }}"}}, needs: [look]}
  - id: send
    needs: [write]
    map: {over: "[1, 2]", step: {agent: hand, with: {say: "${{ item }}"}}}
"""


class Carried(httpx.ASGITransport):
    """Carries the messages of the system about before each request, as hosts would at the same time."""

    def __init__(self, world: Office) -> None:
        super().__init__(create_app(world.system))
        self._world = world

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._world.settle(until=timedelta(0))
        return await super().handle_async_request(request)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, office: Office) -> Terminal:
    monkeypatch.chdir(tmp_path)
    for name in ("AOS_URL", "AOS_KEY"):
        monkeypatch.delenv(name, raising=False)

    @asynccontextmanager
    async def connect(endpoint: Endpoint) -> AsyncIterator[Client]:
        async with httpx.AsyncClient(transport=Carried(office)) as http:
            yield Client(endpoint, http)

    monkeypatch.setattr(running, "connect", connect)
    Path("report.workflow.yaml").write_text(TEXT)
    return Terminal(office)


def begin(terminal: Terminal, steps: list[dict[str, Any]]) -> str:
    Path("w.workflow.json").write_text(json.dumps({"steps": steps}))
    return str(terminal.json("workflow", "run", "w.workflow.json")["id"])


def test_a_file_is_run_and_watched(terminal: Terminal) -> None:
    words = ("workflow", "run", "report.workflow.yaml", "--input", "topic=7", "--input", "pages=3", "--watch")
    shown = terminal(*words).stdout
    assert "Look it up (hand) completed" in shown
    assert "send (hand) completed" in shown
    assert "report completed" in shown
    assert '"send"' in shown
    [run] = terminal.json("workflow", "runs", "--workflow", "report")["runs"]
    result = terminal.json("workflow", "result", run["id"])
    assert (result["status"], result["output"]) == ("completed", {"send": [1, 2]})
    steps = terminal.json("workflow", "status", run["id"])["steps"]
    assert steps["look"]["status"] == "completed"
    works = asyncio.run(terminal.world.state("hand"))["works"]
    assert works[0]["inputs"] == {"topic": "7", "pages": 3}


def test_a_run_is_started_by_name_once_for_a_key_and_listed(terminal: Terminal) -> None:
    terminal("workflow", "put", "report.workflow.yaml")
    words = ("workflow", "run", "report", "--inputs", '{"topic": "x", "pages": 1}', "--idempotency-key", "k")
    assert "was started" in terminal(*words).stdout
    assert terminal.json(*words)["repeated"]
    assert terminal("workflow", "runs", "--status", "completed").stdout.count("report") == 1
    assert "There are no runs" in terminal("workflow", "runs", "--status", "failed").stdout
    assert "inputs_invalid" in terminal("workflow", "run", "report", code=1).output
    assert "is not name=value" in terminal("workflow", "run", "report", "--input", "x", code=2).output
    assert "is not JSON" in terminal("workflow", "run", "report", "--inputs", "{", code=2).output


def test_a_run_that_fails_ends_with_exit_code_1(terminal: Terminal) -> None:
    run = begin(terminal, [do("a", fail="Out of ink", terminal=True), do("b", "a")])
    watched = terminal("workflow", "watch", run, code=1).stdout
    assert "a (hand) failed" in watched
    assert "Out of ink" in watched
    assert "b (hand) skipped" in watched
    assert "Out of ink" in terminal("workflow", "result", run, code=1).stdout
    assert "Out of ink" in terminal("workflow", "status", run).stdout


def test_a_run_is_steered(terminal: Terminal, office: Office) -> None:
    run = begin(terminal, [do("a", hold=True), do("b", "a", say="b")])
    assert "begins nothing more" in terminal("workflow", "pause", run).stdout
    assert terminal.json("workflow", "status", run)["status"] == "paused"
    assert "goes on" in terminal("workflow", "resume", run).stdout
    refused = terminal("workflow", "result", run, code=1).output
    assert "run_not_finished" in refused
    assert "was asked to stop" in terminal("workflow", "cancel", run, "--reason", "No need.").stdout
    assert "has ended already: it is cancelled" in terminal("workflow", "cancel", run).stdout
    assert "No need." in terminal("workflow", "result", run, code=1).stdout
    done = begin(terminal, [do("b", say="b")])
    assert "anew from b on" in terminal("workflow", "rerun", done, "b").stdout
    assert terminal.json("workflow", "status", done)["attempt"] == 2


def test_a_step_that_waits_is_answered(terminal: Terminal) -> None:
    run = begin(terminal, [{"id": "paid", "wait": {"event": {"topic": "paid"}}}])
    assert "on its way" in terminal("workflow", "respond", run, "paid", '{"n": 1}').stdout
    assert terminal.json("workflow", "result", run)["output"] == {"paid": {"n": 1}}
    assert "waits for nobody" in terminal("workflow", "respond", run, "paid", "1", code=1).output


def test_a_run_is_drawn(terminal: Terminal) -> None:
    run = begin(terminal, [do("a"), do("b", "a")])
    assert "class s0,s1 completed" in terminal("workflow", "graph", "--run", run).stdout
    terminal("workflow", "timeline", run, "--out", "run.json")
    drawn = json.loads(Path("run.json").read_text())
    assert [event["name"] for event in drawn["traceEvents"] if event["ph"] == "X"] == ["a", "b"]


async def test_in_a_terminal_the_picture_keeps_up_with_the_run(office: Office) -> None:
    await office.define([do("deep", say="found")], name="sub")
    run = await office.begin([do("a", title="First of all"), {"id": "b", "workflow": "sub", "needs": ["a"]}])
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=24)
    async with httpx.AsyncClient(transport=Carried(office)) as http:
        ended = await RunWatch(Client(Endpoint("http://aos", None), http), run, console).follow()
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert ended["status"] == "completed"
    assert "First of all" in shown
    assert "100%" in shown


async def test_a_run_within_a_run_is_looked_into_while_it_is_at_work(office: Office) -> None:
    await office.define([do("deep", hold=True)], name="sub")
    run = await office.begin([{"id": "b", "workflow": "sub"}, do("c", "b")])
    async with httpx.AsyncClient(transport=Carried(office)) as http:
        watch = RunWatch(Client(Endpoint("http://aos", None), http), run, Console(file=io.StringIO()))
        picture = await watch.look()
        assert [step["status"] for step in picture.inner["b"].steps] == ["running"]
        await office.system.directory.send("hand", "let.go", "done")
        assert (await watch.follow())["status"] == "completed"
        assert (await watch.look()).inner == {}


async def test_a_run_that_has_not_begun_shows_the_steps_to_come(office: Office) -> None:
    await office.define([do("a"), do("b", "a")])
    run = await office.workflows.start("w")
    transport = httpx.ASGITransport(create_app(office.system))
    async with httpx.AsyncClient(transport=transport) as http:
        watch = RunWatch(Client(Endpoint("http://aos", None), http), run, Console(file=io.StringIO()))
        picture = await watch.look()
        assert [(step["id"], step["status"], step["needs"]) for step in picture.steps] == [
            ("a", "pending", []),
            ("b", "pending", ["a"]),
        ]
