"""MCP servers over the API and the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations
from typer.testing import CliRunner

from aos.api.app import create_app
from aos.cli import running
from aos.cli.client import Client, Endpoint
from aos.cli.commands import app
from aos.kernel.errors import SettingInvalid
from aos.mcp.servers import McpServers
from tests.harness import MemorySystem
from tests.mcp.conftest import resolve, served


def library() -> MCPServer:
    server = MCPServer("library")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def find(title: str) -> str:
        """Find a book."""
        return f"{title}, on the shelf"

    return server


@asynccontextmanager
async def api_with(address: str) -> AsyncIterator[httpx.AsyncClient]:
    world = MemorySystem()
    entries = {
        "library": {"url": f"{address}/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}},
        "process": {"command": "python", "env": {"KEY": "${ABSENT}"}},
    }
    world.system.mcp_servers = servers_of(entries)
    transport = httpx.ASGITransport(create_app(world.system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://aos") as api:
        yield api
    await world.system.stop()


def servers_of(entries: dict[str, Any]) -> McpServers:
    from aos.mcp.config_file import parse_servers
    from aos.mcp.server import Means
    from aos.mcp.variables import Variables

    means = Means(Variables({"TOKEN": "token-1234"}, resolve))
    return McpServers(parse_servers({"servers": entries}, source="mcp.json"), means)


async def test_servers_are_listed_shown_and_called() -> None:
    async with served(library().streamable_http_app()) as address, api_with(address) as api:
        listed = (await api.get("/api/v1/mcp/servers")).json()
        assert listed == (await api.get("/api/servers")).json()
        rows = {row["name"]: row for row in listed["servers"]}
        assert (rows["library"]["status"], rows["library"]["tools"]) == ("disconnected", None)
        assert "needs the variable ABSENT" in rows["process"]["problem"]
        one = (await api.get("/api/v1/mcp/servers/library")).json()
        assert (one["server"]["name"], one["tools"], one["status"]) == ("library", ["find"], "connected")
        [tool] = (await api.get("/api/v1/mcp/servers/library/tools?fresh=true")).json()["tools"]
        assert (tool["name"], tool["effect"], tool["parameters"]["required"]) == ("library.find", "read", ["title"])
        called = await api.post("/api/v1/mcp/servers/library/tools/find", json={"arguments": {"title": "Faust"}})
        assert called.json() == {
            "server": "library",
            "tool": "find",
            "result": {"result": "Faust, on the shelf"},
            "labels": ["untrusted:mcp/library"],
        }
        status = (await api.get("/api/servers/library/status")).json()
        assert (status["total_requests"], status["status"]) == (1, "connected")
        assert "token-1234" not in json.dumps([listed, one, status])


async def test_what_cannot_be_done_is_a_problem_with_a_code() -> None:
    async with served(library().streamable_http_app()) as address, api_with(address) as api:
        for path, status, code in (
            ("/api/v1/mcp/servers/nobody", 404, "mcp_server_not_found"),
            ("/api/servers/nobody/status", 404, "mcp_server_not_found"),
            ("/api/v1/mcp/servers/process/tools", 403, "mcp_stdio_not_allowed"),
        ):
            answer = await api.get(path)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        unknown = await api.post("/api/v1/mcp/servers/library/tools/burn", json={})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "mcp_tool_not_found")
        failed = await api.post("/api/v1/mcp/servers/library/tools/find", json={"arguments": {}})
        assert failed.json()["code"] == "mcp_tool_error"
        assert "title" in failed.json()["detail"]


async def test_the_system_reads_its_file_and_refuses_a_wrong_one(tmp_path: Any) -> None:
    from aos.composition import mcp_servers_of
    from aos.config import AOSConfig

    file = tmp_path / "mcp.json"
    file.write_text('{"servers": {"a": {"command": "python"}}}', encoding="utf-8")
    environ = {"AOS_MCP_FILE": str(file), "AOS_MCP_STDIO": "true"}
    [row] = mcp_servers_of(AOSConfig.load(environ=environ), environ).rows()
    assert (row["name"], row["type"]) == ("a", "stdio")
    file.write_text('{"servers": {"a": {}}}', encoding="utf-8")
    with pytest.raises(SettingInvalid, match="server 'a'"):
        mcp_servers_of(AOSConfig.load(environ=environ), environ)


def test_the_command_line_shows_and_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def connect(endpoint: Endpoint) -> AsyncIterator[Client]:
        async with served(library().streamable_http_app()) as address, api_with(address) as api:
            yield Client(Endpoint("http://aos", None), api)

    monkeypatch.setattr(running, "connect", connect)

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["mcp", *words])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert [row["name"] for row in json.loads(run("servers", "--json"))["servers"]] == ["library", "process"]
    assert "disconnected" in run("servers")
    assert "library.find" in run("tools", "library", "--fresh")
    assert "Faust, on the shelf" in run("call", "library.find", '{"title": "Faust"}')
    assert json.loads(run("call", "library.find", '{"title": "Faust"}', "--json"))["tool"] == "find"
    for words in (["call", "library"], ["call", "library.find", "[1]"], ["call", "library.find", "{"]):
        assert CliRunner().invoke(app, ["mcp", *words]).exit_code == 2
