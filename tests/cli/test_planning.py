"""`aos workflow plan`, and the route behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from aos.api.app import create_app
from aos.cli import running
from aos.cli.client import Client, Endpoint
from tests.cli.test_commands import Terminal
from tests.harness import MemorySystem
from tests.workflows.test_task_execution import Framer, Painter


class Lively(httpx.AsyncBaseTransport):
    """The API of a system whose messages are delivered while a caller waits."""

    def __init__(self, world: MemorySystem) -> None:
        self._world = world
        self._api = httpx.ASGITransport(create_app(world.system))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answered = asyncio.create_task(self._api.handle_async_request(request))
        while not answered.done():
            await self._world.settle()
            await asyncio.sleep(0)
        return await answered


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    monkeypatch.chdir(tmp_path)
    world = MemorySystem(Painter(), Framer())

    @asynccontextmanager
    async def connect(endpoint: Endpoint) -> AsyncIterator[Client]:
        async with httpx.AsyncClient(transport=Lively(world)) as http:
            yield Client(endpoint, http)

    monkeypatch.setattr(running, "connect", connect)
    return Terminal(world)


def test_a_goal_is_planned_and_said_how_to_run(terminal: Terminal) -> None:
    words = ("workflow", "plan", "Paint the hall", "--agent", "painter", "--agent", "framer")
    shown = terminal(*words).stdout
    assert "research" in shown
    assert "Run it: aos workflow run dynamic_" in shown
    planned = terminal.json(*words, "--by", "intent", "--metric", "dry", "--timeline", "today")
    assert planned["by"] == "intent"
    assert planned["name"] in terminal("workflow", "list").stdout


def test_what_cannot_be_planned_is_said(terminal: Terminal) -> None:
    assert "no_model_configured" in terminal("workflow", "plan", "x", "--by", "model", code=1).output
    assert "is not JSON" in terminal("workflow", "plan", "x", "--constraints", "{", code=2).output
