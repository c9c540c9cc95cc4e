"""What happens rarely: sizes, damage, races, and the ends of ranges."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aos.kernel import meter, patch
from aos.kernel.ambient import RandomIds, SystemClock
from aos.kernel.errors import Conflict, NotAllowedNow, NotFound, RetryableError, StoreUnavailable, Throttled
from aos.kernel.kernel import Delivery
from aos.kernel.message import Message
from aos.kernel.packing import unpack
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.ports import Delete, Entity, Insert, Operation, Replace
from aos.kernel.settings import KernelSettings
from aos.kernel.turn import Turn
from aos.testing import MemoryBlobStore, MemoryTableStore, SeededIds
from tests.kernel.world import Script, World, count

BIG = 400_000


def noise(length: int = BIG) -> str:
    """What cannot be compressed to a property's size."""
    ids = SeededIds(3)
    return "".join(ids.new() for _ in range(length // 32))


async def collect(turn: Turn) -> None:
    turn.state.setdefault("seen", []).append(turn.message.data)


def test_the_real_clock_and_ids() -> None:
    clock, ids = SystemClock(), RandomIds()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert clock.monotonic() <= clock.monotonic()
    assert ids.new() != ids.new()
    assert len(ids.new()) <= 36
    assert 0 <= ids.random() < 1


def test_an_error_survives_pickling() -> None:
    error = Throttled("Wait.", code="busy", retry_after=3, details={"service": "s"})
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.message, again.code, again.retry_after, again.details) == (
        Throttled,
        "Wait.",
        "busy",
        3,
        {"service": "s"},
    )


def test_a_delay_never_overflows() -> None:
    assert RetryPolicy(factor=1e6, jitter=0).delay(1_000, 0.5) == 300


def test_operations_of_the_bus_add_up() -> None:
    with meter.metered() as usage:
        meter.count(bus_sends=1, bus_receives=2, bus_completes=3)
    assert usage.bus_operations == 6


def test_patches_change_in_place_or_as_a_whole() -> None:
    assert patch.apply({"a": [1]}, [["add", ["a"], [2, 3]]]) == {"a": [1, 2, 3]}
    assert patch.apply([1], [["add", [], [2, 3]]]) == [1, 2, 3]
    assert patch.apply([1], [["set", [], {"a": 1}]]) == {"a": 1}
    assert patch.apply({"a": 1, "b": 2}, [["del", ["a"]]]) == {"b": 2}
    assert patch.apply({"a": [{"b": 1}]}, [["set", ["a", 0, "b"], 2]]) == {"a": [{"b": 2}]}


async def test_a_head_is_forgotten_where_there_is_no_more_room() -> None:
    world = World(Script("a", count), settings=KernelSettings(cache_size=1))
    await world.give(world.message("a:1"))
    await world.give(world.message("a:2"))
    assert world.kernel.heads.remembered("a:1") is None
    assert world.kernel.heads.remembered("a:2") is not None


async def test_a_message_without_an_address_is_a_dead_letter() -> None:
    world = World()
    await world.kernel.deliver([Delivery(world.message("").encode())])
    [letter], _ = await world.kernel.dead_letters.page()
    assert letter.error["code"] == "malformed_message"


async def test_a_dead_letter_that_does_not_exist_cannot_be_sent_again() -> None:
    with pytest.raises(NotFound):
        await World().kernel.resubmit("nothing")


async def test_a_large_dead_letter_is_kept_in_a_blob() -> None:
    world = World()
    await world.give(world.message("nobody", data=noise()))
    [letter], _ = await world.kernel.dead_letters.page()
    assert letter.message is not None
    assert letter.message["data"] == noise()


async def test_a_large_message_is_held_in_a_blob() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data == 0 and turn.attempt == 1:
            raise RetryableError("Not yet.")
        turn.state.setdefault("seen", []).append(len(str(turn.message.data)))

    world = World(Script("a", run, AgentPolicy(strict_order=True)))
    await world.give(world.message("a", data=0), world.message("a", data=noise()))
    await world.settle()
    assert await world.state("a") == {"seen": [1, BIG]}


async def test_a_blob_that_is_gone_and_a_property_that_is_damaged_are_named() -> None:
    with pytest.raises(StoreUnavailable, match="state/abc"):
        await unpack("state", {"state_ref": "state/abc"}, MemoryBlobStore())
    with pytest.raises(StoreUnavailable, match="damaged"):
        await unpack("state", {"state_z": "text"}, MemoryBlobStore())


async def test_a_strict_agent_goes_on_with_what_it_held_in_the_same_turn() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data == 1 and turn.attempt == 1:
            raise RetryableError("Not yet.")
        await collect(turn)

    world = World(Script("a", run, AgentPolicy(strict_order=True)))
    first = world.message("a", data=1)
    await world.give(first)
    retry = Message.decode(world.mail()[0].body)
    await world.give(world.message("a", data=2), retry, world.message("a", data=3))
    assert await world.state("a") == {"seen": [1, 2, 3]}
    assert world.tables.entities("agents")[-1].row.startswith("j:")  # type: ignore[attr-defined]


async def test_a_strict_agent_stops_again_at_the_next_that_fails() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data in (1, 3) and turn.attempt == 1:
            raise RetryableError("Not yet.")
        await collect(turn)

    world = World(Script("a", run, AgentPolicy(strict_order=True)))
    await world.give(*(world.message("a", data=data) for data in range(1, 6)))
    await world.settle()
    assert await world.state("a") == {"seen": [1, 2, 3, 4, 5]}


async def test_a_message_to_oneself_is_a_message_like_any_other() -> None:
    async def run(turn: Turn) -> None:
        await collect(turn)
        if turn.message.type == "go":
            turn.send("a", "more", "mine", subject="greeting")

    world = World(Script("a", run))
    await world.give(world.message("a", data="yours"))
    await world.settle()
    assert await world.state("a") == {"seen": ["yours", "mine"]}


async def test_a_timeout_after_the_reply_is_passed_over() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.type == "go":
            turn.ask("b", "question", timeout=timedelta(seconds=5))
        else:
            await collect(turn)

    world = World(Script("a", run))
    await world.give(world.message("a"))
    question, timeout = (Message.decode(mail.body) for mail in world.mail())
    await world.give(world.message("a", "question.reply", 42, source="b", correlation_id=question.id))
    await world.give(timeout)
    assert await world.state("a") == {"seen": [42]}


async def test_a_reminder_moved_in_its_own_turn_stays() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.type == "go":
            turn.remind("tea", "remember", 1, after=timedelta(minutes=1))
        else:
            await collect(turn)
            if turn.message.data == 1:
                turn.remind("tea", "remember", 2, after=timedelta(minutes=1))

    world = World(Script("a", run))
    await world.give(world.message("a"))
    await world.settle()
    assert await world.state("a") == {"seen": [1, 2]}


async def test_an_agent_may_not_ask_without_end() -> None:
    async def run(turn: Turn) -> None:
        turn.ask("b", "one")
        with pytest.raises(NotAllowedNow):
            turn.ask("b", "two")

    world = World(Script("a", run, AgentPolicy(max_pending_requests=1)))
    await world.give(world.message("a"))
    assert len(world.mail()) == 1


async def test_blobs_can_be_written_in_a_turn() -> None:
    async def run(turn: Turn) -> None:
        await turn.blobs.put("artifacts/x", b"data")

    world = World(Script("a", run))
    await world.give(world.message("a"))
    assert await world.blobs.get("artifacts/x") == b"data"


async def test_a_large_result_of_a_step_is_kept_in_a_blob() -> None:
    calls: list[int] = []

    async def work() -> str:
        calls.append(1)
        return noise()

    async def run(turn: Turn) -> None:
        turn.state["length"] = len(await turn.step("read", work))
        if turn.attempt == 1:
            raise RetryableError("Not yet.")

    world = World(Script("a", run))
    await world.give(world.message("a"))
    await world.settle()
    assert await world.state("a") == {"length": BIG}
    assert len(calls) == 1


async def test_many_steps_are_deleted_in_several_transactions() -> None:
    async def one() -> int:
        return 1

    async def run(turn: Turn) -> None:
        turn.state["total"] = sum([await turn.step("one", one) for _ in range(230)])

    world = World(Script("a", run))
    await world.give(world.message("a"))
    assert await world.state("a") == {"total": 230}
    page = await world.tables.scan("agents", "a", first="s:", before="s:~")
    assert list(page.entities) == []


class Overtaken(MemoryTableStore):
    """Another instance is quicker with a step; it keeps its row, or has finished the message already."""

    def __init__(self, *, finished: bool) -> None:
        super().__init__()
        self._finished = finished

    async def commit(self, table: str, operations: Sequence[Operation]) -> list[str | None]:
        first = operations[0]
        if len(operations) == 1 and isinstance(first, Insert) and first.entity.row.startswith("s:"):
            if self._finished:
                raise Conflict("It was there a moment ago.")
            theirs = Entity(first.entity.partition, first.entity.row, {"result": '"theirs"'})
            await super().commit(table, [Insert(theirs)])
        return await super().commit(table, operations)


async def say() -> str:
    return "mine"


async def step_once(turn: Turn) -> None:
    turn.state["said"] = await turn.step("say", say)


async def test_of_two_results_of_one_step_the_first_counts() -> None:
    world = World(Script("a", step_once), tables=Overtaken(finished=False))
    await world.give(world.message("a"))
    assert await world.state("a") == {"said": "theirs"}


async def test_a_step_of_a_message_that_somebody_else_finished_fails_the_turn() -> None:
    world = World(Script("a", step_once), tables=Overtaken(finished=True))
    with pytest.raises(Conflict):
        await world.give(world.message("a"))


async def problem(world: World) -> str | None:
    return (await world.kernel.journal.verify("a", await world.kernel.heads.read("a"))).problem


async def three_turns() -> World:
    world = World(Script("a", count))
    for _ in range(3):
        await world.give(world.message("a"))
    assert await problem(world) is None
    return world


async def change(world: World, row: str, **values: Any) -> None:
    entity = await world.tables.get("agents", "a", row)
    assert entity is not None
    await world.tables.commit("agents", [Replace(Entity("a", row, {**entity.values, **values}), entity.etag or "")])


async def test_each_way_to_tamper_is_named() -> None:
    world = await three_turns()
    await world.tables.commit("agents", [Delete("a", f"j:{2:016d}")])
    assert await problem(world) == "entry 2 is missing"

    world = await three_turns()
    await change(world, f"j:{2:016d}", previous="0" * 64)
    assert await problem(world) == "entry 2 does not follow from the one before it"

    world = await three_turns()
    await change(world, "head", version=7)
    assert "version 7" in str(await problem(world))

    world = await three_turns()
    await change(world, "head", chain="0" * 64)
    assert "hash of the newest entry" in str(await problem(world))

    world = await three_turns()
    assert (await world.kernel.journal.verify("a", None)).problem == "there are entries but no head"
    assert (await world.kernel.journal.verify("b", None)).problem is None


async def test_a_journal_is_read_in_parts() -> None:
    world = await three_turns()
    assert [entry.version for entry in await world.kernel.journal.entries("a", limit=2)] == [1, 2]
    [last] = await world.kernel.journal.entries("a", after=2)
    assert last.to_json()["version"] == 3
    with pytest.raises(NotFound):
        await world.kernel.journal.entry("a", 9)


async def test_events_are_published_from_outside_and_go_to_those_who_want_them() -> None:
    world = World()
    event = world.message("", topic="news")
    await world.kernel.mailbox.publish(event)
    [mail] = world.mail()
    assert mail.entity == "agent-events"
    await world.kernel.mailbox.fan_out(event, [])
    assert world.mail() == []
