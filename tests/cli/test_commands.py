"""The `aos` command against a system over memory, through the real API app."""

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

from aos import __version__
from aos.api.app import create_app
from aos.cli import running
from aos.cli.client import Client, Endpoint
from aos.cli.commands import app
from aos.kernel.ports import Replace
from tests.agents.test_agent import Counter
from tests.harness import MemorySystem
from tests.workflows.test_tasks import WORK, Boss, Left, Right


class Terminal:
    """Runs commands, and lets the system settle after each."""

    def __init__(self, world: MemorySystem) -> None:
        self.world = world

    def __call__(self, *words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200", "NO_COLOR": "1"})
        assert result.exit_code == code, result.output
        asyncio.run(self.world.settle())
        return result

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json").stdout)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    monkeypatch.chdir(tmp_path)
    for name in ("AOS_URL", "AOS_KEY"):
        monkeypatch.delenv(name, raising=False)
    world = MemorySystem(Counter(), Left(), Right(), Boss(), workflows=(WORK,))

    @asynccontextmanager
    async def connect(endpoint: Endpoint) -> AsyncIterator[Client]:
        transport = httpx.ASGITransport(create_app(world.system))
        async with httpx.AsyncClient(transport=transport) as http:
            yield Client(endpoint, http)

    monkeypatch.setattr(running, "connect", connect)
    return Terminal(world)


def test_agents_are_listed_written_to_and_read(terminal: Terminal) -> None:
    assert "counter" in terminal("agent", "list").stdout
    sent = terminal("agent", "send", "counter", "counter.add", '{"by": 3}')
    assert "in the mailbox of counter" in sent.stdout
    shown = terminal("agent", "show", "counter").stdout
    assert "Keep a running total" in shown
    assert '"total": 3' in shown
    assert terminal.json("agent", "show", "counter")["version"] == 1
    assert "counter.add (applied)" in terminal("agent", "journal", "counter").stdout
    assert terminal.json("agent", "journal", "counter")["after"] is None
    assert "No turns yet" in terminal("agent", "journal", "boss").stdout


def test_what_came_from_outside_is_labelled(terminal: Terminal) -> None:
    words = ("agent", "send", "counter", "counter.add", '{"by": 3}')
    terminal(*words, "--label", "untrusted:web", "--label", "internal")
    [entry] = terminal.json("agent", "journal", "counter")["entries"]
    assert entry["received"][0]["message"]["labels"] == "internal untrusted:web"
    refused = terminal(*words, "--label", "No Label", code=1)
    assert "cannot be a label" in refused.output


def test_tasks_are_submitted_listed_shown_and_cancelled(terminal: Terminal) -> None:
    assert "There are no tasks" in terminal("task", "list").stdout
    task = terminal.json("task", "submit", "work", "thing", "--title", "Do it", "--idempotency-key", "k")
    again = terminal.json("task", "submit", "work", "thing", "--title", "Do it", "--idempotency-key", "k")
    assert (task["id"], again["repeated"]) == (again["id"], True)
    assert str(task["id"]) in terminal("task", "list", "--status", "completed").stdout
    shown = terminal("task", "show", str(task["id"])).stdout
    assert "completed" in shown
    assert "summed" in shown
    assert "was asked to stop" in terminal("task", "cancel", str(task["id"])).stdout
    watched = terminal("task", "watch", str(task["id"]))
    assert "task.submitted from you" in watched.stdout
    assert "work.do from workflow" in watched.stdout


def test_a_folder_is_packed_and_uploaded(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "shop.py").write_text("x = 1\n")
    task = terminal.json("task", "submit", "work", str(folder))
    assert task["target"] == str(folder)
    detail = terminal.json("task", "show", str(task["id"]))
    assert detail["parameters"]["source"].endswith("/source.tar.gz")


def test_a_failed_task_ends_with_exit_code_1(terminal: Terminal) -> None:
    task = terminal.json("task", "submit", "work", "x", "--parameters", '{"refuse": "left"}')
    result = terminal("task", "watch", str(task["id"]), code=1)
    assert "Not my job" in result.output


def test_dead_letters_are_listed_shown_and_resubmitted(terminal: Terminal) -> None:
    assert "There are no dead letters" in terminal("deadletter", "list").stdout
    terminal("agent", "send", "counter", "counter.add", '{"by": "x"}')
    [letter] = terminal.json("deadletter", "list")["dead_letters"]
    assert "validation_error" in terminal("deadletter", "list").stdout
    assert "counter.add" in terminal("deadletter", "show", letter["id"]).stdout
    assert "in the mailbox of counter" in terminal("deadletter", "resubmit", letter["id"]).stdout
    again = terminal("deadletter", "resubmit", letter["id"], code=1)
    assert "not_allowed_now" in again.output


def test_the_audit_is_verified_and_a_changed_journal_is_exit_code_1(terminal: Terminal) -> None:
    terminal("agent", "send", "counter", "counter.add", "{}")
    assert "every hash as it should be" in terminal("audit", "verify").stdout
    assert "The journal of counter: 1 entries" in terminal("audit", "verify", "counter").stdout

    async def tamper() -> None:
        entity = await terminal.world.tables.get("agents", "counter", f"j:{1:016d}")
        assert entity is not None
        entity.values["body"] = str(entity.values["body"]).replace("applied", "ignored")  # type: ignore[index]
        await terminal.world.tables.commit("agents", [Replace(entity, entity.etag or "")])

    asyncio.run(tamper())
    assert "was changed after it was written" in terminal("audit", "verify", code=1).output
    assert "was changed" in terminal("audit", "verify", "counter", "--json", code=1).output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("agent", "show", "nobody"), 1, "not_found"),
        (("agent", "send", "nobody", "x"), 1, "unknown_agent_type"),
        (("agent", "send", "counter", "x", "{"), 2, "not JSON"),
        (("task", "submit", "play", "x"), 1, "There are: work"),
        (("task", "submit", "work", "x", "--parameters", "{"), 2, "not JSON"),
        (("task", "show", "none"), 1, "There is no task"),
        (("deadletter", "show", "none"), 1, "There is no dead letter"),
        (("agent", "list", "--limit", "0"), 2, "Error"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_what_cannot_be_done_says_why_and_ends_with_a_code(
    terminal: Terminal, words: tuple[str, ...], code: int, said: str
) -> None:
    assert said in terminal(*words, code=code).output


def test_errors_are_json_where_json_was_asked_for(terminal: Terminal) -> None:
    result = terminal("agent", "show", "nobody", "--json", code=1)
    assert json.loads(result.stdout)["code"] == "not_found"


def test_nobody_there_says_how_to_start_somebody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["agent", "list", "--url", "http://127.0.0.1:9"])
    assert result.exit_code == 1
    assert "aos up" in result.output


def test_the_system_meant_is_the_one_given_then_the_environment_then_the_one_running_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AOS_URL", raising=False)
    monkeypatch.delenv("AOS_KEY", raising=False)
    assert Endpoint.find(None, None).url == "http://127.0.0.1:7071"
    Endpoint("http://here:1", "canary").keep()
    assert (tmp_path / ".aos" / "endpoint.json").stat().st_mode & 0o077 == 0
    found = Endpoint.find(None, None)
    assert (found.url, found.key) == ("http://here:1", "canary")
    assert "canary" not in repr(found)
    monkeypatch.setenv("AOS_URL", "http://env:2")
    assert (Endpoint.find(None, None).url, Endpoint.find(None, None).key) == ("http://env:2", None)
    assert Endpoint.find("http://given:3/", "k") == Endpoint("http://given:3", "k")
    Endpoint.forget()
    assert not (tmp_path / ".aos" / "endpoint.json").exists()


def test_every_command_explains_itself() -> None:
    for words in ([], ["task"], ["agent"], ["deadletter"], ["audit"], ["models"], ["up"], ["demo"], ["bus"]):
        result = CliRunner().invoke(app, [*words, "--help"])
        assert result.exit_code == 0
        assert "Usage" in result.output
    assert __version__ in CliRunner().invoke(app, ["--version"]).output
