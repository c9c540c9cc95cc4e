"""What holds when the mailbox moves between instances, and when the bus gives a message up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aos.kernel import meter
from aos.kernel.errors import Conflict, RetryableError, StoreUnavailable, TerminalError
from aos.kernel.kernel import Delivery
from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.ports import Operation, Page
from aos.kernel.turn import Turn
from aos.testing import MemoryTableStore
from tests.kernel.world import Script, World, count

GIVEN_UP = TerminalError("MaxDeliveryCountExceeded", code="delivery_failed")


class ShortPages(MemoryTableStore):
    """Gives two rows a page, as a service may."""

    async def scan(
        self,
        table: str,
        partition: str,
        *,
        first: str = "",
        before: str | None = None,
        where: Mapping[str, str | int | bool] | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        return await super().scan(
            table, partition, first=first, before=before, where=where, limit=min(limit, 2), cursor=cursor
        )


class FailingCommits(MemoryTableStore):
    """Fails so many transactions of turns."""

    failures = 0

    async def commit(self, table: str, operations: Sequence[Operation]) -> list[str | None]:
        if len(operations) > 1 and self.failures:
            self.failures -= 1
            raise StoreUnavailable("Down.")
        return await super().commit(table, operations)


async def give_up(world: World, message: Message) -> None:
    await world.kernel.recover(Delivery(message.encode(), 10), GIVEN_UP)


async def letters(world: World) -> list[str]:
    page, _ = await world.kernel.dead_letters.page()
    return [letter.id for letter in page]


async def collect(turn: Turn) -> None:
    turn.state.setdefault("seen", []).append(turn.message.data)


async def test_a_line_that_comes_in_short_pages_keeps_its_order() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data == 0 and turn.attempt == 1:
            raise RetryableError("Not yet.")
        await collect(turn)

    world = World(Script("a", run, AgentPolicy(strict_order=True)), tables=ShortPages())
    await world.give(*(world.message("a", data=data) for data in range(9)))
    await world.settle()
    assert await world.state("a") == {"seen": list(range(9))}


async def test_journals_and_steps_that_come_in_short_pages_are_read_to_the_end() -> None:
    till = Till()

    async def run(turn: Turn) -> None:
        for _ in range(5):
            await till.run(turn)
        if turn.attempt == 1:
            raise RetryableError("Not yet.")

    world = World(Script("till", run), tables=ShortPages())
    await world.give(*(world.message("till") for _ in range(3)))
    await world.settle()
    assert len(till.payments) == 15
    head = await world.kernel.heads.read("till")
    assert (await world.kernel.journal.verify("till", head)).problem is None
    assert len(await world.kernel.journal.entries("till", limit=3)) == 3


async def test_one_event_given_up_by_two_agents_is_two_dead_letters() -> None:
    async def refuse(turn: Turn) -> None:
        raise TerminalError("Never.")

    world = World(Script("a", refuse), Script("b", refuse))
    event = world.message("a", id="e", topic="news")
    await world.give(event)
    await world.give(world.message("b", id="e", topic="news"))
    page, _ = await world.kernel.dead_letters.page()
    assert sorted(letter.agent for letter in page) == ["a", "b"]


async def test_a_reply_is_taken_by_an_instance_that_remembers_the_agent_as_it_was_before_the_question() -> None:
    async def ask(turn: Turn) -> None:
        if turn.request is not None:
            turn.state["answer"] = turn.message.data
        elif turn.message.type == "go":
            turn.ask("b", "question")

    world = World(Script("a", ask))
    other = world.instance()
    await world.give(world.message("a", "start"))
    await world.give(world.message("a"), kernel=other)
    question = Message.decode(world.mail()[0].body)
    await world.give(world.message("a", "question.reply", 42, source="b", correlation_id=question.id))
    assert await world.state("a") == {"answer": 42}


async def test_a_message_given_up_by_the_bus_cannot_be_applied_by_an_instance_that_still_works_on_it() -> None:
    world = World()
    other = world.instance()

    async def run(turn: Turn) -> None:
        await other.recover(Delivery(turn.message.encode(), 10), GIVEN_UP)
        await count(turn)

    world.scripts.by_type["a"] = Script("a", run)
    with pytest.raises(Conflict):
        await world.give(world.message("a"))
    assert await world.state("a") == {}
    assert len(await letters(world)) == 1


async def test_a_message_given_up_by_the_bus_no_longer_holds_up_a_strict_agent() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data == 1:
            raise RetryableError("Not yet.")
        await collect(turn)

    world = World(Script("a", run, AgentPolicy(strict_order=True)))
    await world.give(*(world.message("a", data=data) for data in (1, 2, 3)))
    retry = Message.decode(world.mail()[0].body)
    await give_up(world, retry)
    resume = Message.decode(world.mail()[0].body)
    # What takes up the line may be given up by the bus as well.
    await give_up(world, resume)
    await world.settle()
    assert await world.state("a") == {"seen": [2, 3]}
    assert len(await letters(world)) == 1


async def test_a_message_given_up_that_nobody_waits_for_changes_nothing_for_the_others() -> None:
    world = World(Script("a", collect, AgentPolicy(strict_order=True)))
    await give_up(world, world.message("a", data=1))
    await world.give(world.message("a", data=2))
    assert world.mail() == []
    assert await world.state("a") == {"seen": [2]}


async def test_a_message_given_up_for_an_unknown_type_is_a_dead_letter_and_its_sender_is_told() -> None:
    world = World(Script("a", collect))
    await give_up(world, world.message("nobody", reply_to="a"))
    assert [Message.decode(mail.body).type for mail in world.mail()] == ["aos.error"]
    await world.kernel.recover(Delivery(b"{"), GIVEN_UP)
    assert len(await letters(world)) == 2


async def test_a_reminder_that_was_given_up_can_be_sent_again() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.type == "go":
            turn.remind("tea", "remember", after=timedelta(minutes=1))
        else:
            turn.state["reminded"] = True

    world = World(Script("a", run))
    await world.give(world.message("a"))
    await give_up(world, Message.decode(world.mail()[0].body))
    [letter] = await letters(world)
    await world.kernel.resubmit(letter)
    await world.settle()
    assert await world.state("a") == {"reminded": True}
    head = await world.kernel.heads.read("a")
    assert head is not None
    assert head.reminders == {}


class Till:
    """An agent that pays in a step."""

    def __init__(self) -> None:
        self.payments: list[str] = []

    async def run(self, turn: Turn) -> None:
        key = turn.idempotency_key("pay")

        async def pay() -> int:
            self.payments.append(key)
            return len(self.payments)

        turn.state["paid"] = await turn.step("pay", pay)
        if turn.message.data == "fail":
            raise TerminalError("The printer is out of paper.")


async def step_rows(world: World) -> int:
    page = await world.tables.scan("agents", "till", first="s:", before="s:~")
    return len(page.entities)


async def test_a_dead_letter_that_is_sent_again_does_not_pay_again() -> None:
    till = Till()
    world = World(Script("till", till.run))
    await world.give(world.message("till", data="fail"))
    [letter] = await letters(world)
    await world.kernel.resubmit(letter)
    await world.settle()
    assert len(till.payments) == 1
    [again] = [id_ for id_ in await letters(world) if id_ != letter]
    message = await world.kernel.dead_letters.message(again)
    # As if what made it fail had been mended.
    await world.give(replace(message, data="print"))
    assert len(till.payments) == 1
    assert await step_rows(world) == 0


async def test_an_instance_with_an_old_head_looks_before_it_pays() -> None:
    till = Till()
    world = World(Script("till", till.run))
    other = world.instance()
    await world.give(world.message("till"))
    message = world.message("till")
    await world.give(message, kernel=other)
    # A copy that the bus did not recognise reaches the first instance, which was not told.
    await world.give(message)
    assert len(till.payments) == 2
    assert await step_rows(world) == 0


async def test_a_warm_turn_reads_its_head_before_it_pays() -> None:
    till = Till()
    world = World(Script("till", till.run))
    await world.give(world.message("till"))
    with meter.metered() as usage:
        await world.give(world.message("till"))
    # Head, step, commit.
    assert usage.table_operations == 3


async def test_a_first_message_that_returns_finds_an_agent_that_has_not_lived() -> None:
    till = Till()
    world = World(Script("till", till.run))
    await world.give(world.message("till"), delivery_count=2)
    assert len(till.payments) == 1


async def test_a_takeover_between_reading_the_head_and_the_steps_is_noticed_before_paying() -> None:
    till = Till()
    tables = MemoryTableStore()
    world = World(Script("till", till.run), tables=tables)
    other = world.instance()
    message = world.message("till")
    scan, busy = tables.scan, [True]

    async def scanned_late(*arguments: Any, **options: Any) -> Page:
        if busy:
            busy.clear()
            await world.give(message, kernel=other)
        return await scan(*arguments, **options)

    tables.scan = scanned_late  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        await world.give(message, delivery_count=2)
    assert len(till.payments) == 1


async def test_steps_are_deleted_where_the_delivery_that_succeeds_needed_none() -> None:
    till = Till()

    async def run(turn: Turn) -> None:
        if turn.attempt == 1:
            await till.run(turn)
            raise RetryableError("Not yet.")
        turn.state["done"] = True

    world = World(Script("till", run, AgentPolicy(retry=RetryPolicy(jitter=0))))
    await world.give(world.message("till"))
    assert await step_rows(world) == 1
    await world.settle()
    assert await step_rows(world) == 0


async def test_a_failed_commit_leaves_the_steps_for_the_next_delivery() -> None:
    till = Till()
    tables = FailingCommits()
    world = World(Script("till", till.run), tables=tables)
    tables.failures = 1
    message = world.message("till")
    with pytest.raises(StoreUnavailable):
        await world.give(message)
    await world.give(message, delivery_count=2)
    assert len(till.payments) == 1


async def test_the_steps_of_all_messages_that_return_are_looked_up_at_once() -> None:
    till = Till()
    world = World(Script("till", till.run))
    with meter.metered() as usage:
        await world.give(*(world.message("till") for _ in range(3)), delivery_count=2)
    assert len(till.payments) == 3
    # Head, steps, head again before the first payment, three steps, commit; at its birth twice the order to its type.
    assert usage.table_operations == 9
