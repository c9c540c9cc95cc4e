"""Following an agent: events by server-sent events or by asking again, without a gap and without one twice."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from aos.agents import Agent, Turn, on
from aos.api.app import create_app
from tests.harness import MemorySystem
from tests.workflows.test_tasks import WORK, Boss, Left, Right


class Diary(BaseModel):
    lines: int = 0


class Diarist(Agent[Diary]):
    type = "diarist"
    purpose = "Write down what happens"

    @on("note")
    async def note(self, turn: Turn, state: Diary, lines: dict[str, Any]) -> None:
        for text in lines["texts"]:
            state.lines += 1
            turn.record("noted", text=text)


def connect(world: MemorySystem) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(world.system), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://aos/api/v1")


async def note(world: MemorySystem, *texts: str) -> None:
    await world.system.directory.send("diarist", "note", {"texts": texts})
    await world.settle()


def parse(body: str) -> list[tuple[str, str, Any]]:
    """The events of a stream, as a browser would see them."""
    found = []
    for block in body.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Diarist(), Left(), Right(), Boss(), workflows=(WORK,))


async def test_events_are_given_once_each_however_one_goes_on(world: MemorySystem) -> None:
    await note(world, "one", "two")
    async with connect(world) as api:
        first = (await api.get("/agents/diarist/events")).json()
        assert [(e["id"], e["event"]) for e in first["events"]] == [("1.0", "noted"), ("1.1", "noted"), ("1.2", "turn")]
        assert first["events"][0]["data"]["text"] == "one"
        assert (await api.get("/agents/diarist/events", params={"after": first["after"]})).json()["events"] == []
        await note(world, "three")
        within = (await api.get("/agents/diarist/events", params={"after": "1.0"})).json()
        assert [e["id"] for e in within["events"]] == ["1.1", "1.2", "2.0", "2.1"]
        whole_turn = (await api.get("/agents/diarist/events", params={"after": "1"})).json()
        assert [e["id"] for e in whole_turn["events"]] == ["2.0", "2.1"]


async def test_waiting_ends_with_the_first_event(world: MemorySystem) -> None:
    await note(world, "one")
    async with connect(world) as api:
        asked = asyncio.create_task(api.get("/agents/diarist/events", params={"after": "1", "wait": 30}))
        for _ in range(20):  # so that it has looked, and found nothing
            await asyncio.sleep(0)
        assert not asked.done()
        await note(world, "two")
        assert [e["data"].get("text") for e in (await asked).json()["events"]] == ["two", None]


async def test_a_reader_of_streams_goes_on_behind_the_last_event_it_has(world: MemorySystem) -> None:
    await note(world, "one")
    async with connect(world) as api:
        stream = {"Accept": "text/event-stream"}
        first = await api.get("/agents/diarist/events", headers=stream)
        assert first.headers["content-type"].startswith("text/event-stream")
        assert first.text.startswith("retry: ")
        assert [(id_, name) for id_, name, _ in parse(first.text)] == [("1.0", "noted"), ("1.1", "turn")]
        await note(world, "two")
        second = await api.get("/agents/diarist/events", headers={**stream, "Last-Event-ID": "1.1"})
        assert [data.get("text") for _, _, data in parse(second.text)] == ["two", None]


async def test_a_stream_of_a_task_ends_with_the_task() -> None:
    world = MemorySystem(Left(), Right(), Boss(), workflows=(WORK,), api={"streaming": True})
    async with connect(world) as api:
        task = (await api.post("/tasks", json={"task_type": "work", "title": "t", "target": "here"})).json()
        await world.settle()
        response = await api.get(f"/tasks/{task['id']}/events", headers={"Accept": "text/event-stream"})
        names = [name for _, name, _ in parse(response.text)]
        assert names[-1] == "task.ended"
        told = (await api.get(f"/tasks/{task['id']}/events")).json()
        assert told["ended"]


@pytest.mark.parametrize(("path", "status"), [("/agents/nobody/events", 404), ("/agents/diarist/events?after=x", 422)])
async def test_what_cannot_be_followed_is_said(world: MemorySystem, path: str, status: int) -> None:
    async with connect(world) as api:
        assert (await api.get(path)).status_code == status
