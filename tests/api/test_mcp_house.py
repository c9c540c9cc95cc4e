"""All agents as one MCP server, met with the SDK's own client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from fastapi import Request
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from aos.agents import Agent, NoState, PurposeDrivenAgent, Turn, on
from aos.agents.declaration import Declaration
from aos.agents.declarative_agent import DeclarativeAgent
from aos.api.app import create_app
from tests.api.test_mcp import Archivist
from tests.harness import MemorySystem

WRITER = Declaration.model_validate(
    {
        "id": "writer",
        "name": "Writer",
        "description": "Writes.",
        "instructions": "Write briefly.",
        "triggers": [{"topic": "orders.*", "prompt": "Note this order."}, {"cron": "0 7 * * *", "prompt": "Sum up."}],
    }
)


class Seller(PurposeDrivenAgent[NoState]):
    type = "seller"
    purpose = "Sell more"
    capabilities = ("selling",)

    @on("offer.wanted")
    async def offer(self, turn: Turn, state: NoState, data: dict[str, Any]) -> None:
        """Make an offer."""


class OnlyWriters:
    """Sees by key: `all` every agent, any other only the writer."""

    async def sees(self, request: Request, agent_type: str) -> bool:
        return request.headers.get("x-functions-key") == "all" or agent_type == "writer"


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Archivist(), Seller(), DeclarativeAgent(WRITER), api={"max_wait_seconds": 0.01})


@asynccontextmanager
async def connected(
    world: MemorySystem, *, path: str = "/api/mcp", mode: str = "auto", scope: Any = None, key: str = ""
) -> AsyncIterator[Client]:
    app = create_app(world.system)
    app.state.mcp_scope = scope
    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), headers={"x-functions-key": key}) as http,
        Client(streamable_http_client(f"http://aos{path}", http_client=http), mode=mode) as client,
    ):
        yield client


async def read(client: Client, uri: str) -> Any:
    [content] = (await client.read_resource(uri)).contents
    return json.loads(content.text)  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["/api/mcp", "/api/v1/mcp"])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_every_agent_is_a_tool(world: MemorySystem, path: str, mode: str) -> None:
    async with connected(world, path=path, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert {"archivist", "seller", "writer"} <= set(tools)
        assert "Keep what others forget" in str(tools["archivist"].description)
        assert "paper.filed: File a paper with its parts." in str(tools["archivist"].description)
        assert {"prompt", "conversation", "context"} <= set(tools["writer"].input_schema["properties"])
        assert tools["writer"].input_schema["required"] == ["prompt"]
        named: Any = {"aos/message_id": "m1"}
        posted = await client.call_tool("archivist", {"message": "paper.filed", "data": {"name": "deed"}}, meta=named)
        assert posted.structured_content == {"agent": "archivist", "message_id": "m1", "outcome": "pending"}
        await client.call_tool("writer", {"prompt": "Hello?"})
        sent = [json.loads(message.body) for message in world.outbox.sent]
        assert [(message["to"], message["type"]) for message in sent] == [
            ("archivist", "paper.filed"),
            ("writer", "agent.query"),
        ]
        await world.settle()
    assert await world.state("archivist") == {"kept": ["deed"]}


async def test_what_does_not_fit_is_told(world: MemorySystem) -> None:
    async with connected(world) as client:
        wrong = await client.call_tool("archivist", {"message": "paper.filed", "data": {}})
        assert wrong.is_error
        assert wrong.structured_content["error"]["code"] == "validation_error"
        with pytest.raises(MCPError, match=r"`message` must be one that 'archivist' takes: .*paper.filed"):
            await client.call_tool("archivist", {"message": "nonsense"})
        with pytest.raises(MCPError, match=r"There is no agent 'nobody' here. There are: .*archivist"):
            await client.call_tool("nobody", {})
    assert world.outbox.sent == []


async def test_goals_journal_and_memory_are_resources(world: MemorySystem) -> None:
    await world.system.directory.send("seller", "goal.add", {"description": "Sell a table"})
    await world.system.directory.send("archivist", "paper.filed", {"name": "deed"})
    await world.settle()
    async with connected(world) as client:
        listed = {resource.uri for resource in (await client.list_resources()).resources}
        assert {"aos://agents/seller/goals", "aos://agents/archivist/memory", "aos://agents/writer/journal"} <= listed
        assert "aos://agents/archivist/goals" not in listed
        templates = (await client.list_resource_templates()).resource_templates
        assert "aos://agents/{agent}/journal" in [template.uri_template for template in templates]
        goals = await read(client, "aos://agents/seller/goals")
        assert [goal["description"] for goal in goals["goals"]] == ["Sell a table"]
        assert (await read(client, "aos://agents/archivist/memory"))[0]["item"] == {
            "paper": {"name": "deed", "parts": []}
        }
        assert (await read(client, "aos://agents/seller/journal"))[0]["version"] == 1
        for uri in ("aos://agents/nobody/state", "aos://agents/archivist/goals", "file:///etc/passwd"):
            with pytest.raises(MCPError, match="There is no resource"):
                await client.read_resource(uri)


async def test_an_agent_without_code_is_asked_at_its_own_address_too(world: MemorySystem) -> None:
    async with connected(world, path="/api/mcp/writer") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools["agent.query"].input_schema["required"] == ["prompt"]
        await client.call_tool("agent.query", {"prompt": "Hello?"})
        wrong = await client.call_tool("agent.query", {"question": "Hello?"})
        assert wrong.is_error
    [sent] = [json.loads(message.body) for message in world.outbox.sent]
    assert (sent["to"], sent["type"], sent["data"]) == ("writer", "agent.query", {"prompt": "Hello?"})


async def test_what_the_context_counts_is_a_resource(world: MemorySystem) -> None:
    await world.system.directory.send("archivist", "paper.filed", {"name": "deed"})
    await world.settle()
    async with connected(world) as client:
        counted = await read(client, "aos://agents/archivist/statistics")
    assert (counted["total_context_writes"], counted["current_history_size"], counted["total_memory_items"]) == (
        1,
        1,
        1,
    )
    assert counted["metadata"]["agent_id"] == "archivist"


@pytest.mark.parametrize("path", ["/api/mcp", "/api/mcp/writer"])
async def test_prompts_come_from_declarations(world: MemorySystem, path: str) -> None:
    async with connected(world, path=path) as client:
        prompts = {prompt.name: prompt for prompt in (await client.list_prompts()).prompts}
        assert set(prompts) == {"writer", "writer/orders.*", "writer/wake-2"}
        [asked] = (await client.get_prompt("writer", {"prompt": "What is new?"})).messages
        assert asked.content.text == "Write briefly.\n\nWhat is new?"  # type: ignore[union-attr]
        [woken] = (await client.get_prompt("writer/wake-2")).messages
        assert woken.content.text == "Write briefly.\n\nSum up."  # type: ignore[union-attr]
        for name, said in (("writer", "needs the argument `prompt`"), ("seller", "There is no prompt 'seller' here")):
            with pytest.raises(MCPError, match=said):
                await client.get_prompt(name)


async def test_a_credential_sees_its_agents_and_no_others(world: MemorySystem) -> None:
    async with connected(world, scope=OnlyWriters(), key="some") as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["writer"]
        assert all("/writer/" in resource.uri for resource in (await client.list_resources()).resources)
        with pytest.raises(MCPError, match=r"There is no agent 'archivist' here. There are: writer"):
            await client.call_tool("archivist", {"message": "paper.filed", "data": {"name": "x"}})
        with pytest.raises(MCPError, match="There is no resource"):
            await client.read_resource("aos://agents/archivist/state")
    async with connected(world, scope=OnlyWriters(), key="all") as client:
        assert len((await client.list_tools()).tools) > 1
    app = create_app(world.system)
    app.state.mcp_scope = OnlyWriters()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://aos") as api:
        refused = await api.post("/api/mcp/archivist", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")


async def test_agents_that_are_one_of_many_are_not_tools(world: MemorySystem) -> None:
    class Order(Agent[NoState]):
        type = "order"
        listed = False

        @on("order.placed")
        async def placed(self, turn: Turn, state: NoState, data: dict[str, Any]) -> None: ...

    world.registry.register(Order())
    async with connected(world) as client:
        assert "order" not in [tool.name for tool in (await client.list_tools()).tools]
