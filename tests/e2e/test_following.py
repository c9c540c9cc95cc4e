"""Events as they happen, over a stack that streams, as `aos up` does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _events(answer: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Names and data of server-sent events, as they come."""
    name = ""
    async for line in answer.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


async def test_what_happens_in_a_task_is_seen_before_the_task_has_ended(http: httpx.AsyncClient) -> None:
    request: dict[str, Any] = {"task_type": "code_review", "title": "Look on", "target": "nothing"}
    request |= {"parameters": {"source": "none"}, "auto_execute": False}
    task = (await http.post("/api/v1/tasks", json=request)).raise_for_status().json()["id"]
    accept = {"Accept": "text/event-stream"}
    async with (
        asyncio.timeout(PATIENCE),
        http.stream("GET", f"/api/v1/tasks/{task}/events", headers=accept) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = _events(answer)
        first, _ = await anext(events)
        assert first != "task.ended"
        assert (await http.get(f"/api/v1/tasks/{task}")).json()["status"] == "pending"

        (await http.post(f"/api/v1/tasks/{task}/cancel")).raise_for_status()
        rest = [name async for name, _ in events]
    assert rest[-1] == "task.ended", "the stream ends with the task"
    assert "task.ended" not in rest[:-1]
