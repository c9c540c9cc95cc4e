"""The open questions of all agents, listed from an index and read from the agents' heads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from aos.agents import Agent, NoState, Turn, on
from aos.agents.questions import TABLE, QuestionIndex
from aos.api.app import create_app
from aos.kernel.errors import NeedsAnswer
from aos.kernel.ports import Entity, Upsert
from tests.harness import MemorySystem


class Host(Agent[NoState]):
    type = "host"
    listed = False

    @on("plan")
    async def plan(self, turn: Turn, state: NoState, places: list[str]) -> None:
        for place in places:
            if not (await turn.answer_to(place))[0]:
                raise NeedsAnswer(f"At {place}?", question=place)

    @on("answer")
    async def answer(self, turn: Turn, state: NoState, place: str) -> None:
        await turn.resume(place, "yes")


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Host(), questions={"seconds": 3600, "reminder_seconds": 0})


async def tell(world: MemorySystem, agent: str, kind: str, data: Any) -> None:
    await world.system.directory.send(agent, kind, data)
    await world.settle(until=timedelta(seconds=1))


async def listed(world: MemorySystem, **asked: Any) -> list[tuple[str, str]]:
    found, _ = await world.system.questions.page(**asked)
    return [(question["agent"], question["id"]) for question in found]


async def test_questions_come_and_go_with_their_answers(world: MemorySystem) -> None:
    await tell(world, "host:a", "plan", ["lake", "hill"])
    await tell(world, "host:b", "plan", ["park"])
    await tell(world, "host:a", "plan", ["bar"])
    assert sorted(await listed(world)) == [("host:a", "bar"), ("host:a", "lake"), ("host:b", "park")]
    await tell(world, "host:a", "answer", "lake")
    assert sorted(await listed(world)) == [("host:a", "bar"), ("host:a", "hill"), ("host:b", "park")]
    assert await listed(world, agent="host:b") == [("host:b", "park")]
    await world.settle()
    assert await listed(world) == []
    letters, _ = await world.system.kernel.dead_letters.page()
    assert {letter.error["code"] for letter in letters} == {"question_expired"}
    assert len(letters) == 3


async def test_pages_name_each_question_once(world: MemorySystem) -> None:
    for place in ("lake", "hill", "park"):
        await tell(world, "host:a", "plan", [place])
    seen: list[str] = []
    cursor: str | None = None
    while True:
        found, cursor = await world.system.questions.page(limit=1, cursor=cursor)
        seen += [question["id"] for question in found]
        if cursor is None:
            break
    assert sorted(seen) == ["hill", "lake", "park"]


async def test_a_row_that_lags_behind_is_not_believed_and_publishing_again_mends_it(world: MemorySystem) -> None:
    await tell(world, "host:a", "plan", ["lake"])
    page = await world.tables.scan(TABLE, "open", limit=10)
    await tell(world, "host:a", "answer", "lake")
    await world.tables.commit(TABLE, [Upsert(Entity("open", page.entities[0].row, {"agent": "host:a"}))])
    assert await listed(world) == []
    head = await world.system.kernel.heads.read("host:a")
    assert head is not None
    for _ in range(2):
        await QuestionIndex(world.tables).apply_entry(await world.system.kernel.journal.entry("host:a", 1), head)
    assert (await world.tables.scan(TABLE, "open", limit=10)).entities == []


async def test_the_api_shows_when_a_question_ends(world: MemorySystem) -> None:
    await tell(world, "host:a", "plan", ["lake"])
    transport = httpx.ASGITransport(create_app(world.system))
    async with httpx.AsyncClient(transport=transport, base_url="http://aos") as api:
        [question] = (await api.get("/api/v1/questions")).json()["questions"]
        [same] = (await api.get("/api/v1/agents/host:a")).json()["questions"]
    assert question == same
    assert (question["message"], question["details"]["question"]) == ("At lake?", "lake")
    assert question["expires"] > question["since"]
