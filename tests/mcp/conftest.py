"""Servers for our client: processes, and SDK-made servers over HTTP in this process."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aos.mcp.config_file import parse_servers
from aos.mcp.server import Means
from aos.mcp.servers import McpServers
from aos.mcp.variables import Variables
from aos.testing import SeededIds
from aos.tools.attempt import Workbench

WORKSHOP = str(Path(__file__).with_name("workshop.py"))
SETTINGS = {"TOKEN": "token-1234", "REFERENCE": "@Microsoft.KeyVault(SecretUri=https://v/secrets/s)"}

Make = Callable[..., McpServers]


async def resolve(_: str, value: str) -> str:
    return "from-the-vault" if value.startswith("@Microsoft.KeyVault") else value


def workshop(**fields: Any) -> dict[str, Any]:
    return {"command": sys.executable, "args": [WORKSHOP], "timeout_seconds": 30, **fields}


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Makes servers from the content of a file, and closes them after the test."""
    made: list[McpServers] = []

    async def no_pause(_: float) -> None:
        await asyncio.sleep(0)

    def servers(entries: dict[str, Any], *, processes: bool = True, **settings: str) -> McpServers:
        configs = parse_servers({"servers": entries}, source="mcp.json")
        means = Means(
            Variables({**SETTINGS, **settings}, resolve), processes, Workbench(ids=SeededIds(3), sleep=no_pause)
        )
        made.append(McpServers(configs, means))
        return made[-1]

    yield servers
    for each in made:
        await each.close()


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """An ASGI app on a port of its own, for the block; its address."""
    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1, ws="none")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listening.close()
