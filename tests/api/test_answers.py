"""Callers without a mailbox, over HTTP and MCP, who wait for an agent's answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from pydantic import BaseModel

from aos.agents import Agent, Turn, on, on_reply
from aos.api.app import create_app
from aos.kernel.errors import TerminalError
from tests.harness import MemorySystem


class Open(BaseModel):
    held: dict[str, Any] | None = None


class Innkeeper(Agent[Open]):
    type = "innkeeper"

    @on("room.wanted")
    async def wanted(self, turn: Turn, state: Open, nights: int) -> dict[str, Any] | None:
        if nights > 30:
            raise TerminalError("No room for so long.")
        return {"room": 12, "nights": nights} if nights else None

    @on("meal.wanted")
    async def meal(self, turn: Turn, state: Open, dish: str) -> None:
        state.held = turn.hold_reply()
        turn.ask("cook", "dish.wanted", dish)

    @on_reply("dish.wanted")
    async def cooked(self, turn: Turn, state: Open, answer: str) -> None:
        turn.reply_to_held(state.held, f"Served: {answer}")


class Cook(Agent[Open]):
    type = "cook"

    @on("dish.wanted")
    async def cook(self, turn: Turn, state: Open, dish: str) -> str:
        return dish.upper()


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Innkeeper(), Cook(), api={"max_wait_seconds": 30, "mcp_wait_seconds": 30})


@asynccontextmanager
async def connected(world: MemorySystem, path: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(create_app(world.system))) as http,
        Client(streamable_http_client(f"http://aos{path}", http_client=http)) as client,
    ):
        yield client


async def carried(world: MemorySystem, asking: Coroutine[Any, Any, Any]) -> Any:
    """The answer, while the post is carried about as it comes."""
    task = asyncio.ensure_future(asking)
    while not task.done():
        await world.settle()
        await asyncio.wait([task], timeout=0.01)
    return task.result()


async def call(world: MemorySystem, path: str, tool: str, arguments: dict[str, Any], **meta: Any) -> Any:
    async with connected(world, path) as client:
        given: Any = {f"aos/{name}": value for name, value in meta.items()}
        return await client.call_tool(tool, arguments, meta=given)


@pytest.mark.parametrize(
    ("path", "tool", "arguments"),
    [
        ("/api/mcp", "innkeeper", {"message": "room.wanted", "data": 2}),
        ("/api/mcp/innkeeper", "room.wanted", {"data": 2}),
    ],
)
async def test_a_call_over_mcp_brings_the_agents_answer(
    world: MemorySystem, path: str, tool: str, arguments: dict[str, Any]
) -> None:
    result = await carried(world, call(world, path, tool, arguments))
    assert result.structured_content["answer"] == {"room": 12, "nights": 2}
    assert (result.structured_content["outcome"], result.is_error) == ("applied", False)
    assert '"room": 12' in result.content[0].text
    assert [message.session_id for message in world.outbox.sent] == ["innkeeper"]  # the answer took no message


async def test_an_answer_of_a_later_turn_is_waited_for(world: MemorySystem) -> None:
    meal = {"message": "meal.wanted", "data": "soup"}
    result = await carried(world, call(world, "/api/mcp", "innkeeper", meal))
    assert result.structured_content["answer"] == "Served: SOUP"


async def test_the_same_call_again_goes_on_waiting(world: MemorySystem) -> None:
    meal = {"message": "meal.wanted", "data": "soup"}
    first = await call(world, "/api/mcp", "innkeeper", meal, message_id="m-1", wait=0)
    assert first.structured_content["outcome"] == "pending"
    [asked] = world.outbox.sent
    await world._deliver(asked)
    waiting = await call(world, "/api/mcp", "innkeeper", meal, message_id="m-1", wait=0)
    assert (waiting.structured_content["outcome"], waiting.structured_content["answer_pending"]) == ("applied", True)
    result = await carried(world, call(world, "/api/mcp", "innkeeper", meal, message_id="m-1"))
    assert result.structured_content["answer"] == "Served: SOUP"


async def test_a_call_that_the_agent_gives_up_is_an_error(world: MemorySystem) -> None:
    result = await carried(world, call(world, "/api/mcp", "innkeeper", {"message": "room.wanted", "data": 31}))
    assert result.is_error
    assert result.structured_content["outcome"] == "dead"
    assert result.structured_content["error"]["message"] == "No room for so long."


@pytest.mark.parametrize(
    ("nights", "status", "expected"),
    [
        (3, 200, {"outcome": "applied", "version": 1, "answer": {"room": 12, "nights": 3}}),
        (0, 200, {"outcome": "applied", "version": 1}),
    ],
)
async def test_a_message_over_http_may_wait_for_its_answer(
    world: MemorySystem, nights: int, status: int, expected: dict[str, Any]
) -> None:
    transport = httpx.ASGITransport(create_app(world.system))
    async with httpx.AsyncClient(transport=transport, base_url="http://aos/api/v1") as api:
        letter = {"type": "room.wanted", "data": nights, "id": "m-1"}
        answer = await carried(world, api.post("/agents/innkeeper/messages?wait=20", json=letter))
        assert answer.status_code == status
        assert answer.json() == {"agent": "innkeeper", "message_id": "m-1", **expected}
        at_once = await api.post("/agents/innkeeper/messages", json={**letter, "id": "m-2"})
        assert (at_once.status_code, at_once.json()) == (202, {"agent": "innkeeper", "message_id": "m-2"})
