"""A server that is a process: what it offers, and everything that can go wrong with it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from aos.kernel.errors import AosError
from aos.mcp.connection import Connection
from aos.mcp.errors import (
    ConnectionLost,
    ProcessesNotAllowed,
    ServerDisabled,
    ServerTimedOut,
    ServerUnavailable,
    ToolReportedError,
    UnknownServer,
    UnknownTool,
)
from tests.mcp.conftest import Make, workshop


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_server_is_asked_what_it_has_and_called(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_OWN_SECRET", "ours")
    servers = make({"w": workshop(env={"KEY": "${TOKEN}"}, tools={"put": {"risk": "low"}, "p*": {"effect": "read"}})})
    server = servers.get("w")
    catalogue = await server.catalogue()
    held = {name: (tool.effect, tool.risk) for name, tool in catalogue.tools.items()}
    assert held["echo"] == ("read", "low")
    assert held["append"] == ("irreversible", "high")
    assert held["put"] == ("idempotent", "low")
    assert held["pid"] == ("read", "low")
    assert catalogue.server["name"] == "workshop"
    assert [row["uri"] for row in catalogue.resources] == ["workshop://bench"]
    assert [row["name"] for row in catalogue.prompts] == ["build"]
    assert await server.call("echo", {"text": "hello"}) == {"result": "hello"}
    seen = await server.call("environment", {})
    assert seen["KEY"] == "token-1234"
    assert "OUR_OWN_SECRET" not in seen
    assert await server.read_resource("workshop://bench") == [
        {"uri": "workshop://bench", "mime_type": "text/plain", "text": "a hammer"}
    ]
    [message] = await server.get_prompt("build", {"what": "a table"})
    assert message["content"]["text"] == "Build a table."
    pid = (await server.call("pid", {}))["result"]
    row = server.row()
    assert (row["status"], row["total_requests"], row["failed_requests"]) == ("connected", 3, 0)
    assert "token-1234" not in str(row)
    await servers.close()
    assert not alive(pid)
    assert server.row()["status"] == "disconnected"
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_process_that_dies_in_the_midst_of_a_call_is_replaced(make: Make, tmp_path: Path) -> None:
    servers, noted = make({"w": workshop()}), tmp_path / "noted"
    first = (await servers.call("w", "pid", {}))["result"]
    with pytest.raises(ConnectionLost) as caught:
        await servers.call("w", "die", {"file": str(noted)})
    assert caught.value.code == "mcp_connection_lost"
    assert noted.read_text(encoding="utf-8") == "died\n"
    assert (await servers.call("w", "pid", {}))["result"] != first
    assert not alive(first)


async def test_a_process_that_died_unseen_costs_no_call(make: Make) -> None:
    servers = make({"w": workshop()})
    server = servers.get("w")
    pid = (await server.call("pid", {}))["result"]
    os.kill(pid, 9)
    while server.row()["status"] == "connected":  # noqa: ASYNC110  # until the end of the pipe is noticed
        await asyncio.sleep(0)
    assert (await server.call("pid", {}))["result"] != pid


async def test_a_call_that_hangs_ends_in_time_and_the_next_goes_elsewhere(make: Make) -> None:
    servers = make({"w": workshop(max_retries=1)})
    server = servers.get("w")
    pid = (await server.call("pid", {}))["result"]
    server.config = server.config.model_copy(update={"timeout_seconds": 0.05})
    with pytest.raises(ServerTimedOut, match=r"did not answer within 0\.05 seconds"):
        await server.call("hang", {})
    server.config = server.config.model_copy(update={"timeout_seconds": 30})
    assert (await server.call("pid", {}))["result"] != pid


async def test_what_a_tool_says_went_wrong_is_told_without_secrets(make: Make) -> None:
    server = make({"w": workshop(env={"A": "${TOKEN}"})}).get("w")
    with pytest.raises(ToolReportedError, match="Tool 'fail' of MCP server 'w' failed") as caught:
        await server.call("fail", {"secret": "token-1234"})
    assert (caught.value.code, caught.value.retryable) == ("mcp_tool_error", False)
    assert "token-1234" not in caught.value.message
    with pytest.raises(ToolReportedError, match="times"):
        await server.call("echo", {"times": 3})


async def test_results_are_cut_off_at_the_limit(make: Make) -> None:
    server = make({"w": workshop(max_result_bytes=2_000)}).get("w")
    cut = await server.call("large", {"size": 5_000})
    assert cut == "x" * 2_000 + " [cut off: 5,000 bytes in all]"


async def test_tools_that_changed_are_noticed(make: Make) -> None:
    servers = make({"w": workshop()})
    server = servers.get("w")
    assert "echo" in (await server.catalogue()).tools
    await server.call("change", {})
    assert "shout" in (await server.catalogue(fresh=True)).tools
    assert await servers.call("w", "shout", {"text": "a", "times": 2}) == {"result": "AA"}
    with pytest.raises(UnknownTool, match=r"no tool .echo.\. It has: append, "):
        await servers.call("w", "echo", {"text": "a"})


async def test_a_process_that_does_not_start_is_told_by_its_last_words(make: Make) -> None:
    entries = {
        "broken": workshop(env={"WORKSHOP_BROKEN": "for ${TOKEN}"}, max_retries=1),
        "absent": {"command": "/no/such/program", "max_retries": 1},
    }
    servers = make(entries)
    with pytest.raises(ServerUnavailable, match=r"the workshop is closed: \*\*\*") as caught:
        await servers.get("broken").catalogue()
    assert "token-1234" not in caught.value.message
    with pytest.raises(ServerUnavailable, match="No such file or directory"):
        await servers.get("absent").catalogue()
    assert [row["status"] for row in servers.rows()] == ["error", "error"]


async def test_a_server_that_fails_again_and_again_is_left_alone(make: Make) -> None:
    server = make({"absent": {"command": "/no/such/program", "max_retries": 5}}).get("absent")
    with pytest.raises(ServerUnavailable, match="No such file"):
        await server.catalogue()
    with pytest.raises(ServerUnavailable, match="calls are refused for another") as caught:
        await server.catalogue()
    assert caught.value.retry_after
    assert server.row()["breaker"] == "open"


@pytest.mark.parametrize(
    ("fields", "processes", "error"),
    [(workshop(), False, ProcessesNotAllowed), (workshop(enabled=False), True, ServerDisabled)],
)
async def test_what_the_configuration_is_against_is_not_done(
    make: Make, fields: dict[str, Any], processes: bool, error: type[AosError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(Connection, "__init__", refuse)
    with pytest.raises(error):
        await make({"w": fields}, processes=processes).get("w").catalogue()


async def test_a_server_that_is_not_there_is_told_with_those_that_are(make: Make) -> None:
    with pytest.raises(UnknownServer, match="There are: w"):
        make({"w": workshop()}).get("v")
