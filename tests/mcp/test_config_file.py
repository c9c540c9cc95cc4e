"""Files that name servers: their shapes, what is wrong with them, and that they give no secret away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aos.config_report import check
from aos.kernel.errors import SettingInvalid
from aos.mcp.config_file import parse_servers, read_servers
from aos.mcp.server_config import ServerConfig
from aos.mcp.servers import McpServers
from aos.mcp.variables import Filled, Variables
from tests.mcp.conftest import Make, resolve


def one(**fields: Any) -> ServerConfig:
    [found] = parse_servers({"servers": {"files": fields}}, source="mcp.json")
    return found


@pytest.mark.parametrize("key", ["servers", "mcpServers"])
def test_the_usual_shape_is_read(tmp_path: Path, key: str) -> None:
    file = tmp_path / "mcp.json"
    entries = {
        "files": {"type": "stdio", "command": "uvx", "args": ["mcp-server-git"], "env": {"A": "b"}},
        "search": {"type": "http", "url": "https://search.example/mcp", "headers": {"Authorization": "Bearer x"}},
        "short": {"url": "https://short.example/mcp"},
        "other": {"type": "streamable-http", "url": "https://other.example/mcp", "disabled": True},
    }
    file.write_text(json.dumps({key: entries, "inputs": []}), encoding="utf-8")
    found = {server.name: server for server in read_servers(file)}
    assert [(name, server.type, server.enabled) for name, server in found.items()] == [
        ("files", "stdio", True),
        ("search", "http", True),
        ("short", "http", True),
        ("other", "http", False),
    ]
    assert found["files"].args == ("mcp-server-git",)


def test_a_registry_of_other_systems_is_read() -> None:
    row = {
        "server_id": "github",
        "server_name": "GitHub",
        "server_type": "stdio",
        "command": "npx",
        "args": ["-y", "server-github"],
        "env": {"GITHUB_TOKEN": "${GITHUB_TOKEN}"},
        "tools": [
            {"name": "create_issue", "description": "d", "input_schema": {}},
            {"name": "close_issue", "effect": "idempotent", "risk": "low"},
        ],
        "resources": [{"uri": "github://x", "name": "x"}],
        "enabled": True,
        "auto_start": False,
        "timeout_seconds": 30,
        "max_retries": 3,
        "metadata": {"team": "dev"},
    }
    [github] = parse_servers({"servers": [row]}, source="registry.json")
    assert (github.name, github.type, github.description) == ("github", "stdio", "GitHub")
    assert (github.rule("close_issue").effect, github.rule("create_issue").effect) == ("idempotent", None)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"type": "stdio"}, "server 'files', a server of type 'stdio' needs `command`"),
        ({"type": "http", "url": "ftp://x"}, "`url` must start with http:// or https://"),
        ({"type": "http", "url": "http://x", "args": ["a"]}, "`args` means nothing for a server of type 'http'"),
        (
            {"type": "sse", "url": "http://x"},
            "server 'files', field `type`: 'sse' was replaced in the protocol. Use `http`",
        ),
        ({"type": "pigeon", "url": "http://x"}, "server 'files', field `type`: Input should be 'stdio' or 'http'"),
        (
            {"url": "http://x", "colour": "red"},
            "field `colour`: there is no such field. Remove it, or put it under `meta",
        ),
        (
            {"url": "http://x", "timeout_seconds": 0},
            "field `timeout_seconds`: Input should be greater than 0. Correct it.",
        ),
        ({"url": "http://x", "tools": {"a": {"effect": "reversible"}}}, "field `tools.a.effect`"),
    ],
)
def test_what_is_wrong_is_said_with_server_field_and_remedy(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingInvalid) as caught:
        one(**fields)
    assert said in caught.value.message


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "mcp.json"
    broken.write_text("{", encoding="utf-8")
    for path, said in ((broken, "is not JSON"), (tmp_path / "absent.json", "cannot be read")):
        with pytest.raises(SettingInvalid, match=said):
            read_servers(path)
    with pytest.raises(SettingInvalid, match="names no servers"):
        parse_servers({}, source="mcp.json")
    with pytest.raises(SettingInvalid, match="there is another of this name"):
        parse_servers([{"server_id": "a", "url": "http://a"}] * 2, source="mcp.json")


def test_the_working_folder_may_hold_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert McpServers.of_file(None, environ={}, resolve=resolve, processes=False).rows() == []
    Path("mcp.json").write_text('{"servers": {"a": {"url": "http://a"}}}', encoding="utf-8")
    [row] = McpServers.of_file(None, environ={}, resolve=resolve, processes=False).rows()
    assert (row["name"], row["status"], row["where"]) == ("a", "disconnected", "http://a")


async def fill(config: ServerConfig, **settings: str) -> Filled:
    return await Variables(settings, resolve).fill(config)


async def test_variables_come_from_settings_and_from_the_vault() -> None:
    config = one(
        type="http",
        url="https://${HOST}/${PATH_:-mcp}",
        headers={
            "A": "Bearer ${TOKEN}",
            "B": "@Microsoft.KeyVault(SecretUri=https://v/secrets/s)",
            "C": "${env:TOKEN}",
        },
    )
    filled = await fill(config, HOST="h.example", TOKEN="@Microsoft.KeyVault(SecretUri=https://v/secrets/s)")
    assert filled.url == "https://h.example/mcp"
    assert filled.headers == {"A": "Bearer from-the-vault", "B": "from-the-vault", "C": "from-the-vault"}
    assert filled.masked("it said from-the-vault!") == "it said ***!"


async def test_a_variable_that_is_not_set_is_named_and_only_its_server_is_unusable(make: Make) -> None:
    config = one(command="x", env={"KEY": "${ABSENT}"})
    with pytest.raises(SettingInvalid, match=r"Server 'files', field `env\.KEY` needs the variable ABSENT"):
        await fill(config)
    servers = make({"files": {"command": "x", "env": {"KEY": "${ABSENT}"}}, "other": {"url": "http://a"}})
    problems = {row["name"]: row["problem"] for row in servers.rows()}
    assert "needs the variable ABSENT" in problems["files"]
    assert problems["other"] is None


async def test_secrets_are_shown_nowhere() -> None:
    config = one(type="http", url="https://u:token-1234@h.example/mcp?key=token-1234", headers={"A": "token-1234"})
    filled = await fill(config)
    assert "token-1234" not in repr(config) + repr(filled) + config.where()
    assert config.where() == "https://h.example/mcp"
    with pytest.raises(SettingInvalid) as caught:
        one(command="x", env={"A": {"nested": "token-1234"}}, args=["token-1234", 5])
    assert "token-1234" not in caught.value.message


def test_the_check_of_the_configuration_names_what_is_wrong_with_the_servers(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    for content, said in (
        ({"servers": {"a": {"url": "http://a/${ABSENT}"}}}, "Server 'a', field `url` needs the variable ABSENT"),
        ({"servers": {"a": {"url": "gopher://a"}}}, "server 'a', `url` must start with"),
    ):
        file.write_text(json.dumps(content), encoding="utf-8")
        issues = check({"AOS_MCP_FILE": str(file), "AOS_AGENTS_PACKAGE": ""}).issues
        assert any(said in issue for issue in issues), issues
