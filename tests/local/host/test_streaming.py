from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from aos.kernel.errors import SettingInvalid
from tests.local.host.conftest import APP, StartHost, app_module, caller

STREAMING = APP.with_name("streaming_app")


async def test_what_a_function_streams_arrives_as_it_is_sent(start_host: StartHost) -> None:
    async with (
        start_host(app=STREAMING) as host,
        caller(host) as http,
        http.stream("POST", "/api/stream/some", content="body") as answer,
    ):
        chunks = answer.aiter_bytes()
        assert await anext(chunks) == b"some body"
        app_module().gate.set()
        assert [chunk async for chunk in chunks] == [b" end"]
        assert answer.headers["content-type"].startswith("text/event-stream")


async def test_a_stream_of_events_keeps_no_host_from_stopping(start_host: StartHost) -> None:
    async with AsyncExitStack() as exits:
        host = await exits.enter_async_context(start_host(app=STREAMING, grace=60.0))
        async with caller(host) as http, http.stream("POST", "/api/stream/some", content="body") as answer:
            chunks = answer.aiter_bytes()
            assert await anext(chunks) == b"some body"
            async with asyncio.timeout(20):
                await exits.aclose()
            assert [chunk async for chunk in chunks] == [], "the answer has an orderly end"


async def test_the_two_kinds_of_http_functions_do_not_mix(start_host: StartHost, tmp_path: Path) -> None:
    code = (STREAMING / "function_app.py").read_text()
    code += '\n\n@app.route(route="x")\ndef buffered(req: func.HttpRequest) -> str: ...\n'
    (tmp_path / "function_app.py").write_text(code)
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    with pytest.raises(SettingInvalid, match="'stream' uses the http-fastapi extension and 'buffered'"):
        async with start_host(app=tmp_path):
            pass
