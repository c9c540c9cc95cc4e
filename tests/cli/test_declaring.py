"""Declared agents, wake plans and the configuration from the command line."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aos.agents import Agent, NoState, Turn, Wake, on
from aos.cli.commands import app
from tests.agents.test_agent_file import FULL, THEIRS
from tests.agents.test_registry_files import APP, CEO, CFO
from tests.cli.test_commands import Terminal, terminal

__all__ = ["terminal"]


def test_a_file_is_checked_registered_shown_and_taken_back(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "writer.agent.md"
    file.write_text(FULL)
    assert "is right" in terminal("agent", "register", str(file), "--check").stdout
    assert "writer is declared, version 1" in terminal("agent", "register", str(file)).stdout
    assert terminal.json("agent", "register", str(file))["version"] == 1
    assert "Morning Writer" in terminal("agent", "list").stdout
    plan = terminal("agent", "wakes", "writer").stdout
    assert "0 0 7 * * 1-5" in plan
    assert "Europe/Zurich, catches up latest" in plan
    assert terminal.json("agent", "wakes", "writer")["agent"] == "writer"
    assert "out of force" in terminal("agent", "deregister", "writer").stdout
    assert "not_found" in terminal("agent", "deregister", "writer", code=1).output


def test_the_plan_says_what_holds_for_each_wake(terminal: Terminal) -> None:
    class Reporter(Agent[NoState]):
        type = "reporter"
        wakes = (Wake(name="poll", every="15m", catch_up="all", quiet="22:00-07:00", spacing=timedelta(minutes=10)),)

        @on("agent.wake")
        async def poll(self, turn: Turn, state: NoState, data: Any) -> None: ...

    terminal.world.registry.register(Reporter())
    plan = " ".join(terminal("agent", "wakes", "reporter").stdout.split())
    assert "UTC, catches up all, 600 s apart, quiet 22:00-07:00" in plan


def test_what_has_no_effect_is_said_and_what_is_wrong_ends_with_code_1(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "daily_report.agent.md"
    file.write_text(THEIRS)
    assert "`logger` has no effect" in terminal("agent", "register", str(file)).output
    file.write_text("---\nname: A\n---\nB")
    assert "Field required" in terminal("agent", "register", str(file), code=1).output
    other = tmp_path / "writer.txt"
    other.write_text(FULL)
    assert "Name it accordingly" in terminal("agent", "register", str(other), code=1).output


def test_a_registry_is_imported_as_a_whole_or_not_at_all(terminal: Terminal, tmp_path: Path) -> None:
    registry, servers = tmp_path / "agents.json", tmp_path / "servers.json"
    registry.write_text(json.dumps({"agents": [CEO, CFO]}))
    servers.write_text('{"servers": []}')
    refused = terminal("agent", "import", str(registry), "--servers", str(servers), code=1)
    assert "'github'" in refused.output
    assert "declares 2 agents" in terminal("agent", "import", str(registry), "--check").stdout
    registry.write_text(json.dumps({"agents": [CFO, CEO]}))
    refused = terminal("agent", "import", str(registry), code=1)
    assert "ceo: `mcp_tools` names the server 'github', which is not registered" in refused.output
    assert "cfo" not in terminal("agent", "list", "--json").stdout
    registry.write_text(json.dumps({"agents": [{**CEO, "mcp_tools": []}, CFO]}))
    assert "ceo is declared, version 1" in terminal("agent", "import", str(registry)).stdout
    assert "Chief" in terminal("agent", "list").stdout


def test_the_configuration_is_shown_with_sources_and_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("AOS_LOG_LEVEL", "WARNING")
    monkeypatch.setenv("AOS_STORAGE_CONNECTION_STRING", "AccountKey=canary")
    shown = CliRunner().invoke(app, ["config", "show", "--sources"])
    assert "the environment variable AOS_LOG_LEVEL" in shown.stdout
    assert "canary" not in shown.stdout
    settings = json.loads(CliRunner().invoke(app, ["config", "show", "--json"]).stdout)["settings"]
    assert {"name": "log_level", "value": "WARNING", "source": "the environment variable AOS_LOG_LEVEL"} in settings
    monkeypatch.delenv("ServiceBus", raising=False)
    wrong = CliRunner().invoke(app, ["config", "check"])
    assert (wrong.exit_code, "No Service Bus is configured" in wrong.output) == (1, True)
    monkeypatch.setenv("ServiceBus", "Endpoint=sb://x")
    assert CliRunner().invoke(app, ["config", "check"]).exit_code == 0
    apps = tmp_path / "apps.json"
    apps.write_text(json.dumps({"apps": [APP]}))
    answer = CliRunner().invoke(app, ["config", "check", "--app-registry", str(apps), "--json"])
    assert "needs the agent 'cfo'" in json.loads(answer.stdout)["issues"][0]
    missing = CliRunner().invoke(app, ["config", "show", "--file", str(tmp_path / "none.json")])
    assert (missing.exit_code, "cannot be read" in missing.output) == (1, True)
