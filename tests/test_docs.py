"""Every snippet in the docs is true: Python runs, JSON parses, commands exist, links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aos.cli.commands import app
from aos.workflows.definition.workflow_file import parse_workflow
from tests.harness import MemorySystem

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def snippets(page: Path, language: str) -> list[str]:
    return [code for found, code in FENCE.findall(page.read_text(encoding="utf-8")) if found == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_runs(page: Path) -> None:
    names: dict[str, Any] = {"__name__": page.stem}
    for code in snippets(page, "python"):
        exec(compile(code, str(page), "exec", dont_inherit=True), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_json_parses(page: Path) -> None:
    for code in snippets(page, "json"):
        json.loads(code)


def test_workflows_are_right() -> None:
    for code in snippets(ROOT / "docs" / "workflows.md", "yaml"):
        parse_workflow(code)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    commands = [line for code in snippets(page, "sh") for line in code.splitlines()]
    commands += re.findall(r"`((?:aos|make) [^`]+)`", text)
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for command in commands:
        words = shlex.split(command, comments=True)
        if words[:1] == ["make"]:
            assert words[1] in targets, command
        if words[:1] == ["aos"]:
            named = [word for word in words[1:3] if re.fullmatch(r"[a-z]+", word)]
            result = CliRunner().invoke(app, [*_known(named), "--help"])
            assert result.exit_code == 0, command
            options = [word.partition("=")[0] for word in words if word.startswith("--")]
            shown = re.sub(r"\x1b\[[0-9;]*m", "", result.output)
            assert all(option in shown for option in options), command


def _known(words: list[str]) -> list[str]:
    """The words that name a command; what follows are its arguments."""
    groups = {group.name for group in app.registered_groups}
    return words[:2] if words[0] in groups else words[:1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


async def test_the_agent_of_the_readme_does_what_the_readme_says() -> None:
    names: dict[str, Any] = {"__name__": "readme"}
    [code] = snippets(ROOT / "README.md", "python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    exec(compile(code, "README.md", "exec", dont_inherit=True), names)
    world = MemorySystem(names["AGENT"]())
    for amount in (12.5, 7.5):
        await world.system.directory.send("sales", "order.placed", {"amount": amount})
    await world.settle()
    assert await world.state("sales") == {"total": 20.0}


def test_docs_speak_plainly() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8").lower()
        for word in ("production-ready", "blazing", "revolutionary", "seamless", "cutting-edge"):
            assert word not in text, f"{page.name}: {word}"


async def test_the_receiver_of_the_local_page_receives() -> None:
    from aos.azure.bus import AzureMessageBus
    from aos.kernel.ports import OutboundMessage
    from aos.local.servicebus.broker import Broker, BrokerOptions

    names: dict[str, Any] = {"__name__": "local"}
    for code in snippets(ROOT / "docs" / "local.md", "python"):
        exec(compile(code, "local.md", "exec", dont_inherit=True), names)
    config = ROOT / "aos" / "local" / "servicebus.Config.json"
    async with Broker(BrokerOptions(config=config, port=0)) as broker:
        bus = AzureMessageBus.from_connection_string(broker.connection_string)
        await bus.send([OutboundMessage("agent-inbox", b"hello", "m1", session_id="cto")])
        assert await names["serve_one_session"](broker.connection_string) == [b"hello"]
        await bus.close()
