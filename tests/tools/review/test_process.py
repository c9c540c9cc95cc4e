from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aos.tools.review.errors import ToolFailed, ToolMissing, ToolTimedOut
from aos.tools.review.process import clean_environment, in_batches, inspect, parsed, run_json, run_module


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Writes the tool that a test runs: the module `faketool`."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return (tmp_path / "faketool.py").write_text


async def test_a_tool_gets_its_arguments_and_its_input(tool: Callable[[str], int]) -> None:
    tool("import sys; print(sys.argv[1:], sys.stdin.read()); sys.exit(3)")

    output = await run_module("fake", "faketool", ["a", "b c"], stdin=b"hello")

    assert (output.code, output.out.decode().strip()) == (3, "['a', 'b c'] hello")


async def test_a_tool_that_does_not_end_is_ended(tool: Callable[[str], int], tmp_path: Path) -> None:
    tool(f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)")

    with pytest.raises(ToolTimedOut, match="fake was not done within 2 s"):
        await run_module("fake", "faketool", patience=2)

    pid = int(await asyncio.to_thread((tmp_path / "pid").read_text))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_tool_is_ended_when_nobody_waits_for_it_any_more(tool: Callable[[str], int], tmp_path: Path) -> None:
    fifo = tmp_path / "started"
    os.mkfifo(fifo)
    tool(f"import os, time; open({str(fifo)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    running = asyncio.create_task(run_module("fake", "faketool"))
    pid = int(await asyncio.to_thread(fifo.read_text))

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_tool_that_fails_says_why_without_secrets(tool: Callable[[str], int]) -> None:
    tool("import sys; sys.exit('cannot go on, password=\"hunter2\"')")

    with pytest.raises(ToolFailed, match=r"fake ended with code 1\. It said: cannot go on") as caught:
        await run_json("fake", "faketool", [])

    assert "hunter2" not in str(caught.value.to_json())
    assert caught.value.details["tool"] == "fake"
    assert caught.value.retryable


async def test_a_tool_that_writes_something_else_than_json_failed(tool: Callable[[str], int]) -> None:
    tool("print('all fine')")

    with pytest.raises(ToolFailed, match="did not write JSON"):
        parsed("fake", await run_module("fake", "faketool"))


async def test_a_tool_that_floods_is_not_taken_in(tool: Callable[[str], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aos.tools.review.process._MOST_OUTPUT", 1_048_576)
    tool("import sys\nfor _ in range(40): sys.stdout.write('x' * 65536)")

    with pytest.raises(ToolFailed, match="wrote more than 1 MiB"):
        await run_module("fake", "faketool")


async def test_a_tool_that_is_not_installed_is_named() -> None:
    with pytest.raises(ToolMissing, match="pip install nosuch"):
        await run_module("nosuch", "nosuch_module")


async def test_an_inspector_that_does_not_exist_is_told() -> None:
    with pytest.raises(ToolFailed, match="There is no inspector 'os'"):
        await inspect("fake", "os", {"root": "/", "files": []})


async def test_tools_see_none_of_our_settings(tool: Callable[[str], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", "AccountKey=abc")
    tool("import os, json; print(json.dumps(sorted(os.environ)))")

    assert "AzureWebJobsStorage" not in await run_json("fake", "faketool", [])
    assert "AzureWebJobsStorage" not in clean_environment()


def test_paths_are_spread_over_commands() -> None:
    batches = in_batches([f"/{'x' * 98}/{n}" for n in range(1_000)])

    assert 4 <= len(batches) <= 6
    assert sum(len(batch) for batch in batches) == 1_000
    assert in_batches([]) == []
