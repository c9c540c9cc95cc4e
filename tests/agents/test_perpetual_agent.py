from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from aos.agents import NoState, Turn, on
from aos.agents.perpetual_agent import PerpetualAgent
from aos.kernel.errors import InvalidInput, NotAllowedNow, SettingInvalid
from tests.harness import MemorySystem


class Seen(BaseModel):
    count: int = 0


class Watcher(PerpetualAgent[Seen]):
    type = "watcher"

    @on("watch")
    async def watch(self, turn: Turn, state: Seen, data: Any) -> dict[str, int]:
        state.count += 1
        if data == "bad":
            raise InvalidInput("That is nothing to watch.")
        return {"count": state.count}


async def test_handlers_are_called_with_the_events_data_and_a_failing_one_does_not_fail_the_others() -> None:
    ceo: PerpetualAgent[NoState] = PerpetualAgent("ceo", adapter_name="ceo")
    heard: list[Any] = []

    async def fails(data: Any) -> None:
        raise ValueError("no")

    async def hears(data: Any) -> str:
        heard.append(data)
        return "heard"

    assert await ceo.subscribe_to_event("market", fails)
    assert await ceo.subscribe_to_event("market", hears)
    world = MemorySystem(ceo)
    result = await ceo.handle_event({"type": "market", "data": {"up": 1}})
    assert result == {"status": "success", "processed_by": "ceo", "handler_results": [{"error": "no"}, "heard"]}
    assert heard == [{"up": 1}]
    [entry] = await world.system.directory.journal("ceo")
    assert entry.facts == [{"kind": "handler.failed", "handler": "fails", "error": "ValueError: no"}]


async def test_a_handler_that_takes_the_turn_acts_through_it() -> None:
    ceo: PerpetualAgent[NoState] = PerpetualAgent("ceo")

    async def forward(turn: Turn, data: Any) -> None:
        turn.send("watcher", "watch", data)

    await ceo.subscribe_to_event("market", forward)
    world = MemorySystem(ceo, Watcher())
    await world.system.directory.send("ceo", "market", "up")
    await world.settle()
    assert await world.state("watcher") == {"count": 1}


async def test_counters_are_those_of_the_head_whether_events_are_handed_in_or_sent() -> None:
    agent = Watcher(adapter_name="eyes")
    world = MemorySystem(agent)
    before = await agent.get_state()
    assert (before["wake_count"], before["mcp_context_preserved"]) == (0, False)
    assert await agent.handle_event({"type": "watch"}) == {
        "status": "success",
        "processed_by": "watcher",
        "result": {"count": 1},
    }
    await world.system.directory.send("watcher", "watch", None)
    await world.settle()
    state = await agent.get_state()
    assert (state["wake_count"], state["total_events_processed"], state["sleep_mode"]) == (2, 2, True)
    assert (state["adapter_name"], state["subscriptions"], state["is_running"]) == ("eyes", ["watch"], True)
    assert (await agent.get_state("watcher:other"))["wake_count"] == 0


async def test_an_event_that_cannot_be_taken_is_an_error_and_changes_nothing() -> None:
    agent = Watcher()
    world = MemorySystem(agent)
    bad = await agent.handle_event({"type": "watch", "data": "bad"})
    assert (bad["status"], bad["error"]) == ("error", "That is nothing to watch.")
    unknown = await agent.handle_event({"type": "listen"})
    assert unknown["status"] == "error"
    assert "does not handle 'listen'" in unknown["error"]
    assert await world.state("watcher") == {"count": 0}
    assert (await agent.get_state())["total_events_processed"] == 0


async def test_the_same_event_takes_effect_once() -> None:
    agent = Watcher()
    world = MemorySystem(agent)
    await agent.handle_event({"id": "e1", "type": "watch"})
    again = await agent.handle_event({"id": "e1", "type": "watch"})
    assert again == {"status": "success", "processed_by": "watcher", "duplicate": True}
    assert await world.state("watcher") == {"count": 1}


async def test_a_task_is_an_action_it_handles_and_any_other_is_unknown() -> None:
    agent = Watcher()
    MemorySystem(agent)
    assert await agent.execute_task({"action": "watch", "params": {}}) == {"status": "success", "result": {"count": 1}}
    unknown = await agent.execute_task({"action": "trigger_lora_training", "params": {}})
    assert unknown == {"status": "error", "error": "Unknown action: trigger_lora_training"}


async def test_it_says_how_it_is() -> None:
    agent = Watcher(name="Eyes", role="observer")
    world = MemorySystem(agent)
    assert (await agent.health_check())["state"] == "created"
    await agent.handle_event({"type": "watch"})
    world.clock.advance(60)
    health, status, meta = await agent.health_check(), await agent.get_status(), await agent.get_metadata()
    assert (health["agent_id"], health["state"], health["healthy"]) == ("watcher", "sleeping", True)
    assert (status["is_running"], status["type"], status["uptime_seconds"]) == (True, "Watcher", 60.0)
    assert (meta["name"], meta["role"], meta["metadata"]["version"]) == ("Eyes", "observer", "1.0.0")
    assert meta["metadata"]["created_at"] == status["created_at"]


async def test_stopped_it_takes_nothing_and_started_again_it_has_its_state() -> None:
    agent = Watcher()
    world = MemorySystem(agent)
    await agent.handle_event({"type": "watch"})
    assert await agent.stop()
    assert not agent.is_running
    assert (await agent.handle_event({"type": "watch"}))["status"] == "error"
    assert await agent.start()
    await agent.handle_event({"type": "watch"})
    assert await world.state("watcher") == {"count": 2}


async def test_what_is_not_registered_or_not_a_handler_is_refused_with_what_to_do() -> None:
    agent = Watcher()
    with pytest.raises(NotAllowedNow, match="register_agent"):
        await agent.handle_event({"type": "watch"})
    with pytest.raises(InvalidInput, match="type"):
        await agent.handle_event({"data": 1})
    with pytest.raises(SettingInvalid, match="async def"):
        await agent.subscribe_to_event("x", lambda data: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(SettingInvalid, match="no `type`"):
        PerpetualAgent()


async def test_an_authors_handlers_may_have_plain_names() -> None:
    class Names(PerpetualAgent[Seen]):
        type = "names"

        @on("take")
        async def take(self, turn: Turn, state: Seen, data: Any) -> str:
            return "taken"

        @on("answer")
        async def answer(self, turn: Turn, state: Seen, data: Any) -> str:
            return "answered"

    agent = Names()
    MemorySystem(agent)
    assert [await agent.act("take"), await agent.act("answer")] == ["taken", "answered"]


async def test_paused_it_says_so_and_an_event_handed_in_waits() -> None:
    agent = Watcher()
    world = MemorySystem(agent)
    await world.system.lifecycle.order("watcher", "pause")
    result = await agent.handle_event({"type": "watch"})
    assert (result["status"], "waits until it does" in result["error"]) == ("error", True)
    health = await agent.health_check()
    assert (health["state"], health["healthy"]) == ("paused", False)
    assert (await agent.get_metadata())["state"] == "paused"
    await world.system.lifecycle.order("watcher", "resume")
    await world.settle()
    assert await world.state("watcher") == {"count": 1}
    assert (await agent.health_check())["healthy"]
    assert (await agent.get_state())["wake_count"] == 2
