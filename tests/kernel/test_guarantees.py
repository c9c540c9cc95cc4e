"""What holds under faults: once, in order, nothing lost, fenced, at a constant cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from aos.kernel import meter
from aos.kernel.errors import BusUnavailable, CommitAmbiguous, Conflict, RetryableError, StoreUnavailable, TerminalError
from aos.kernel.journal import JournalEntry
from aos.kernel.kernel import Delivery
from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy
from aos.kernel.ports import Entity, Operation, Replace
from aos.kernel.settings import KernelSettings
from aos.kernel.turn import Turn
from aos.testing import MemoryTableStore
from tests.kernel.world import Script, World, count


class Flaky(MemoryTableStore):
    """Fails the next commit to the agents' table, before or after applying it."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Exception | None = None
        self.after: Exception | None = None

    async def commit(self, table: str, operations: Sequence[Operation]) -> list[str | None]:
        before, self.before = self.before, None
        if before is not None:
            raise before
        result = await super().commit(table, operations)
        after, self.after = self.after, None
        if after is not None:
            raise after
        return result


async def forward(turn: Turn) -> None:
    await count(turn)
    turn.send("next", "passed", turn.state["total"])


async def test_a_message_delivered_again_is_applied_once() -> None:
    world = World(Script("a", forward))
    message = world.message("a")
    await world.give(message)
    await world.give(message, delivery_count=2)
    await world.give(message, kernel=world.instance())
    assert await world.state("a") == {"total": 1}
    assert len(world.outbox.sent) == 1


async def test_a_message_twice_in_one_batch_is_applied_once() -> None:
    world = World(Script("a", count))
    message = world.message("a")
    await world.give(message, message)
    assert await world.state("a") == {"total": 1}


async def test_the_same_id_from_two_senders_is_two_messages() -> None:
    world = World(Script("a", count))
    await world.give(world.message("a", id="x", source="one"), world.message("a", id="x", source="two"))
    assert await world.state("a") == {"total": 2}


async def test_what_was_committed_and_not_published_is_published_when_the_message_returns() -> None:
    world = World(Script("a", forward))
    message = world.message("a")
    world.outbox.failure = BusUnavailable("The bus is down.")
    with pytest.raises(BusUnavailable):
        await world.give(message)
    assert await world.state("a") == {"total": 1}
    world.outbox.failure = None
    await world.give(message, delivery_count=2, kernel=world.instance())
    assert [m.message_id for m in world.outbox.sent] == ["a:1:0"]
    assert await world.state("a") == {"total": 1}


async def test_a_message_given_up_by_the_bus_is_published_if_it_was_applied_and_a_dead_letter_if_not() -> None:
    world = World(Script("a", forward))
    applied, lost = world.message("a"), world.message("a")
    world.outbox.failure = BusUnavailable("The bus is down.")
    with pytest.raises(BusUnavailable):
        await world.give(applied)
    world.outbox.failure = None
    gone = TerminalError("MaxDeliveryCountExceeded", code="delivery_failed")
    for message in (applied, lost):
        await world.kernel.recover(Delivery(message.encode()), gone)
    assert len(world.outbox.sent) == 1
    letters, _ = await world.kernel.dead_letters.page()
    assert [letter.message and letter.message["id"] for letter in letters] == [lost.id]


async def test_a_commit_whose_answer_was_lost_is_recognised_as_ours() -> None:
    tables = Flaky()
    world = World(Script("a", forward), tables=tables)
    tables.after = CommitAmbiguous("No answer.")
    await world.give(world.message("a"))
    assert len(world.outbox.sent) == 1
    tables.after = Conflict("The SDK's own second try found the first one.")
    await world.give(world.message("a"))
    assert await world.state("a") == {"total": 2}
    assert len(world.outbox.sent) == 2
    verification = await world.kernel.journal.verify("a", await world.kernel.heads.read("a"))
    assert verification.problem is None


async def test_a_commit_that_did_not_happen_fails_the_trigger_and_succeeds_on_redelivery() -> None:
    tables = Flaky()
    world = World(Script("a", forward), tables=tables)
    message = world.message("a")
    tables.before = CommitAmbiguous("No answer.")
    with pytest.raises(CommitAmbiguous):
        await world.give(message)
    assert world.outbox.sent == []
    tables.before = StoreUnavailable("Down.")
    with pytest.raises(StoreUnavailable):
        await world.give(message, delivery_count=2)
    await world.give(message, delivery_count=3)
    assert await world.state("a") == {"total": 1}
    assert len(world.outbox.sent) == 1


async def test_an_instance_that_lost_the_mailbox_cannot_write() -> None:
    """Two instances have the same agent; the one that is behind notices at the commit, and nothing of it stays."""
    world = World(Script("a", forward))
    other = world.instance()
    await world.give(world.message("a"))
    await world.give(world.message("a"), kernel=other)
    await world.give(world.message("a"))
    assert await world.state("a") == {"total": 3}
    assert [m.message_id for m in world.outbox.sent] == ["a:1:0", "a:2:0", "a:3:0"]


async def test_a_zombie_in_the_middle_of_its_turn_loses_to_the_instance_that_took_over() -> None:
    world = World()
    other = world.instance()

    async def run(turn: Turn) -> None:
        if turn.message.data == "slow":
            await world.give(world.message("a", data="quick"), kernel=other)
        await count_words(turn)

    async def count_words(turn: Turn) -> None:
        turn.state.setdefault("words", []).append(turn.message.data)

    world.scripts.by_type["a"] = Script("a", run)
    with pytest.raises(Conflict):
        await world.give(world.message("a", data="slow"))
    assert await world.state("a") == {"words": ["quick"]}


async def test_a_step_survives_a_crash_before_the_commit() -> None:
    paid: list[int] = []

    async def pay() -> int:
        paid.append(1)
        return 42

    async def run(turn: Turn) -> None:
        turn.state["paid"] = await turn.step("pay", pay)

    tables = Flaky()
    world = World(Script("till", run), tables=tables)
    message = world.message("till")

    class Crash(BaseException):
        pass

    original = tables.commit

    async def commit(table: str, operations: Sequence[Operation]) -> list[str | None]:
        if len(operations) > 1:
            raise Crash
        return await original(table, operations)

    tables.commit = commit  # type: ignore[method-assign]
    with pytest.raises(Crash):
        await world.give(message)
    tables.commit = original  # type: ignore[method-assign]
    await world.give(message, delivery_count=2, kernel=world.instance())
    assert paid == [1]
    assert await world.state("till") == {"paid": 42}


async def test_strict_order_waits_for_the_message_that_is_retried() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data == 2 and turn.attempt < 3:
            raise RetryableError("Not yet.")
        turn.state.setdefault("seen", []).append(turn.message.data)

    world = World(Script("a", run, AgentPolicy(strict_order=True)))
    for data in range(1, 6):
        await world.give(world.message("a", data=data))
    assert await world.state("a") == {"seen": [1]}
    await world.settle()
    assert await world.state("a") == {"seen": [1, 2, 3, 4, 5]}
    page = await world.tables.scan("agents", "a", first="w:", before="w:~")
    assert list(page.entities) == []


async def test_strict_order_takes_up_a_long_line_in_several_turns() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data == 0 and turn.attempt == 1:
            raise RetryableError("Not yet.")
        turn.state.setdefault("seen", []).append(turn.message.data)

    world = World(Script("a", run, AgentPolicy(strict_order=True)))
    await world.give(*(world.message("a", data=data) for data in range(30)))
    await world.give(*(world.message("a", data=data) for data in range(30, 55)))
    await world.settle()
    assert await world.state("a") == {"seen": list(range(55))}
    assert len(await world.kernel.journal.entries("a")) == 5


async def test_strict_order_goes_on_after_a_message_that_is_given_up() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data == 1:
            raise RetryableError("Never.")
        turn.state.setdefault("seen", []).append(turn.message.data)

    world = World(Script("a", run, AgentPolicy(strict_order=True)))
    await world.give(*(world.message("a", data=data) for data in range(1, 4)))
    await world.settle()
    assert await world.state("a") == {"seen": [2, 3]}


async def test_a_warm_turn_costs_one_storage_transaction_and_a_cold_one_two() -> None:
    world = World(Script("a", forward))
    await world.give(world.message("a"))
    with meter.metered() as warm:
        await world.give(world.message("a"))
    assert (warm.table_operations, warm.blob_operations) == (1, 0)
    with meter.metered() as cold:
        await world.give(world.message("a"), kernel=world.instance())
    assert (cold.table_operations, cold.blob_operations) == (2, 0)


async def test_a_head_is_trusted_only_for_a_while_and_only_on_a_first_delivery() -> None:
    world = World(Script("a", count), settings=KernelSettings(cache_seconds=5))
    await world.give(world.message("a"))
    with meter.metered() as returning:
        await world.give(world.message("a"), delivery_count=2)
    # Head, steps of the earlier delivery, commit.
    assert returning.table_operations == 3
    world.clock.advance(6)
    with meter.metered() as later:
        await world.give(world.message("a"))
    assert later.table_operations == 2


async def test_many_messages_of_one_mailbox_are_one_commit() -> None:
    world = World(Script("a", count))
    with meter.metered() as usage:
        await world.give(*(world.message("a") for _ in range(20)))
    # Head and commit; being born, it looks before and after for an order to its type.
    assert usage.table_operations == 4
    assert await world.state("a") == {"total": 20}


async def test_a_turn_writes_the_same_however_many_went_before() -> None:
    world = World(Script("a", count))

    operations: list[int] = []

    async def bytes_of_a_turn() -> int:
        with meter.metered() as usage:
            await world.give(world.message("a", id=f"{world.ids.new()}"))
        operations.append(usage.table_operations)
        return usage.bytes_written

    for _ in range(300):
        await bytes_of_a_turn()
    early = [await bytes_of_a_turn() for _ in range(10)]
    for _ in range(1_500):
        await bytes_of_a_turn()
    late = [await bytes_of_a_turn() for _ in range(10)]
    assert set(operations[1:]) == {1}
    # Longer by the digits of larger counters only.
    assert abs(max(late) - max(early)) < 32


async def test_the_window_forgets_the_oldest_and_says_so_in_its_size() -> None:
    world = World(Script("a", count, AgentPolicy(dedupe_window=3)))
    messages = [world.message("a") for _ in range(4)]
    for message in messages:
        await world.give(message)
    await world.give(messages[1], delivery_count=2)
    assert await world.state("a") == {"total": 4}
    await world.give(messages[0], delivery_count=2)
    assert await world.state("a") == {"total": 5}


async def test_projections_follow_each_commit_and_again_when_a_message_returns() -> None:
    class Seen:
        def __init__(self) -> None:
            self.versions: list[tuple[int, int]] = []

        def concerns(self, agent: str, version: int) -> bool:
            return agent == "a"

        async def apply(self, entry: JournalEntry, state: Mapping[str, Any]) -> None:
            self.versions.append((entry.version, state["total"]))

    seen = Seen()
    world = World(Script("a", count), Script("b", count), projections=[seen])
    message = world.message("a")
    await world.give(message)
    await world.give(world.message("b"))
    await world.give(message, delivery_count=2)
    assert seen.versions == [(1, 1), (1, 1)]


async def tampered(world: World, version: int, **values: Any) -> str | None:
    row = f"j:{version:016d}"
    entity = await world.tables.get("agents", "a", row)
    assert entity is not None
    changed = Entity("a", row, {**entity.values, **values})
    await world.tables.commit("agents", [Replace(changed, entity.etag or "")])
    return (await world.kernel.journal.verify("a", await world.kernel.heads.read("a"))).problem


async def test_a_changed_journal_is_found_out() -> None:
    world = World(Script("a", forward))
    for _ in range(3):
        await world.give(world.message("a"))
    head = await world.kernel.heads.read("a")
    assert (await world.kernel.journal.verify("a", head)).problem is None
    entity = await world.tables.get("agents", "a", f"j:{2:016d}")
    assert entity is not None
    body = str(entity.values["body"])
    assert await tampered(world, 2, body=body.replace('"outcome":"applied"', '"outcome":"ignored"'))
    assert await tampered(world, 2, body=body) is None
    assert head is not None
    head.state = b'{"total":99}'
    assert (await world.kernel.journal.verify("a", head)).problem


async def test_ids_on_the_bus_fit_its_limit() -> None:
    world = World(Script("a", forward))
    address = "a:" + "x" * 94
    await world.give(world.message(address))
    assert all(len(m.message_id) <= 128 for m in world.outbox.sent)
    await world.kernel.mailbox.post(Message(id="i" * 128, source="s", type="t", time=world.clock.now(), to=address))
    assert len(world.outbox.sent[-1].message_id) <= 128
