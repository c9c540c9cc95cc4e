"""Agents that an operator stopped: nothing is handled, nothing is lost, and order is kept once they go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aos.kernel import meter
from aos.kernel.errors import (
    Conflict,
    NeedsAnswer,
    NotAllowedNow,
    NotFound,
    RetryableError,
    TerminalError,
    UnknownAgentType,
)
from aos.kernel.head import Head
from aos.kernel.kernel import Delivery, Kernel
from aos.kernel.message import Message, format_time
from aos.kernel.order import DRAIN
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.ports import Operation
from aos.kernel.settings import KernelSettings
from aos.kernel.standing import Standing, State
from aos.kernel.turn import TAKE_UP_TYPE, Turn
from aos.kernel.type_orders import following
from aos.testing import MemoryTableStore
from tests.kernel.world import Script, World, count


def to(state: State, world: World, **fields: Any) -> Callable[[Head], Standing]:
    since = format_time(world.clock.now())
    standing = Standing(state=state, event=f"to {state}", by="ann", reason="Because.", since=since, **fields)
    return lambda head: standing


async def order(world: World, state: State, agent: str = "a", kernel: Kernel | None = None) -> Head:
    return await (kernel or world.kernel).order(agent, to(state, world))


class Diary:
    """An agent that writes down what it handled."""

    def __init__(self) -> None:
        self.handled: list[Any] = []

    async def run(self, turn: Turn) -> None:
        self.handled.append(turn.message.data)
        turn.state.setdefault("seen", []).append(turn.message.data)


async def left(world: World, agent: str = "a", prefix: str = "p:") -> int:
    table = world.settings.agents_table
    return len((await world.tables.scan(table, agent, first=prefix, before=prefix + "~")).entities)


async def head_of(world: World, agent: str = "a") -> Head:
    head = await world.kernel.heads.read(agent)
    assert head is not None
    return head


@pytest.mark.parametrize("state", ["paused", "quarantined"])
async def test_mail_of_a_stopped_agent_is_put_aside_and_taken_up_in_order(state: State) -> None:
    diary = Diary()
    world = World(Script("a", diary.run))
    await world.give(world.message("a", data=0))
    await order(world, state)
    for number in range(1, 50):
        await world.give(world.message("a", data=number))
    assert diary.handled == [0]
    assert (await head_of(world)).aside.count == await left(world) == 49
    resumed = await order(world, "open")
    assert resumed.standing.state == "open"
    await world.give(world.message("a", data=50))
    assert diary.handled == [0]
    await world.settle()
    assert await world.state("a") == {"seen": list(range(51))}
    assert await left(world) == 0
    assert (await head_of(world)).aside.behind is None
    await world.give(world.message("a", data=51))
    assert diary.handled[-1] == 51
    assert (await world.kernel.journal.verify("a", await world.kernel.heads.read("a"))).problem is None


async def test_an_order_is_in_force_for_the_very_next_message_wherever_it_was_given() -> None:
    diary = Diary()
    world = World(Script("a", diary.run))
    await world.give(world.message("a", data=0))
    elsewhere = world.instance()
    await order(world, "paused", kernel=elsewhere)
    await elsewhere.deliver([Delivery(world.message("a", data=1).encode())])
    assert diary.handled == [0]
    # The instance that remembers the agent as it was finds out at its commit, and keeps nothing of what it did.
    await world.give(world.message("a", data=2))
    assert await world.state("a") == {"seen": [0]}
    assert (await head_of(world)).aside.count == 2


async def test_a_turn_under_way_loses_its_commit_to_the_order() -> None:
    world: World

    async def run(turn: Turn) -> None:
        if turn.message.data == "slow":
            await order(world, "paused")
        turn.state["did"] = turn.message.data

    world = World(Script("a", run))
    slow = world.message("a", data="slow")
    with pytest.raises(Conflict):
        await world.give(slow)
    assert await world.state("a") == {}
    await world.give(slow, delivery_count=2)
    assert (await head_of(world)).counters == {"aside": 1}


async def test_an_order_is_a_turn_with_who_and_why_in_the_journal() -> None:
    world = World(Script("a", count))
    await world.give(world.message("a"))
    await order(world, "paused")
    await world.give(world.message("a"))
    await order(world, "open")
    orders = await world.kernel.journal.orders("a")
    assert [(entry.version, entry.order["from"], entry.order["to"]) for entry in orders] == [
        (2, "open", "paused"),
        (4, "paused", "open"),
    ]
    assert orders[0].order["by"] == "ann"
    assert orders[0].order["reason"] == "Because."
    assert (await head_of(world)).vitals.orders == 2
    assert [entry.version for entry in await world.kernel.journal.orders("a", after=2)] == [4]


async def test_an_order_that_decides_nothing_leaves_no_trace_and_one_that_refuses_is_refused() -> None:
    world = World(Script("a", count))
    await world.give(world.message("a"))
    assert (await world.kernel.order("a", lambda head: None)).version == 1

    def refuse(head: Head) -> Standing:
        raise NotAllowedNow("No.")

    with pytest.raises(NotAllowedNow, match="No"):
        await world.kernel.order("a", refuse)
    with pytest.raises(UnknownAgentType):
        await world.kernel.order("nobody", refuse)
    assert (await head_of(world)).version == 1


async def test_a_warm_turn_still_costs_one_storage_transaction() -> None:
    world = World(Script("a", count))
    await world.give(world.message("a"))
    await order(world, "paused")
    await order(world, "open")
    with meter.metered() as usage:
        await world.give(world.message("a"))
    assert usage.storage_operations == 1


class Contested(MemoryTableStore):
    """Somebody else commits first, as often as told."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0

    async def commit(self, table: str, operations: Any) -> list[str | None]:
        if self.times and len(operations) > 1:
            self.times -= 1
            raise Conflict("Somebody was here first.")
        given: list[Operation] = list(operations)
        return await super().commit(table, given)


async def test_an_order_tries_again_where_the_agent_is_busy_but_not_for_ever() -> None:
    tables = Contested()
    world = World(Script("a", count), tables=tables)
    tables.times = 3
    assert (await order(world, "paused")).standing.state == "paused"
    tables.times = 1_000
    with pytest.raises(Conflict):
        await order(world, "open")


async def test_a_message_put_aside_burns_no_attempt_and_comes_back_without_effect() -> None:
    diary = Diary()
    world = World(Script("a", diary.run))
    await order(world, "paused")
    message = world.message("a", data=1)
    await world.give(message)
    await world.give(message, delivery_count=2)
    assert (await head_of(world)).aside.count == 1
    await order(world, "open")
    await world.settle()
    await world.give(message, delivery_count=3)
    assert diary.handled == [1]


async def test_what_expires_while_it_waits_is_answered_when_it_is_taken_up() -> None:
    world = World(Script("a", count))
    await order(world, "paused")
    deadline = world.clock.now().replace(year=world.clock.now().year + 1)
    await world.give(world.message("a", reply_to="asker", deadline=deadline))
    world.clock.advance(2 * 366 * 86_400)
    await order(world, "open")
    await world.settle()
    [answer] = [m for m in world.outbox.sent if m.session_id == "asker"]
    assert Message.decode(answer.body).data["code"] == "deadline_exceeded"
    assert await world.state("a") == {}


async def test_paused_again_it_takes_up_nothing_and_resumed_again_the_old_take_up_is_ignored() -> None:
    diary = Diary()
    world = World(Script("a", diary.run))
    await order(world, "paused")
    for number in range(3):
        await world.give(world.message("a", data=number))
    await order(world, "open")
    [old] = world.mail()
    await order(world, "paused")
    await world.kernel.deliver([Delivery(old.body)])
    await world.instance().deliver([Delivery(old.body)])
    assert diary.handled == []
    await order(world, "open")
    await world.settle()
    assert diary.handled == [0, 1, 2]


async def test_a_take_up_the_bus_gave_up_is_sent_again() -> None:
    diary = Diary()
    world = World(Script("a", diary.run))
    await order(world, "paused")
    await world.give(world.message("a", data=1))
    await order(world, "open")
    [lost] = world.mail()
    error = TerminalError("The bus gave it up.", code="delivery_failed")
    await world.kernel.recover(Delivery(lost.body), error)
    await world.settle()
    assert diary.handled == [1]
    await world.kernel.recover(Delivery(lost.body), error)
    assert (await world.kernel.dead_letters.page())[0] == []


async def test_a_message_the_bus_gave_up_is_a_dead_letter_while_the_agent_is_stopped_too() -> None:
    world = World(Script("a", count))
    await order(world, "paused")
    await world.kernel.recover(Delivery(world.message("a").encode()), TerminalError("No.", code="delivery_failed"))
    [letter], _ = await world.kernel.dead_letters.page()
    assert letter.error["code"] == "delivery_failed"


async def test_a_draining_agent_finishes_what_it_began_and_takes_nothing_new() -> None:
    world: World
    seen: list[str] = []

    async def run(turn: Turn) -> None:
        seen.append(f"{turn.message.type} {turn.attempt}")
        if turn.message.type == "begin":
            turn.ask("b", "question")
            turn.remind("later", "wake", after=world.clock.now() - world.clock.now())
        if turn.message.type == "flaky" and turn.attempt == 1:
            raise RetryableError("Not yet.")

    async def answer(turn: Turn) -> None:
        turn.reply("here")

    world = World(Script("a", run), Script("b", answer))
    await world.give(world.message("a", "begin"), world.message("a", "flaky"))
    await order(world, "draining")
    await world.give(world.message("a", "new"))
    await world.settle()
    assert sorted(seen) == ["begin 1", "flaky 1", "flaky 2", "question.reply 1", "wake 1"]
    head = await head_of(world)
    assert (len(head.pending), len(head.reminders), head.aside.count) == (0, 0, 1)
    await order(world, "open")
    await world.settle()
    assert seen[-1] == "new 1"


async def test_what_reaches_a_terminated_agent_is_a_dead_letter_with_the_reason_and_its_sender_is_told() -> None:
    diary = Diary()
    world = World(Script("a", diary.run, initial={"kept": True}))
    await order(world, "terminated")
    message = world.message("a", data=1, reply_to="asker")
    await world.give(message)
    assert diary.handled == []
    [letter], _ = await world.kernel.dead_letters.page()
    assert letter.error["code"] == "agent_terminated"
    assert "Because." in letter.error["message"]
    [told] = world.mail()
    assert told.session_id == "asker"
    assert await world.state("a") == {"kept": True}
    await order(world, "open")
    await world.kernel.resubmit(letter.id)
    await world.settle()
    assert diary.handled == [1]


async def test_terminating_gives_up_what_waits_and_forgets_reminders() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.type == "ask":
            raise NeedsAnswer("May I?", question="may-i")
        turn.remind("later", "wake", after=world.clock.now() - world.clock.now())

    world = World(Script("a", run))
    await world.give(world.message("a"), world.message("a", "ask"))
    await order(world, "paused")
    for number in range(DRAIN + 5):
        await world.give(world.message("a", data=number))
    await order(world, "terminated")
    await world.settle()
    letters, _ = await world.kernel.dead_letters.page(limit=100)
    assert len(letters) == 1 + DRAIN + 5
    assert {letter.error["code"] for letter in letters} == {"agent_terminated"}
    head = await head_of(world)
    assert (head.aside.count, head.parked, head.reminders) == (0, {}, {})
    assert await left(world) == 0


async def test_terminating_gives_up_what_strict_order_holds_back() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.type == "flaky":
            raise RetryableError("Not yet.")
        turn.state["did"] = True

    world = World(Script("a", run, AgentPolicy(strict_order=True)))
    await world.give(world.message("a", "flaky"), *(world.message("a") for _ in range(3)))
    await order(world, "paused")
    await world.give(world.message("a"))
    await order(world, "terminated")
    await world.settle()
    letters, _ = await world.kernel.dead_letters.page(limit=100)
    assert len(letters) == 5
    head = await head_of(world)
    assert (head.waiting.count, head.waiting.behind, head.aside.count) == (0, None, 0)
    assert await left(world, prefix="w:") == 0
    await order(world, "open")
    await world.give(world.message("a"))
    assert await world.state("a") == {"did": True}


async def test_a_resume_of_strict_order_that_reaches_a_terminated_agent_is_ignored() -> None:
    tries: list[int] = []

    async def run(turn: Turn) -> None:
        tries.append(turn.attempt)
        if turn.message.type == "flaky" and turn.attempt == 1:
            raise RetryableError("Not yet.")

    world = World(Script("a", run, AgentPolicy(strict_order=True)))
    await world.give(world.message("a", "flaky"), *(world.message("a") for _ in range(DRAIN + 2)))
    [retry] = world.mail()
    await world.kernel.deliver([Delivery(retry.body)])
    [resume] = world.mail()
    await order(world, "terminated")
    await world.kernel.deliver([Delivery(resume.body)])
    await world.settle()
    assert len((await world.kernel.dead_letters.page(limit=100))[0]) == 2


@pytest.mark.parametrize("strict", [True, False])
async def test_order_holds_across_a_pause_where_a_message_is_to_be_retried(strict: bool) -> None:
    seen: list[Any] = []

    async def run(turn: Turn) -> None:
        if turn.message.data == 0 and turn.attempt == 1:
            raise RetryableError("Not yet.")
        seen.append(turn.message.data)

    world = World(Script("a", run, AgentPolicy(strict_order=strict, retry=RetryPolicy(jitter=0))))
    await world.give(world.message("a", data=0), world.message("a", data=1))
    await order(world, "paused")
    [retry] = world.mail()
    await world.give(world.message("a", data=2))
    await world.kernel.deliver([Delivery(retry.body)])
    await world.give(world.message("a", data=3))
    await order(world, "open")
    await world.settle()
    assert seen == ([0, 1, 2, 3] if strict else [1, 2, 0, 3])


async def test_steps_taken_before_the_agent_was_stopped_are_not_taken_again() -> None:
    paid: list[str] = []
    world: World

    async def run(turn: Turn) -> None:
        async def pay() -> str:
            paid.append("paid")
            return "receipt"

        turn.state["receipt"] = await turn.step("pay", pay)
        if len(paid) == 1 and not stopped:
            stopped.append(True)
            await order(world, "paused")

    stopped: list[bool] = []
    world = World(Script("a", run))
    message = world.message("a")
    with pytest.raises(Conflict):
        await world.give(message)
    await world.give(message, delivery_count=2)
    await order(world, "open")
    await world.settle()
    assert paid == ["paid"]
    assert await world.state("a") == {"receipt": "receipt"}


async def test_a_take_up_leaves_the_rest_for_later_where_the_turn_runs_out_of_time() -> None:
    world: World
    turns: list[int] = []

    async def run(turn: Turn) -> None:
        turns.append(turn.version)
        world.clock.advance(400)

    world = World(Script("a", run), settings=KernelSettings(turn_seconds=600))
    await order(world, "paused")
    for _ in range(3):
        await world.give(world.message("a"))
    await order(world, "open")
    await world.settle()
    assert len(set(turns)) == 3


async def test_an_agent_born_into_a_stopped_type_is_stopped() -> None:
    diary = Diary()
    world = World(Script("many", diary.run))
    stopped = to("paused", world, scope="type:many")(Head("", None))  # type: ignore[arg-type]  # does not look
    await world.kernel.type_orders.put("many", stopped)
    await world.give(world.message("many:1", data=1))
    assert diary.handled == []
    [entry] = await world.kernel.journal.orders("many:1")
    assert (entry.order["to"], entry.order["scope"]) == ("paused", "type:many")
    released = replace(stopped, state="open", since=format_time(world.clock.now()).replace("Z", ".5Z"))
    await world.kernel.type_orders.put("many", released)
    assert await world.kernel.type_orders.all() == {"many": released}
    await world.kernel.order("many:1", following(released))
    await world.give(world.message("many:2", data=2))
    await world.settle()
    assert diary.handled == [2, 1]


async def test_an_agent_whose_type_is_stopped_while_it_is_born_is_stopped_right_after() -> None:
    world: World

    async def run(turn: Turn) -> None:
        turn.state["did"] = True
        stopped = to("paused", world, scope="type:many")(Head("", None))  # type: ignore[arg-type]  # does not look
        await world.kernel.type_orders.put("many", stopped)

    world = World(Script("many", run))
    await world.give(world.message("many:1"))
    head = await head_of(world, "many:1")
    assert (head.version, head.standing.state, head.standing.scope) == (2, "paused", "type:many")


def test_an_order_for_a_type_is_followed_where_it_is_newer_and_not_by_who_was_stopped_alone() -> None:
    def follow(own: Standing, state: State, since: str = "2026-01-02T00:00:00Z") -> State:
        ordered = Standing(state=state, since=since, scope="type:a")
        head = Head("a", None, standing=own)  # type: ignore[arg-type]  # does not look
        return (following(ordered)(head) or own).state

    alone = Standing(state="paused", since="2026-01-01T00:00:00Z")
    with_type = replace(alone, scope="type:a")
    released = Standing(state="open", since="2026-01-03T00:00:00Z")
    assert follow(Standing(), "paused") == "paused"
    assert follow(Standing(), "open") == "open"
    assert follow(with_type, "open") == "open"
    assert follow(with_type, "quarantined") == "quarantined"
    assert follow(alone, "open") == "paused"
    assert follow(alone, "quarantined") == "paused"
    assert follow(alone, "terminated") == "terminated"
    assert follow(released, "paused") == "open"


async def test_how_the_latest_messages_went_is_remembered_and_bounded() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data:
            raise TerminalError("x" * 1_000, code="broken")

    world = World(Script("a", run))
    assert (Head("a", None)).vitals.failure_rate == 0.0  # type: ignore[arg-type]  # does not look
    for _ in range(60):
        await world.give(world.message("a"))
    for _ in range(2):
        await world.give(world.message("a", data="bad"))
    vitals = (await head_of(world)).vitals
    assert (len(vitals.latest), vitals.failure_rate, vitals.same) == (50, 0.04, 2)
    assert vitals.error is not None
    assert (vitals.error["code"], len(vitals.error["message"])) == ("broken", 300)
    await world.give(world.message("a"))
    assert (await head_of(world)).vitals.same == 0
    assert TAKE_UP_TYPE == "aos.take-up"


async def test_a_take_up_goes_on_in_another_turn_where_the_transaction_has_no_more_room() -> None:
    async def run(turn: Turn) -> None:
        for number in range(40):
            turn.rows.put(f"{turn.message.data}-{number}", number)

    world = World(Script("a", run))
    await order(world, "paused")
    for number in range(4):
        await world.give(world.message("a", data=number))
    await order(world, "open")
    await world.settle()
    assert (await head_of(world)).aside.count == 0
    pages = [await world.kernel.rows.page("a", f"{number}-", limit=100) for number in range(4)]
    assert [len(page) for page in pages] == [40] * 4


async def test_the_orders_of_all_types_are_listed_however_many_there_are() -> None:
    world = World()
    stopped = Standing(state="paused", since="2026-01-01T00:00:00Z")
    for number in range(1_001):
        await world.kernel.type_orders.put(f"t{number}", stopped)
    assert len(await world.kernel.type_orders.all()) == 1_001


async def test_what_exhausts_its_attempts_counts_as_what_failed_it() -> None:
    async def run(turn: Turn) -> None:
        raise ZeroDivisionError("Nobody thought of that.")

    world = World(Script("a", run, AgentPolicy(retry=RetryPolicy(max_attempts=3))))
    await world.give(world.message("a"), world.message("a"))
    await world.settle()
    vitals = (await head_of(world)).vitals
    assert (vitals.error or {})["code"] == "handler_failed"
    assert (vitals.same, vitals.latest.count("d")) == (6, 2)


async def test_a_turn_is_published_again_on_demand() -> None:
    async def run(turn: Turn) -> None:
        turn.send("b", "hello")

    world = World(Script("a", run))
    await world.give(world.message("a"))
    world.outbox.sent.clear()
    await world.kernel.publish_again("a", 1)
    [message] = world.outbox.sent
    assert message.session_id == "b"
    with pytest.raises(NotFound):
        await world.kernel.publish_again("b", 1)
