"""Workflows on the command line: checked with and without a system, kept, listed, drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import Terminal
from tests.cli.test_commands import terminal as terminal  # noqa: PLC0414  # a fixture

TEXT = """\
title: Count twice
inputs: {by: integer}
steps:
  - {id: count, agent: counter}
  - {id: again, agent: "counter:b", needs: [count], with: {by: "${{ inputs.by }}"}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "twice.workflow.yaml"
    path.write_text(TEXT)
    return path


def test_a_workflow_is_checked_kept_listed_shown_and_drawn(terminal: Terminal, file: Path) -> None:
    assert "application" in terminal("workflow", "list").stdout
    assert "Nothing is wrong with twice" in terminal("workflow", "check", str(file)).stdout
    assert "is version number 1" in terminal("workflow", "put", str(file), "--by", "anna").stdout
    assert "was the latest already" in terminal("workflow", "put", str(file)).stdout
    listed = terminal("workflow", "list").stdout
    assert "Count twice" in listed
    assert "anna" in listed
    [version] = terminal.json("workflow", "versions", "twice")["versions"]
    shown = terminal("workflow", "show", f"twice@{version['version']}").stdout
    assert "by (integer)" in shown
    assert "counter:b" in shown
    drawn = terminal("workflow", "graph", "twice").stdout
    assert drawn == terminal("workflow", "graph", str(file)).stdout
    assert "s0 --> s1" in drawn
    nodes = json.loads(terminal("workflow", "graph", "twice", "--format", "json").stdout)
    assert nodes["edges"] == [{"from": "count", "to": "again"}]
    terminal("workflow", "graph", str(file), "--format", "json", "--out", "graph.json")
    assert json.loads(Path("graph.json").read_text()) == nodes


def test_what_is_wrong_is_said_with_its_line(terminal: Terminal, file: Path) -> None:
    file.write_text(TEXT.replace("agent: counter}", "agent: countr}"))
    found = terminal("workflow", "check", str(file), code=1).stdout
    assert "line 4: step 'count', agent: there is no agent 'countr'" in found
    alone = terminal("workflow", "check", str(file), "--offline").stdout
    assert "were not looked for" in alone
    assert "there is no agent 'countr'" in terminal("workflow", "put", str(file), code=1).output
    file.write_text(TEXT.replace("needs: [count]", "need: [count]"))
    assert "line 5: steps.1.need: there is no field" in terminal("workflow", "check", str(file), code=1).stdout
    assert terminal("workflow", "check", str(file), "--offline", code=1).stdout.startswith("line 5: steps.1.need")
    assert "cannot be read" in terminal("workflow", "check", "absent.yaml", code=1).output
    assert "give a file or a name" in terminal("workflow", "graph", code=2).output
