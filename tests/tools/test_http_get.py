"""Reading pages: what is allowed is read, and nothing inside is reached by any way."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ThreadedResolver, web

from aos.kernel.errors import InvalidInput, PermissionDenied, Throttled
from aos.tools import Tool, ToolContext, ToolFailed
from aos.tools.http_get import Page, http_get


@pytest.fixture
async def site() -> AsyncIterator[str]:
    async def page(request: web.Request) -> web.StreamResponse:
        path = request.path
        if path == "/busy":
            return web.Response(status=429, headers={"Retry-After": "7"})
        if path == "/broken":
            return web.Response(status=503)
        if path == "/loop":
            raise web.HTTPFound("/loop")
        if path == "/away":
            raise web.HTTPFound("http://metadata.invalid/secret")
        if path == "/moved":
            raise web.HTTPMovedPermanently("/here")
        return web.Response(text="welcome " * 4, content_type="text/plain")

    app = web.Application()
    app.router.add_get("/{path:.*}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", 0)
    await server.start()
    assert server._server is not None
    yield f"http://localhost:{server._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    await runner.cleanup()


async def read(reader: Tool, url: str) -> Page:
    found = await reader.run(reader.read({"url": url}), ToolContext("a", "k", 5.0))
    return Page.model_validate(found)


async def test_an_allowed_page_is_read_through_redirects_and_cut_at_its_limit(site: str) -> None:
    reader = http_get(["localhost"], allow_private=True, max_bytes=10)
    page = await read(reader, f"{site}/moved")
    assert page == Page(url=f"{site}/here", status=200, content_type="text/plain", text="welcome we", truncated=True)
    assert reader.labels == ("untrusted:web",)


@pytest.mark.parametrize(
    ("path", "error"),
    [("/busy", Throttled), ("/broken", ToolFailed), ("/loop", ToolFailed), ("/away", PermissionDenied)],
)
async def test_what_goes_wrong_is_told_apart(site: str, path: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await read(http_get(["localhost"], allow_private=True), site + path)


async def test_an_allowed_name_with_an_address_inside_is_not_reached(site: str) -> None:
    with pytest.raises(PermissionDenied, match="inside"):
        await read(http_get(["localhost"]), site)


async def test_a_name_with_one_address_inside_among_others_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(self: Any, host: str, port: int = 0, family: int = socket.AF_INET) -> list[dict[str, Any]]:
        return [{"host": address} for address in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
    with pytest.raises(PermissionDenied, match="inside"):
        await read(http_get(["*"]), "http://example.com/")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "169.254.169.254", "10.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "100.64.0.1", "0.0.0.0", "224.0.0.1"],
)
async def test_literal_addresses_inside_are_not_reached(host: str) -> None:
    with pytest.raises(PermissionDenied, match="inside"):
        await read(http_get(["*"]), f"http://{host}/")


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "file:///etc/passwd", "http://", "http://me:pw@example.com/", "x"]
)
async def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises((InvalidInput, PermissionDenied)):
        await read(http_get(["*"]), url)


async def test_hosts_that_are_not_listed_are_refused() -> None:
    with pytest.raises(PermissionDenied, match=r"Allowed are: \*\.example\.com"):
        await read(http_get(["*.example.com"]), "https://example.org/")
