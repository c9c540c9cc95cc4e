from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from aos.kernel.errors import (
    BusUnavailable,
    CommitAmbiguous,
    Conflict,
    InvalidInput,
    StoreUnavailable,
)
from aos.kernel.ports import Entity, Insert, OutboundMessage
from aos.testing import (
    Action,
    Fault,
    FaultPlan,
    FaultyBlobs,
    FaultyBus,
    FaultyTables,
    MemoryBlobStore,
    MemoryBus,
    MemoryTableStore,
    SimulatedCrash,
    VirtualClock,
    crashes,
)


def row(key: str) -> list[Insert]:
    return [Insert(Entity("p", key, {"n": 1}))]


def mail(*ids: str) -> list[OutboundMessage]:
    return [OutboundMessage("agent-inbox", b"{}", id_, session_id="a") for id_ in ids]


class Shop:
    """Stores with one plan."""

    def __init__(self, *faults: Fault) -> None:
        self.clock = VirtualClock()
        self.plan = FaultPlan(*faults)
        self.kept = MemoryTableStore()
        self.files = MemoryBlobStore()
        self.line = MemoryBus(self.clock)
        self.tables = FaultyTables(self.kept, self.plan, self.clock)
        self.blobs = FaultyBlobs(self.files, self.plan, self.clock)
        self.bus = FaultyBus(self.line, self.plan, self.clock)

    @property
    def rows(self) -> list[str]:
        return [entity.row for entity in self.kept.entities("agents")]

    @property
    def letters(self) -> list[str | None]:
        return [message.message_id for message in self.line.peek("agent-inbox")]


async def test_without_faults_all_is_passed_on_and_noted() -> None:
    shop = Shop()
    assert len(await shop.tables.commit("agents", row("a"))) == 1
    found = await shop.tables.get("agents", "p", "a")
    assert found is not None
    assert (await shop.tables.scan("agents", "p", first="a", before="b", where={"n": 1}, limit=5)).entities == [found]
    await shop.blobs.put("f/x", b"data", content_type="text/plain", metadata={"k": "v"})
    assert await shop.blobs.get("f/x") == b"data"
    assert [chunk async for chunk in shop.blobs.stream("f/x")] == [b"data"]
    info = await shop.blobs.stat("f/x")
    assert info is not None
    assert (info.content_type, info.metadata) == ("text/plain", {"k": "v"})
    assert (await shop.blobs.list("f/", limit=3)).blobs == [info]
    assert await shop.blobs.delete("f/x") is True
    await shop.bus.send(mail("1"))
    assert shop.letters == ["1"]
    assert shop.plan.log == [
        "tables.commit",
        "tables.get",
        "tables.scan",
        "blobs.put",
        "blobs.get",
        "blobs.stream",
        "blobs.stat",
        "blobs.list",
        "blobs.delete",
        "bus.send",
    ]


@pytest.mark.parametrize(
    ("action", "error", "done"),
    [
        (Action.FAIL, StoreUnavailable, False),
        (Action.HALVE, StoreUnavailable, False),
        (Action.THROTTLE, StoreUnavailable, False),
        (Action.LOSE_REQUEST, CommitAmbiguous, False),
        (Action.LOSE_ANSWER, CommitAmbiguous, True),
        (Action.CRASH, SimulatedCrash, False),
        (Action.CRASH_AFTER, SimulatedCrash, True),
    ],
)
async def test_a_commit_that_goes_wrong(action: Action, error: type[BaseException], done: bool) -> None:
    shop = Shop(Fault(action))
    with pytest.raises(error):
        await shop.tables.commit("agents", row("a"))
    assert shop.rows == (["a"] if done else [])


@pytest.mark.parametrize(
    ("action", "sent"),
    [
        (Action.FAIL, []),
        (Action.THROTTLE, []),
        (Action.LOSE_REQUEST, []),
        (Action.LOSE_ANSWER, ["1", "2", "3"]),
        (Action.HALVE, ["1", "2"]),
    ],
)
async def test_a_send_that_goes_wrong(action: Action, sent: list[str]) -> None:
    shop = Shop(Fault(action))
    with pytest.raises(BusUnavailable):
        await shop.bus.send(mail("1", "2", "3"))
    assert shop.letters == sent
    await shop.bus.send(mail("1", "2", "3"))
    assert sorted(filter(None, shop.letters)) == ["1", "2", "3"]


async def test_a_throttled_caller_is_told_how_long_to_wait() -> None:
    shop = Shop(Fault(Action.THROTTLE, seconds=4))
    with pytest.raises(StoreUnavailable) as caught:
        await shop.tables.get("agents", "p", "a")
    assert caught.value.retry_after == 4


async def test_an_answer_that_is_lost_hides_a_refusal_too() -> None:
    shop = Shop(Fault(Action.LOSE_ANSWER, at=2))
    await shop.tables.commit("agents", row("a"))
    with pytest.raises(CommitAmbiguous) as caught:
        await shop.tables.commit("agents", row("a"))
    assert isinstance(caught.value.__cause__, Conflict)


async def test_a_refusal_comes_through_other_faults() -> None:
    shop = Shop(Fault(Action.DELAY, at=2, seconds=0))
    await shop.tables.commit("agents", row("a"))
    with pytest.raises(Conflict):
        await shop.tables.commit("agents", row("a"))


async def test_a_delay_lasts_on_the_virtual_clock() -> None:
    shop = Shop(Fault(Action.DELAY, seconds=30))
    task = asyncio.create_task(shop.tables.commit("agents", row("a")))
    await asyncio.sleep(0)
    shop.clock.advance(29)
    await asyncio.sleep(0)
    assert shop.rows == []
    shop.clock.advance(1)
    await task
    assert shop.rows == ["a"]


async def test_a_delay_needs_a_clock() -> None:
    tables = FaultyTables(MemoryTableStore(), FaultPlan(Fault(Action.DELAY)))
    with pytest.raises(InvalidInput, match="clock"):
        await tables.get("agents", "p", "a")


async def test_a_fault_strikes_where_it_was_told_to() -> None:
    shop = Shop(Fault(Action.FAIL, at=2, on="tables.commit", times=2), Fault(Action.FAIL, on="blobs"))
    await shop.tables.commit("agents", row("a"))
    await shop.tables.get("agents", "p", "a")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await shop.tables.commit("agents", row("b"))
    assert not shop.plan.spent
    with pytest.raises(StoreUnavailable):
        await shop.blobs.put("x", b"")
    assert shop.plan.spent
    await shop.tables.commit("agents", row("b"))
    await shop.blobs.put("x", b"")
    assert shop.rows == ["a", "b"]


async def test_a_dead_process_does_nothing() -> None:
    shop = Shop(Fault(Action.CRASH, at=2))
    await shop.tables.commit("agents", row("a"))
    with pytest.raises(SimulatedCrash):
        await shop.bus.send(mail("1"))
    assert shop.plan.crashed
    with pytest.raises(SimulatedCrash):
        await shop.tables.commit("agents", row("b"))
    with pytest.raises(SimulatedCrash):
        await shop.blobs.put("x", b"")
    assert (shop.rows, shop.letters, shop.files.names()) == (["a"], [], ())


async def test_no_handler_of_exceptions_survives_a_crash() -> None:
    shop = Shop(Fault(Action.CRASH))

    async def careless() -> None:
        try:
            await shop.tables.get("agents", "p", "a")
        except Exception:  # noqa: BLE001  # what careless code does
            pytest.fail("the crash was caught")

    with pytest.raises(SimulatedCrash):
        await careless()


@pytest.mark.parametrize(
    ("action", "chunks"), [(Action.FAIL, 0), (Action.LOSE_ANSWER, 1), (Action.CRASH, 0), (Action.CRASH_AFTER, 1)]
)
async def test_a_stream_that_goes_wrong(action: Action, chunks: int) -> None:
    shop = Shop(Fault(action, on="blobs.stream"))
    await shop.blobs.put("x", b"data")
    seen: list[bytes] = []

    async def read(stream: AsyncIterator[bytes]) -> None:
        async for chunk in stream:
            seen.append(chunk)  # noqa: PERF401  # what came before the fault counts

    with pytest.raises((StoreUnavailable, SimulatedCrash)):
        await read(shop.blobs.stream("x"))
    assert len(seen) == chunks


def test_a_log_shows_all_places_to_die() -> None:
    assert crashes(["tables.get", "bus.send"]) == [
        Fault(Action.CRASH, 1),
        Fault(Action.CRASH_AFTER, 1),
        Fault(Action.CRASH, 2),
        Fault(Action.CRASH_AFTER, 2),
    ]


@pytest.mark.parametrize(("at", "times"), [(0, 1), (1, 0)])
def test_a_fault_strikes_at_least_once(at: int, times: int) -> None:
    with pytest.raises(InvalidInput):
        Fault(Action.FAIL, at=at, times=times)
