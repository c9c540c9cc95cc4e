"""Conversations over the API and the command line: listed, and read page by page from either end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from aos.agents.conversations import ConversationLimits
from aos.api.app import create_app
from aos.cli import running
from aos.cli.client import Client, Endpoint
from aos.cli.commands import app
from tests.agents.conversations.chat import say, world_of
from tests.harness import MemorySystem

BASE = "/api/v1/agents/chat/conversations"


@pytest.fixture
async def world() -> MemorySystem:
    world = world_of(ConversationLimits(max_entries=8, max_open=2))
    for id in ("ann", "bob/1", "carol"):
        await say(world, f"{id} says #.", to=id, times=7)
        world.clock.advance(60)
    return world


@pytest.fixture
async def api(world: MemorySystem) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(world.system))
    async with httpx.AsyncClient(transport=transport, base_url="http://aos") as client:
        yield client


async def test_conversations_are_listed_newest_first_page_by_page(api: httpx.AsyncClient) -> None:
    first = (await api.get(BASE, params={"limit": 2})).json()
    assert [found["conversation"] for found in first["conversations"]] == ["carol", "bob/1"]
    assert first["conversations"][0] == {
        "conversation": "carol",
        "title": "carol says 0.",
        "created_at": "2026-01-01T00:02:00Z",
        "last_at": "2026-01-01T00:02:00Z",
        "entries": 7,
        "removed": 0,
        "labels": [],
    }
    second = (await api.get(BASE, params={"limit": 2, "cursor": first["cursor"]})).json()
    assert ([found["conversation"] for found in second["conversations"]], second["cursor"]) == (["ann"], None)
    assert (await api.get(BASE, params={"cursor": "x"})).json()["code"] == "validation_error"


@pytest.mark.parametrize("conversation", ["ann", "bob/1", "carol"])
async def test_a_conversation_is_read_from_either_end(api: httpx.AsyncClient, conversation: str) -> None:
    for order, expected in (("newest", [6, 5, 4, 3, 2, 1, 0]), ("oldest", [0, 1, 2, 3, 4, 5, 6])):
        numbers: list[int] = []
        cursor: int | None = None
        while True:
            params: dict[str, Any] = {"limit": 3, "order": order}
            if cursor is not None:
                params["cursor"] = cursor
            page = (await api.get(f"{BASE}/{conversation}", params=params)).json()
            numbers += [entry["number"] for entry in page["entries"]]
            cursor = page["cursor"]
            if cursor is None:
                break
        assert numbers == expected
    assert (page["total"], page["summary"]["until"]) == (7, 3)
    assert page["entries"][0]["content"] == f"{conversation} says 6."


async def test_what_is_not_there_is_said_so(api: httpx.AsyncClient) -> None:
    for path in (f"{BASE}/nobody", "/api/v1/agents/nobody/conversations"):
        answer = await api.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await api.get(f"{BASE}/ann", params={"order": "random"})).status_code == 422


def test_the_command_line_shows_both(monkeypatch: pytest.MonkeyPatch, world: MemorySystem) -> None:
    @asynccontextmanager
    async def connect(endpoint: Endpoint) -> AsyncIterator[Client]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(world.system))) as http:
            yield Client(endpoint, http)

    monkeypatch.setattr(running, "connect", connect)

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["agent", *words])
        assert result.exit_code == 0, result.output
        return result.stdout

    run("send", "chat", "say", '{"content": "From the command line."}', "--conversation", "cli")
    asyncio.run(world.settle())
    assert "From the command line." in run("conversation", "chat", "cli")
    assert "carol says 0." in run("conversations", "chat")
    shown = run("conversation", "chat", "bob/1", "--limit", "2")
    assert shown.index("bob/1 says 5.") < shown.index("bob/1 says 6.")
    assert "--cursor 4" in shown
    assert len(json.loads(run("conversation", "chat", "ann", "--json"))["entries"]) == 7
