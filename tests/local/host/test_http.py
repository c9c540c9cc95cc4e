from __future__ import annotations

import asyncio
import json
import logging
import re
import time

import pytest

from tests.local.host.conftest import StartHost, app_module, caller, next_seen


async def test_a_function_gets_the_request_and_its_response_goes_back(start_host: StartHost) -> None:
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    async with start_host() as host, caller(host) as http:
        answer = await http.post(
            "/api/hello/W%C3%B6rld?a=1&a=2&empty=", content="body", headers={"X-Thing": "t", "traceparent": trace}
        )
    assert answer.status_code == 201
    assert answer.headers["x-a"] == "b"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "method": "POST",
        "name": "Wörld",
        "query": {"a": "1,2"},
        "header": "t",
        "body": "body",
        "function": "hello",
        "trace": trace,
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/api/hello", 201, '"name": null'),
        ("GET", "/API/Hello/x", 201, '"name": "x"'),
        ("PUT", "/api/hello", 404, "No function"),
        ("GET", "/hello", 404, "No function"),
        ("GET", "/api/item/12", 200, "item 12"),
        ("GET", "/api/item/twelve", 404, "No function"),
        ("DELETE", "/api/files/a/b%20c", 200, "rest a/b c"),
        ("GET", "/api/files", 200, "rest None"),
    ],
)
async def test_routes_as_the_real_host(start_host: StartHost, method: str, path: str, status: int, text: str) -> None:
    async with start_host() as host, caller(host) as http:
        answer = await http.request(method, path)
    assert (answer.status_code, text in answer.text) == (status, True)


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("guarded", None, 401),
        ("guarded", "wrong", 401),
        ("guarded", "the-function-key", 200),
        ("guarded", "the-master-key", 200),
        ("ruled", "the-function-key", 401),
        ("ruled", "the-master-key", 200),
    ],
)
async def test_keys_open_what_their_level_allows(
    start_host: StartHost, path: str, key: str | None, status: int
) -> None:
    async with start_host() as host, caller(host) as http:
        by_header = await http.get(f"/api/{path}", headers={"x-functions-key": key} if key else {})
        by_code = await http.get(f"/api/{path}", params={"code": key} if key else {})
    assert (by_header.status_code, by_code.status_code) == (status, status)


async def test_without_any_key_guarded_functions_stay_shut(start_host: StartHost) -> None:
    shut = {"AOS_HOST_FUNCTION_KEY": "", "AOS_HOST_MASTER_KEY": ""}
    async with start_host(settings=shut) as host, caller(host) as http:
        answer = await http.get("/api/guarded", headers={"x-functions-key": ""})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["broken", "nothing"])
async def test_a_failure_is_opaque_outside_and_whole_in_the_log(
    start_host: StartHost, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    async with start_host() as host, caller(host) as http:
        with caplog.at_level(logging.ERROR):
            answer = await http.get(f"/api/{path}")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    logged = [record for record in caplog.records if getattr(record, "error_id", None) == answer.json()["id"]]
    assert len(logged) == 1
    assert logged[0].exc_info


async def test_a_body_over_the_limit_is_refused(start_host: StartHost) -> None:
    async with start_host(settings={"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "10"}) as host, caller(host) as http:
        fits = await http.post("/api/hello", content="0123456789")
        over = await http.post("/api/hello", content="0123456789a")
    assert (fits.status_code, over.status_code) == (201, 413)


async def test_status_tells_what_runs(start_host: StartHost) -> None:
    async with start_host() as host, caller(host) as http:
        await http.get("/api/item/1")
        status = (await http.get("/admin/host/status")).json()
    assert status["state"] == "running"
    functions = {function["name"]: function for function in status["functions"]}
    assert functions["item"] == {"name": "item", "trigger": "http", "succeeded": 1, "failed": 0}
    assert functions["mailbox"]["trigger"] == "bus"
    assert status["connections"] == {"ServiceBus": False}


async def test_a_request_under_way_may_end_when_the_host_stops(start_host: StartHost) -> None:
    async with start_host() as host, caller(host) as http:
        pending = asyncio.create_task(http.get("/api/waits"))
        await next_seen("waiting")
        stopping = asyncio.create_task(host.__aexit__())
        app_module().gate.set()
        assert (await pending).text == "waited"
        await stopping


async def test_a_function_over_its_time_is_cancelled(start_host: StartHost, caplog: pytest.LogCaptureFixture) -> None:
    override = {"AzureFunctionsJobHost__functionTimeout": "00:00:00.05"}
    async with start_host(settings=override) as host, caller(host) as http:
        answer = await http.get("/api/waits")
    assert answer.status_code == 500
    assert re.search("functionTimeout", caplog.text)


async def test_answers_are_problem_documents(start_host: StartHost) -> None:
    async with start_host() as host, caller(host) as http:
        answer = await http.get("/api/guarded")
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.text)["status"] == 401


async def test_the_app_may_close_what_it_opened(start_host: StartHost) -> None:
    async with start_host():
        pass
    assert await next_seen("closed") == "closed"


async def test_answers_on_a_kept_connection_do_not_wait_for_acknowledgements(start_host: StartHost) -> None:
    async with start_host() as host, caller(host) as http:
        took = []
        for _ in range(10):
            started = time.perf_counter()
            await http.get("/api/hello/you")
            took.append(time.perf_counter() - started)
    # An answer held back until the last one is acknowledged takes 40 ms, every time.
    assert min(took) < 0.03
