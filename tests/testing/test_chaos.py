"""Each kind of chaos does to stores and bus what its name says, and a system comes through it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel

from aos.agents import Agent, Turn, on
from aos.kernel.errors import AosError, BusUnavailable, InvalidInput, StoreUnavailable
from aos.kernel.ports import OutboundMessage
from aos.testing import (
    ChaosKind,
    FaultPlan,
    FaultyBlobs,
    FaultyBus,
    FaultyTables,
    MemoryBlobStore,
    MemoryBus,
    MemoryTableStore,
    Scenario,
    SimulatedCrash,
    VirtualClock,
    chaos,
)
from aos.testing.crash_world import CrashWorld


class Place:
    def __init__(self, kind: ChaosKind | str, **options: Any) -> None:
        self.clock = VirtualClock()
        self.plan = FaultPlan(*chaos(kind, **options))
        self.line = MemoryBus(self.clock)
        tables = FaultyTables(MemoryTableStore(), self.plan, self.clock)
        blobs = FaultyBlobs(MemoryBlobStore(), self.plan, self.clock)
        bus = FaultyBus(self.line, self.plan, self.clock)
        letter = OutboundMessage("agent-inbox", b"{}", "1", session_id="a")
        self.operations: dict[str, Callable[[], Awaitable[Any]]] = {
            "tables": lambda: tables.get("agents", "p", "r"),
            "blobs": lambda: blobs.get("x"),
            "bus": lambda: bus.send([letter]),
        }


@pytest.mark.parametrize("kind", ["storage_failure", "storage_outage"])
async def test_a_storage_outage_lasts_as_long_as_told_and_leaves_the_bus_alone(kind: str) -> None:
    place = Place(kind, times=2)
    for name in ("tables", "blobs"):
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await place.operations[name]()
        await place.operations[name]()
    await place.operations["bus"]()
    assert place.plan.spent


async def test_a_lost_message_is_not_there_and_its_sender_sends_it_again() -> None:
    place = Place("message_loss")
    await place.operations["tables"]()
    with pytest.raises(BusUnavailable):
        await place.operations["bus"]()
    assert list(place.line.peek("agent-inbox")) == []
    await place.operations["bus"]()
    assert [message.message_id for message in place.line.peek("agent-inbox")] == ["1"]


@pytest.mark.parametrize("name", ["tables", "blobs", "bus"])
async def test_exhausted_resources_ask_for_a_pause(name: str) -> None:
    place = Place(ChaosKind.RESOURCE_EXHAUSTION, seconds=7)
    with pytest.raises(AosError) as caught:
        await place.operations[name]()
    assert (caught.value.retryable, caught.value.retry_after) == (True, 7)


@pytest.mark.parametrize(
    ("kind", "slow"),
    [
        ("network_latency", {"tables", "blobs", "bus"}),
        ("network_delay", {"tables", "blobs", "bus"}),
        ("message_bus_delay", {"bus"}),
    ],
)
async def test_delays_last_on_the_virtual_clock(kind: str, slow: set[str]) -> None:
    for name in ("tables", "blobs", "bus"):
        place = Place(kind, seconds=30)
        task = asyncio.ensure_future(place.operations[name]())
        for _ in range(3):
            await asyncio.sleep(0)
        assert task.done() is (name not in slow)
        place.clock.advance(30)
        await task


async def test_an_agent_is_unavailable_when_its_process_died() -> None:
    place = Place("agent_unavailable", at=2)
    await place.operations["tables"]()
    for name in ("blobs", "tables", "bus"):
        with pytest.raises(SimulatedCrash):
            await place.operations[name]()


@pytest.mark.parametrize("kind", ["cpu_stress", "memory_stress", "policy_engine_failure", "nonsense"])
def test_what_nothing_stands_behind_is_refused(kind: str) -> None:
    with pytest.raises(InvalidInput, match="storage_outage"):
        chaos(kind)


class Total(BaseModel):
    n: int = 0


class Counter(Agent[Total]):
    type = "counter"

    @on("add")
    async def add(self, turn: Turn, state: Total, data: dict[str, int]) -> None:
        state.n += data["n"]
        if turn.agent == "counter":
            turn.send("counter:log", "add", data)


# What waits on the virtual clock would wait for ever here: nobody moves it while an operation is under way.
@pytest.mark.parametrize("kind", sorted({*ChaosKind} - {k for k in ChaosKind if k.endswith(("latency", "delay"))}))
async def test_a_system_comes_through_it_with_every_message_counted_once(kind: ChaosKind) -> None:
    world = CrashWorld(
        lambda _: Counter(), Scenario().send("counter", "add", {"n": 2}).send("counter", "add", {"n": 3})
    )
    plan = FaultPlan(*(fault for fault in chaos(kind) if fault.on != "blobs"))
    await world.run(plan)
    assert plan.spent
    finished = await world.finished()
    assert finished.states["counter"] == finished.states["counter:log"] == {"n": 5}
    assert finished.dead_letters == ()
