"""An agent's context: there in the next turn, committed with the turn, bounded, and nobody else's."""

from __future__ import annotations

import json
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, ConfigDict

from aos.agents import Agent, ContextLimits, ContextMCPServer, Turn, on
from aos.agents.context_server import CONTEXT
from aos.api.app import create_app
from aos.kernel.errors import NotAllowedNow, RetryableError, TerminalError
from aos.kernel.policy import AgentPolicy, RetryPolicy
from tests.agents.test_agent import Counter
from tests.harness import MemorySystem
from tests.test_docs import snippets

NUMBERS = count()
PAGE = Path(__file__).resolve().parents[2] / "docs" / "agents.md"


class Notes(BaseModel):
    model_config = ConfigDict(extra="forbid")

    turns: int = 0
    seen: Any = None


class Call(BaseModel):
    """A method of the context to call, and with what."""

    method: str
    args: list[Any] = []
    fail: str | None = None


class Keeper(Agent[Notes]):
    type = "keeper"
    policy = AgentPolicy(retry=RetryPolicy(max_attempts=2))
    context_limits = ContextLimits(max_history_size=3, max_memory_size=2, max_memory_bytes=200)

    @on("keep")
    async def keep(self, turn: Turn, state: Notes, call: Call) -> None:
        state.turns += 1
        state.seen = await getattr(self.context(turn), call.method)(*call.args)
        if call.fail == "once" and turn.attempt == 1:
            raise RetryableError("Not now. Try again.")
        if call.fail == "always":
            raise TerminalError("Never.")


class Hoarder(Agent[Notes]):
    type = "hoarder"
    escaped: ContextMCPServer | None = None

    @on("hoard")
    async def hoard(self, turn: Turn, state: Notes, many: int) -> None:
        context = self.context(turn)
        for number in range(many):
            await context.store_event({"n": number})
            await context.add_memory({"n": number})
        Hoarder.escaped = context


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Keeper(), Hoarder(), Counter())


async def call(world: MemorySystem, method: str, *args: Any, to: str = "keeper", fail: str | None = None) -> Any:
    """What a method of the context returned in a turn of its own."""
    data = {"method": method, "args": list(args), "fail": fail}
    await world.system.directory.send(to, "keep", data, message_id=f"call-{next(NUMBERS)}")
    await world.settle()
    return (await world.state(to))["seen"]


async def test_what_is_set_in_one_turn_is_there_in_the_next_in_another_host_too(world: MemorySystem) -> None:
    assert await call(world, "set_context", "focus", {"on": "growth"}) is True
    assert await call(world, "get_context", "focus") == {"on": "growth"}
    successor = MemorySystem(Keeper())
    vars(successor.tables).update(vars(world.tables))
    assert await call(successor, "get_context", "focus") == {"on": "growth"}
    assert await call(successor, "get_context", "missing", 7) == 7


async def test_two_agents_of_one_type_have_contexts_of_their_own(world: MemorySystem) -> None:
    await call(world, "set_context", "focus", "growth", to="keeper:ceo")
    await call(world, "set_context", "focus", "stability", to="keeper:cfo")
    assert await call(world, "get_context", "focus", to="keeper:ceo") == "growth"
    assert await call(world, "get_context", "focus", to="keeper:cfo") == "stability"
    assert (await world.system.directory.context("keeper:ceo")).metadata["agent_id"] == "keeper:ceo"


async def test_values_are_updated_cleared_and_counted(world: MemorySystem) -> None:
    await call(world, "update_context", {"a": 1, "b": 2, "c": 3})
    await call(world, "set_context", "a", 4)
    assert await call(world, "get_all_context") == {"a": 4, "b": 2, "c": 3}
    await call(world, "clear_context", ["a", "unknown"])
    assert await call(world, "get_all_context") == {"b": 2, "c": 3}
    assert await call(world, "get_statistics") == {
        "total_context_reads": 2,
        "total_context_writes": 4,
        "total_events_stored": 0,
        "total_memory_items": 0,
        "current_context_size": 2,
        "current_history_size": 0,
        "current_memory_size": 0,
        "is_connected": True,
    }
    await call(world, "clear_context")
    assert await call(world, "get_all_context") == {}


async def test_a_whole_object_can_be_kept(world: MemorySystem) -> None:
    assert await call(world, "load_state") == {}
    await call(world, "save_state", {"step": 3})
    assert await call(world, "load_state") == {"step": 3}


async def test_events_and_memory_items_get_the_time_of_the_turn_and_the_oldest_go(world: MemorySystem) -> None:
    first = await call(world, "store_event", {"n": 0})
    assert first == {"timestamp": "2026-01-01T00:00:00Z", "event": {"n": 0}}
    for number in range(1, 5):
        await call(world, "store_event", {"n": number})
        await call(world, "add_memory", {"n": number})
    assert [record["event"]["n"] for record in await call(world, "get_event_history")] == [2, 3, 4]
    assert [record["event"]["n"] for record in await call(world, "get_event_history", 2)] == [3, 4]
    assert await call(world, "get_event_history", 0) == []
    assert [record["item"]["n"] for record in await call(world, "get_memory")] == [3, 4]
    statistics = await call(world, "get_statistics")
    assert (statistics["total_events_stored"], statistics["current_history_size"]) == (5, 3)
    assert (statistics["total_memory_items"], statistics["current_memory_size"]) == (4, 2)


async def test_the_size_in_bytes_is_bounded_too(world: MemorySystem) -> None:
    await call(world, "add_memory", "x" * 100)
    await call(world, "add_memory", "y" * 100)
    assert [record["item"][0] for record in await call(world, "get_memory")] == ["y"]
    await call(world, "add_memory", "z" * 300)
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert "Keep large things as artifacts" in letter.error["message"]
    assert [record["item"][0] for record in await call(world, "get_memory")] == ["y"]


async def test_a_message_that_fails_leaves_no_trace_in_the_context(world: MemorySystem) -> None:
    await call(world, "set_context", "a", "before")
    await call(world, "set_context", "a", "failed", fail="always")
    assert await call(world, "get_context", "a") == "before"
    await call(world, "store_event", "tried twice", fail="once")
    assert [record["event"] for record in await call(world, "get_event_history")] == ["tried twice"]


async def test_the_authors_state_does_not_show_the_context_but_the_journal_vouches_for_it(world: MemorySystem) -> None:
    await call(world, "set_context", "a", 1)
    await call(world, "store_event", "seen")
    assert await world.state("keeper") == {"turns": 2, "seen": {"timestamp": "2026-01-01T00:00:00Z", "event": "seen"}}
    assert (await world.system.directory.verify("keeper")).problem is None


async def test_an_agent_that_does_not_use_its_context_has_none(world: MemorySystem) -> None:
    await world.system.directory.send("counter", "counter.add", {"by": 1})
    await world.settle()
    head = await world.system.kernel.heads.read("counter")
    assert head is not None
    assert json.loads(head.state) == {"total": 1, "heard": []}
    context = await world.system.directory.context("counter")
    assert (await context.get_all_context(), context.metadata["created_at"]) == ({}, None)


async def test_what_a_turn_writes_does_not_grow_once_the_history_is_full(world: MemorySystem) -> None:
    for number in range(12):
        await call(world, "store_event", {"n": number % 10})
    entries = await world.system.directory.journal("keeper", limit=100)
    sizes = [len(json.dumps(entry.patch)) for entry in entries]
    assert max(sizes[4:]) - min(sizes[4:]) < 20, sizes


async def test_a_full_context_stays_within_its_default_bounds(world: MemorySystem) -> None:
    await world.system.directory.send("hoarder", "hoard", 1_010)
    await world.settle()
    context = await world.system.directory.context("hoarder")
    history, memory = await context.get_event_history(), await context.get_memory()
    assert (len(history), history[0]["event"], len(memory), memory[0]["item"]) == (1_000, {"n": 10}, 500, {"n": 510})


async def test_a_write_outside_of_a_turn_is_refused_not_lost(world: MemorySystem) -> None:
    await world.system.directory.send("hoarder", "hoard", 1)
    await world.settle()
    assert Hoarder.escaped is not None
    for context in (Hoarder.escaped, await world.system.directory.context("hoarder")):
        assert not await context.initialize()
        with pytest.raises(NotAllowedNow, match="only in a turn"):
            await context.set_context("a", 1)
        with pytest.raises(NotAllowedNow):
            await context.store_event("late")
        with pytest.raises(NotAllowedNow):
            await context.clear_context()


async def test_after_its_shutdown_a_context_takes_no_more_writes() -> None:
    class Closer(Agent[Notes]):
        type = "closer"

        @on("go")
        async def go(self, turn: Turn, state: Notes, data: Any) -> None:
            context = self.context(turn)
            await context.set_context("when", {"day": date(2026, 5, 1), "note": Call(method="m")})
            assert await context.shutdown()
            with pytest.raises(NotAllowedNow):
                await context.set_context("when", "later")
            state.seen = await self.context(turn).get_context("when")

    world = MemorySystem(Closer())
    await world.system.directory.send("closer", "go", None)
    await world.settle()
    assert (await world.state("closer"))["seen"] == {
        "day": "2026-05-01",
        "note": {"method": "m", "args": [], "fail": None},
    }


async def test_what_is_read_is_a_copy_and_what_is_not_json_is_refused() -> None:
    class Careless(Agent[Notes]):
        type = "careless"

        @on("go")
        async def go(self, turn: Turn, state: Notes, data: Any) -> None:
            context = self.context(turn)
            await context.set_context("list", [1])
            (await context.get_context("list")).append(2)
            (await context.get_all_context())["list"].append(3)
            (await context.store_event({"n": 1}))["event"]["n"] = 2
            state.seen = [await context.get_context("list"), (await context.get_event_history())[0]["event"]]

        @on("bad")
        async def bad(self, turn: Turn, state: Notes, data: Any) -> None:
            await self.context(turn).set_context("what", object())

    world = MemorySystem(Careless())
    await world.system.directory.send("careless", "go", None)
    await world.system.directory.send("careless", "bad", None)
    await world.settle()
    assert (await world.state("careless"))["seen"] == [[1], {"n": 1}]
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert "keeps only JSON" in letter.error["message"]


async def test_the_api_shows_a_context(world: MemorySystem) -> None:
    await call(world, "set_context", "a", 1)
    transport = httpx.ASGITransport(create_app(world.system))
    async with httpx.AsyncClient(transport=transport, base_url="http://aos") as client:
        shown = (await client.get("/api/v1/agents/keeper/context")).json()
        assert CONTEXT not in (await client.get("/api/v1/agents/keeper")).json()["state"]
        assert (await client.get("/api/v1/agents/nobody/context")).status_code == 404
    assert (shown["context"], shown["history"], shown["memory"]) == ({"a": 1}, [], [])
    assert shown["statistics"]["total_context_writes"] == 1
    assert shown["metadata"] == {"agent_id": "keeper", "created_at": "2026-01-01T00:00:00Z", "version": "1.0.0"}


async def test_the_documented_adviser_remembers_the_last_question() -> None:
    names: dict[str, Any] = {"__name__": "docs"}
    for code in snippets(PAGE, "python"):
        exec(compile(code, "agents.md", "exec", dont_inherit=True), names)
    world = MemorySystem(names["Adviser"]())
    for number, question in enumerate(("tax", "rent")):
        await world.system.directory.send(
            "adviser", "advice.wanted", question, reply_to="queue:answers", message_id=f"q-{number}"
        )
        await world.settle()
    answers = [body["data"] for body in world.sent_to("answers")]
    assert answers == ["You asked about nothing before.", "You asked about tax before."]
    context = await world.system.directory.context("adviser")
    assert [record["event"] for record in await context.get_event_history()] == [{"asked": "tax"}, {"asked": "rent"}]
