"""Servers at an address, over streamable HTTP: made with the SDK, and such that break off or refuse."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ToolAnnotations

from aos.kernel.errors import AosError, Throttled
from aos.mcp.errors import (
    AnswerInvalid,
    AnswerTooLarge,
    ConnectionLost,
    RequestRefused,
    ServerFailed,
    ServerTimedOut,
    ServerUnavailable,
)
from aos.reliability.errors import RateLimitError
from tests.mcp.conftest import Make, served

READS = ToolAnnotations(read_only_hint=True)


class Shop:
    """A server with a counter of calls, and what it was told of them."""

    def __init__(self) -> None:
        self.calls = 0
        self.metas: list[Any] = []
        self.server = MCPServer("shop")

        @self.server.tool(annotations=READS)
        async def look(context: Context) -> int:
            self.calls += 1
            self.metas.append(dict(context.request_context.meta or {}))
            return self.calls

        @self.server.tool(annotations=READS)
        async def wait() -> str:
            await asyncio.Event().wait()
            return ""

        @self.server.tool(annotations=READS)
        async def large(size: int) -> list[str]:
            return ["x" * size]

    def app(self, **options: Any) -> Any:
        return self.server.streamable_http_app(**options)


class Refusing:
    """Answers everything but the handshake with a status of HTTP."""

    def __init__(self, app: Any, status: int, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.app = app
        self.status = status
        self.headers = headers
        self.asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        waiting = [await receive()]
        body = json.loads(waiting[0].get("body") or b"{}")

        async def again() -> Any:
            return waiting.pop() if waiting else await receive()

        if body.get("method") != "tools/call":
            await self.app(scope, again, send)
            return
        self.asked += 1
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": b"no, token-1234"})


@pytest.mark.parametrize("options", [{}, {"json_response": True}, {"stateless_http": True}])
async def test_a_server_at_an_address_is_called(make: Make, options: dict[str, Any]) -> None:
    shop = Shop()
    async with served(shop.app(**options)) as address:
        servers = make({"shop": {"url": f"{address}/mcp", "headers": {"X-Key": "${TOKEN}"}}}, processes=False)
        assert await servers.call("shop", "look", {}) == {"result": 1}
        assert await servers.get("shop").call("look", {}, key="k-1") == {"result": 2}
        assert shop.metas[1]["aos/message_id"] == "k-1"
        assert servers.rows()[0]["status"] == "connected"
        await servers.close()


async def test_changes_that_a_server_tells_of_are_heard(make: Make) -> None:
    shop = Shop()

    async def smell() -> str:
        return "roses"

    @shop.server.tool()
    async def restock(context: Context) -> str:
        shop.server.add_tool(smell, annotations=READS)
        await context.session.send_tool_list_changed()
        return "done"

    async with served(shop.app()) as address:
        server = make({"shop": {"url": f"{address}/mcp"}}).get("shop")
        assert "smell" not in (await server.catalogue()).tools
        await server.call("restock", {})
        assert (await server.tool("smell")).effect == "read"
        assert await server.call("smell", {}) == {"result": "roses"}
        await server.close()


async def test_nobody_at_the_address_means_that_nothing_has_happened(make: Make) -> None:
    server = make({"gone": {"url": "http://127.0.0.1:9/mcp", "max_retries": 2}}).get("gone")
    with pytest.raises(ServerUnavailable, match="cannot be connected to: ConnectError") as caught:
        await server.call("look", {})
    assert (caught.value.code, caught.value.retryable) == ("mcp_server_unavailable", True)


async def test_a_server_that_goes_away_keeps_what_was_known_of_it(make: Make) -> None:
    shop = Shop()
    servers = None
    async with served(shop.app()) as address:
        servers = make({"shop": {"url": f"{address}/mcp", "max_retries": 1}})
        assert "look" in (await servers.get("shop").catalogue()).tools
        await servers.close()
    server = servers.get("shop")
    server._expired = True
    assert "look" in (await server.catalogue()).tools
    with pytest.raises(ServerUnavailable):
        await server.catalogue(fresh=True)


async def test_too_much_is_not_read(make: Make) -> None:
    async with served(Shop().app(json_response=True)) as address:
        server = make({"shop": {"url": f"{address}/mcp", "max_result_bytes": 5_000}}).get("shop")
        with pytest.raises(AnswerTooLarge, match="over 5,000 bytes and was not read"):
            await server.call("large", {"size": 1_000_000})
        assert (await server.call("large", {"size": 100}))["result"] == ["x" * 100]
        await server.close()


async def test_a_server_that_hangs_is_not_waited_for(make: Make) -> None:
    async with served(Shop().app()) as address:
        server = make({"shop": {"url": f"{address}/mcp"}}).get("shop")
        await server.catalogue()
        server.config = server.config.model_copy(update={"timeout_seconds": 0.05})
        with pytest.raises(ServerTimedOut):
            await server.call("wait", {})
        await server.close()


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (401, RequestRefused, "does not let us in (HTTP status 401). Correct its `headers`"),
        (429, Throttled, "asks for a pause"),
        (503, ServerUnavailable, "did nothing (HTTP status 503)"),
        (500, ServerFailed, "failed: Server returned an error response"),
    ],
)
async def test_a_status_says_whether_anything_was_done(
    make: Make, status: int, error: type[AosError], said: str
) -> None:
    shop = Shop()
    refusing = Refusing(shop.app(), status, ((b"retry-after", b"7"),))
    async with served(refusing) as address:
        server = make({"shop": {"url": f"{address}/mcp", "headers": {"K": "${TOKEN}"}}}).get("shop")
        with pytest.raises(error) as caught:
            await server.call("look", {})
        assert said in caught.value.message
        assert "token-1234" not in caught.value.message
        assert (refusing.asked, shop.calls) == (1, 0)
        assert caught.value.retry_after == (7 if status == 429 else None)
        await server.close()


async def test_something_else_than_mcp_is_not_understood(make: Make) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
            await send({"type": "http.response.body", "body": b"<html></html>"})

    async with served(app) as address:
        server = make({"page": {"url": f"{address}/", "max_retries": 1}}).get("page")
        with pytest.raises((ServerUnavailable, AnswerInvalid, ConnectionLost)):
            await server.catalogue()
        await server.close()


async def test_calls_stay_within_the_rate(make: Make) -> None:
    async with served(Shop().app()) as address:
        server = make({"shop": {"url": f"{address}/mcp", "calls_per_minute": 1}}).get("shop")
        await server.call("look", {})
        with pytest.raises(RateLimitError):
            await server.call("look", {})
        await server.close()


async def test_a_connection_that_nobody_uses_is_closed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aos.mcp.line.IDLE", 0.0)
    shop = Shop()
    async with served(shop.app()) as address:
        servers = make({"shop": {"url": f"{address}/mcp"}})
        for number in (1, 2):
            assert await servers.call("shop", "look", {}) == {"result": number}
            while servers.rows()[0]["status"] == "connected":  # noqa: ASYNC110  # until the timer has fired
                await asyncio.sleep(0)
        await servers.close()
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "mcp connection"]


async def test_a_call_that_is_cancelled_leaves_the_connection_to_the_others(make: Make) -> None:
    shop = Shop()
    async with served(shop.app()) as address:
        server = make({"shop": {"url": f"{address}/mcp"}}).get("shop")
        await server.catalogue()
        waiting = asyncio.create_task(server.call("wait", {}))
        assert await server.call("look", {}) == {"result": 1}
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await server.call("look", {}) == {"result": 2}
        assert server.row()["status"] == "connected"
        await server.close()


async def test_no_secret_is_logged(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    refusing = Refusing(Shop().app(), 500)
    async with served(refusing) as address:
        server = make({"shop": {"url": f"{address}/mcp?key=${{TOKEN}}", "headers": {"K": "${TOKEN}"}}}).get("shop")
        await server.catalogue()
        with pytest.raises(ServerFailed):
            await server.call("look", {})
        await server.close()
    ours = [record for record in caplog.records if not record.name.startswith(("mcp.server", "uvicorn"))]
    assert "token-1234" not in " ".join(record.getMessage() for record in ours)


async def test_one_system_uses_the_agents_of_another(make: Make) -> None:
    from aos.api.app import create_app
    from tests.api.test_mcp import Archivist
    from tests.harness import MemorySystem

    other = MemorySystem(Archivist(), api={"mcp_wait_seconds": 0})
    async with served(create_app(other.system)) as address:
        servers = make({"house": {"url": f"{address}/api/mcp"}, "one": {"url": f"{address}/api/v1/mcp/archivist"}})
        assert "archivist" in (await servers.get("house").catalogue()).tools
        paper = {"message": "paper.filed", "data": {"name": "deed"}}
        for _ in range(2):
            posted = await servers.get("house").call("archivist", paper, key="k-1")
            assert posted == {"agent": "archivist", "message_id": "k-1", "outcome": "pending"}
        await servers.call("one", "word.said", {"data": "hello"})
        await other.settle()
        for server in servers:
            await server.close()
    assert await other.state("archivist") == {"kept": ["deed", "hello"]}


def test_the_sdk_is_not_loaded_before_a_server_is_used() -> None:
    script = "import sys, aos.system, aos.mcp; print([m for m in ('mcp', 'httpx2') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
