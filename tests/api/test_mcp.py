"""An agent as an MCP server, met with the SDK's own client and with plain JSON-RPC."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.functions as func
import httpx
import httpx2
import jsonschema
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from pydantic import BaseModel

from aos.agents import Agent, Turn, on
from aos.api.app import create_app
from aos.kernel.errors import BusUnavailable
from tests.agents.test_agent import Counter
from tests.harness import MemorySystem
from tests.test_docs import snippets

ROOT = Path(__file__).resolve().parents[2]
READS = {"get_context", "get_history", "get_memory"}


class Part(BaseModel):
    name: str
    parts: list[Part] = []


class Kept(BaseModel):
    kept: list[Any] = []


class Archivist(Agent[Kept]):
    type = "archivist"
    name = "The archivist"
    purpose = "Keep what others forget"

    @on("paper.filed")
    async def filed(self, turn: Turn, state: Kept, paper: Part) -> None:
        """File a paper with its parts."""
        context = self.context(turn)
        await context.set_context("last", paper.name)
        await context.store_event({"filed": paper.name})
        await context.add_memory({"paper": paper})
        state.kept.append(paper.name)

    @on("word.said")
    async def said(self, turn: Turn, state: Kept, word: str) -> None:
        state.kept.append(word)

    @on("*")
    async def other(self, turn: Turn, state: Kept, data: Any) -> None:
        state.kept.append(turn.message.type)


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Archivist(), Counter(), api={"max_body_bytes": 2_000, "max_wait_seconds": 0.01})


@pytest.fixture
async def api(world: MemorySystem) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(world.system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://aos") as client:
        yield client


@asynccontextmanager
async def connected(
    world: MemorySystem, agent: str = "archivist", *, path: str = "/api/v1/mcp", mode: str = "auto"
) -> AsyncIterator[Client]:
    transport = httpx2.ASGITransport(create_app(world.system))
    async with (
        httpx2.AsyncClient(transport=transport) as http,
        Client(streamable_http_client(f"http://aos{path}/{agent}", http_client=http), mode=mode) as client,
    ):
        yield client


async def rpc(api: httpx.AsyncClient, method: str, *, agent: str = "archivist", **params: Any) -> Any:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    response = await api.post(f"/api/mcp/{agent}", json=message)
    assert response.headers["content-type"] == "application/json"
    return response.json()


@pytest.mark.parametrize("path", ["/api/v1/mcp", "/api/mcp"])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_learns_who_the_agent_is_and_what_it_takes(world: MemorySystem, path: str, mode: str) -> None:
    async with connected(world, path=path, mode=mode) as client:
        assert client.server_info is not None
        assert (client.server_info.name, client.server_info.title) == ("archivist", "The archivist")
        assert client.instructions == "Keep what others forget"
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"paper.filed", "word.said", *READS}
    assert tools["paper.filed"].description == "File a paper with its parts."
    jsonschema.validate({"name": "a", "parts": [{"name": "b"}]}, tools["paper.filed"].input_schema)
    jsonschema.validate({"data": "a"}, tools["word.said"].input_schema)
    for wrong in ({}, {"name": "a", "parts": [{}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, tools["paper.filed"].input_schema)
    assert all(tool.input_schema["type"] == "object" for tool in tools.values())
    assert tools["get_memory"].annotations is not None
    assert tools["get_memory"].annotations.read_only_hint


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_call_sends_the_agent_a_message_and_what_it_keeps_can_be_read(world: MemorySystem, mode: str) -> None:
    async with connected(world, mode=mode) as client:
        posted = await client.call_tool("paper.filed", {"name": "deed"})
        assert posted.structured_content["agent"] == "archivist"
        assert posted.structured_content["message_id"] == json.loads(world.outbox.sent[0].body)["id"]
        await client.call_tool("word.said", {"data": "hello"})
        await world.settle()
        assert await world.state("archivist") == {"kept": ["deed", "hello"]}
        assert (await client.call_tool("get_context", {})).structured_content == {"context": {"last": "deed"}}
        one = await client.call_tool("get_context", {"key": "last"})
        assert one.structured_content == {"key": "last", "value": "deed"}
        [event] = (await client.call_tool("get_history", {"limit": 5})).structured_content["history"]
        assert event["event"] == {"filed": "deed"}
        [item] = (await client.call_tool("get_memory", {})).structured_content["memory"]
        assert item["item"] == {"paper": {"name": "deed", "parts": []}}


async def test_resources_show_context_history_memory_journal_and_state(world: MemorySystem) -> None:
    async with connected(world) as client:
        await client.call_tool("paper.filed", {"name": "deed"})
        await client.call_tool("paper.filed", {"name": "will"})
        await world.settle()
        listed = [resource.uri for resource in (await client.list_resources()).resources]
        assert listed == [
            f"aos://agents/archivist/{name}"
            for name in ("context", "history", "memory", "statistics", "journal", "state")
        ]
        content: dict[str, Any] = {}
        for uri in listed:
            [found] = (await client.read_resource(uri)).contents
            assert (found.uri, found.mime_type) == (uri, "application/json")
            content[uri.rpartition("/")[2]] = json.loads(found.text)  # type: ignore[union-attr]
    assert content["context"] == {"last": "will"}
    assert [record["event"]["filed"] for record in content["history"]] == ["deed", "will"]
    assert [record["item"]["paper"]["name"] for record in content["memory"]] == ["deed", "will"]
    assert [entry["version"] for entry in content["journal"]] == [2, 1]
    assert (content["state"]["version"], content["state"]["state"]) == (2, {"kept": ["deed", "will"]})


async def test_the_resources_of_another_agent_are_not_here(world: MemorySystem) -> None:
    async with connected(world) as client:
        for uri in ("aos://agents/counter/state", "aos://agents/archivist/secrets", "context"):
            with pytest.raises(MCPError, match="There is no resource"):
                await client.read_resource(uri)


async def test_arguments_that_do_not_fit_are_told_to_the_caller_and_nothing_is_sent(world: MemorySystem) -> None:
    async with connected(world) as client:
        for name, arguments, said in (
            ("paper.filed", {"parts": []}, "name: Field required"),
            ("word.said", {}, "valid string"),
            ("get_memory", {"limit": 0}, "greater than or equal to 1"),
            ("get_context", {"kee": "x"}, "kee"),
        ):
            result = await client.call_tool(name, arguments)
            assert result.is_error, name
            assert said in result.content[0].text, name  # type: ignore[union-attr]
            assert result.structured_content["error"]["code"] == "validation_error"
        with pytest.raises(MCPError, match=r"no tool 'paper.burnt'. It has: get_context"):
            await client.call_tool("paper.burnt", {})
    assert world.outbox.sent == []


async def test_data_that_json_schema_cannot_describe_does_not_hide_the_other_tools() -> None:
    class Odd(Agent[Kept]):
        type = "odd"

        @on("odd.thing")
        async def thing(self, turn: Turn, state: Kept, data: Callable[[], int]) -> None:
            state.kept.append("called")

    async with connected(MemorySystem(Odd()), "odd") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"odd.thing", *READS}
    assert tools["odd.thing"].input_schema["required"] == ["data"]


async def test_a_call_that_cannot_be_sent_says_so(world: MemorySystem) -> None:
    world.outbox.failure = BusUnavailable("The bus does not answer. Try again.")
    async with connected(world) as client:
        result = await client.call_tool("word.said", {"data": "x"})
    assert result.is_error
    assert result.structured_content["error"]["code"] == BusUnavailable.code


async def test_a_caller_may_wait_for_the_outcome_and_repeat_a_call(world: MemorySystem) -> None:
    async with connected(world) as client:
        meta: Any = {"aos/wait": 30, "aos/message_id": "m-1"}
        first = await client.call_tool("word.said", {"data": "once"}, meta=meta)
        assert first.structured_content == {"agent": "archivist", "message_id": "m-1", "outcome": "pending"}
        await world.settle()
        again = await client.call_tool("word.said", {"data": "once"}, meta=meta)
        assert again.structured_content == {**first.structured_content, "outcome": "applied", "version": 1}
        await world.settle()
        assert await world.state("archivist") == {"kept": ["once"]}
        for wrong in ({"aos/wait": -1}, {"aos/wait": True}, {"aos/wait": "1"}, {"aos/message_id": ""}):
            result = await client.call_tool("word.said", {"data": "x"}, meta=wrong)  # type: ignore[arg-type]
            assert result.is_error


async def test_the_outcome_of_a_message_that_was_given_up_has_its_error(world: MemorySystem) -> None:
    await world.system.directory.send("archivist", "word.said", 7, source="/api/mcp", message_id="m-2")
    await world.settle()
    async with connected(world) as client:
        meta: Any = {"aos/wait": 1, "aos/message_id": "m-2"}
        result = await client.call_tool("word.said", {"data": "seven"}, meta=meta)
    assert result.structured_content["outcome"] == "dead"
    assert result.structured_content["error"]["code"] == "validation_error"


async def test_an_agent_of_many_takes_messages_before_it_has_lived(world: MemorySystem) -> None:
    async with connected(world, "counter:eu") as client:
        with pytest.raises(MCPError, match="There is no agent"):
            await client.read_resource("aos://agents/counter:eu/state")
        await client.call_tool("counter.add", {"by": 3})
        await world.settle()
        [found] = (await client.read_resource("aos://agents/counter:eu/state")).contents
        assert json.loads(found.text)["state"]["total"] == 3  # type: ignore[union-attr]


async def test_the_protocol_is_spoken_as_plain_json(world: MemorySystem, api: httpx.AsyncClient) -> None:
    asked: Any = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    greeting = (await rpc(api, "initialize", **asked))["result"]
    assert greeting["protocolVersion"] == "2025-06-18"
    assert greeting["serverInfo"]["name"] == "archivist"
    assert set(greeting["capabilities"]) >= {"tools", "resources"}
    told = await api.post("/api/mcp/archivist", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (told.status_code, told.content) == (202, b"")
    names = {tool["name"] for tool in (await rpc(api, "tools/list"))["result"]["tools"]}
    assert names == {"paper.filed", "word.said", *READS}
    called = (await rpc(api, "tools/call", name="word.said", arguments={"data": "hi"}))["result"]
    assert json.loads(called["content"][0]["text"]) == called["structuredContent"]
    assert called["structuredContent"]["message_id"] == json.loads(world.outbox.sent[0].body)["id"]
    assert (await rpc(api, "unknown/method"))["error"]["code"] == -32601


async def test_the_trace_of_the_caller_goes_on_in_the_agents_turn(world: MemorySystem, api: httpx.AsyncClient) -> None:
    parents = [f"00-{digit * 32}-{digit * 16}-01" for digit in "12"]
    call: dict[str, Any] = {"name": "word.said", "arguments": {"data": "x"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    await api.post("/api/mcp/archivist", json=body, headers={"traceparent": parents[0]})
    await api.post("/api/mcp/archivist", json={**body, "params": {**call, "_meta": {"traceparent": parents[1]}}})
    await world.settle()
    entries = await world.system.directory.journal("archivist")
    assert [entry.trace for entry in entries] == ["1" * 32, "2" * 32]


async def test_what_is_not_a_message_for_an_agent_is_refused(api: httpx.AsyncClient) -> None:
    assert (await api.get("/api/v1/mcp/archivist")).status_code == 405
    assert (await api.delete("/api/mcp/archivist")).status_code == 405
    unknown = await api.post("/api/v1/mcp/nobody", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_agent_type")
    header = {"Content-Type": "application/json"}
    assert (await api.post("/api/mcp/archivist", content=b"{", headers=header)).status_code == 400
    assert (await api.post("/api/mcp/archivist", content=b"x=1")).status_code == 415
    large = await api.post("/api/mcp/archivist", content=b'"' + b"x" * 3_000 + b'"', headers=header)
    assert large.status_code == 413


async def test_the_bridge_of_the_functions_host_serves_it(world: MemorySystem) -> None:
    call = {"name": "word.said", "arguments": {"data": "bridged"}}
    request = func.HttpRequest(
        method="POST",
        url="http://localhost:7071/api/v1/mcp/archivist",
        headers={"content-type": "application/json", "host": "localhost:7071"},
        body=json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).encode(),
    )
    bridge: Any = func.AsgiMiddleware
    response = await bridge(create_app(world.system)).handle_async(request)
    assert response.status_code == 200
    assert json.loads(response.get_body())["result"]["structuredContent"]["agent"] == "archivist"
    await world.settle()
    assert await world.state("archivist") == {"kept": ["bridged"]}


async def test_several_clients_are_answered_at_once(world: MemorySystem) -> None:
    async with connected(world) as one, connected(world, "counter") as other:
        await one.call_tool("word.said", {"data": "a"})
        await other.call_tool("counter.add", {"by": 2})
        await world.settle()
    assert (await world.state("archivist"))["kept"] == ["a"]
    assert (await world.state("counter"))["total"] == 2


async def test_the_documented_client_and_request_do_what_the_docs_say() -> None:
    names: dict[str, Any] = {"__name__": "docs"}
    for page in ("agents.md", "mcp.md"):
        for code in snippets(ROOT / "docs" / page, "python"):
            exec(compile(code, page, "exec", dont_inherit=True), names)
    world = MemorySystem(names["Bookkeeper"](), api={"mcp_wait_seconds": 0})
    app = create_app(world.system)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http:
        message_id = await names["send_invoice"](http)
        await world.settle(until=timedelta(days=1))
        assert await world.state("bookkeeper") == {"open": {"A-1": 12.5}}
        [entry] = await world.system.directory.journal("bookkeeper")
        assert entry.received[0]["message"]["id"] == message_id
        request, *_ = snippets(ROOT / "docs" / "mcp.md", "json")
        request = request.replace('"aos/wait": 10', '"aos/wait": 0')
        header = {"Content-Type": "application/json", "Accept": "application/json"}
        answer = (await http.post(names["ADDRESS"], content=request, headers=header)).json()
    assert answer["result"]["structuredContent"]["message_id"] == "invoice-A-1"


def test_the_sdk_is_loaded_by_the_first_mcp_request_and_no_other() -> None:
    code = """
import asyncio, sys, httpx
import function_app
from aos.api.app import create_app
from tests.agents.test_agent import Counter
from tests.harness import MemorySystem
sdk = lambda: [name for name in sys.modules if name.partition('.')[0] in ('mcp', 'mcp_types')]
async def main():
    transport = httpx.ASGITransport(create_app(MemorySystem(Counter()).system))
    async with httpx.AsyncClient(transport=transport, base_url='http://aos') as api:
        assert (await api.get('/api/v1/agents')).status_code == 200
        ping = {'jsonrpc': '2.0', 'id': 1, 'method': 'ping'}
        assert (await api.post('/api/mcp/nobody', json=ping)).status_code == 404
        assert not sdk(), sdk()
        assert (await api.post('/api/mcp/counter', json=ping)).json()['result'] == {}
        assert sdk()
asyncio.run(main())
print('done')
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "done", done.stderr
