"""Messages set aside for an answer, labels that go wherever content goes, and loose ends of what is given up."""

from __future__ import annotations

from typing import Any

import pytest

from aos.kernel.errors import AosError, InvalidInput, MalformedMessage, NeedsAnswer, RetryableError, TerminalError
from aos.kernel.message import MAX_LABELS, Message, check_labels
from aos.kernel.policy import AgentPolicy
from aos.kernel.turn import Turn
from tests.kernel.world import Script, World


def asking(calls: list[str], *, policy: AgentPolicy | None = None) -> Script:
    async def run(turn: Turn) -> None:
        if turn.message.type == "answer":
            await turn.resume(turn.message.data["question"], turn.message.data["answer"])
            return

        async def pay() -> str:
            calls.append("paid")
            return "receipt"

        receipt = await turn.step("pay", pay)
        answered, answer = await turn.answer_to("may-i")
        if not answered:
            raise NeedsAnswer("May I?", question="may-i", details={"why": "it costs"})
        turn.state["heard"] = [receipt, answer]
        turn.send("other", "done")

    return Script("asker", run, policy=policy or AgentPolicy())


async def test_a_message_waits_for_its_answer_with_the_steps_it_took() -> None:
    calls: list[str] = []
    world = World(asking(calls))
    await world.give(world.message("asker", "go"))
    head = await world.kernel.heads.read("asker")
    assert head is not None
    assert head.parked["may-i"]["question"]["details"] == {"why": "it costs", "question": "may-i"}
    [event] = world.mail()
    assert Message.decode(event.body).topic == "aos.questions"
    assert await world.state("asker") == {}

    await world.give(world.message("asker", "answer", {"question": "may-i", "answer": "yes"}))
    await world.settle()
    assert await world.state("asker") == {"heard": ["receipt", "yes"]}
    assert calls == ["paid"]
    head = await world.kernel.heads.read("asker")
    assert head is not None
    assert head.parked == {}
    assert head.counters == {"parked": 1, "applied": 2}
    assert [entity.row for entity in await rows(world)] == []


async def rows(world: World) -> list[Any]:
    page = await world.tables.scan(world.settings.agents_table, "asker", first="s:", before="s:~", limit=10)
    return list(page.entities)


async def test_an_answer_delivered_again_and_an_answer_nobody_waits_for_change_nothing() -> None:
    calls: list[str] = []
    world = World(asking(calls))
    await world.give(world.message("asker", "go"))
    answer = world.message("asker", "answer", {"question": "may-i", "answer": "yes"})
    await world.give(answer)
    await world.give(answer, delivery_count=2)
    await world.give(world.message("asker", "answer", {"question": "may-i", "answer": "no"}))
    await world.settle()
    assert await world.state("asker") == {"heard": ["receipt", "yes"]}
    letters, _ = await world.kernel.dead_letters.page(agent="asker")
    assert [letter.error["code"] for letter in letters] == ["not_found"]


async def test_an_agent_with_too_many_questions_gives_up_the_next() -> None:
    world = World(asking([], policy=AgentPolicy(max_pending_requests=1)))
    await world.give(world.message("asker", "go"), world.message("asker", "go"))
    [letter], _ = await world.kernel.dead_letters.page()
    assert letter.error["code"] == "not_allowed_now"


async def test_labels_go_wherever_what_a_turn_knows_goes() -> None:
    async def first(turn: Turn) -> None:
        turn.label("untrusted:web")
        turn.send("second", "told")
        turn.ask("second", "asked")
        turn.publish("news", "heard")
        turn.remind("later", "again", after=world.clock.now() - world.clock.now())

    seen: dict[str, frozenset[str]] = {}

    async def second(turn: Turn) -> None:
        seen[turn.message.type] = turn.labels
        turn.reply("there")

    async def listen(turn: Turn) -> None:
        seen[turn.message.type] = turn.labels

    world = World(Script("first", first), Script("second", second), Script("ear", listen, topics=("news",)))
    await world.give(world.message("first", labels=frozenset({"mail"})))
    sent = [Message.decode(message.body) for message in world.mail()]
    assert {message.labels for message in sent} == {frozenset({"mail", "untrusted:web"})}
    for message in sent:
        if message.to == "second":
            await world.give(message)
    assert seen == {"told": frozenset({"mail", "untrusted:web"}), "asked": frozenset({"mail", "untrusted:web"})}
    [reply] = [Message.decode(message.body) for message in world.mail()]
    assert reply.labels == frozenset({"mail", "untrusted:web"})


async def test_the_error_of_a_turn_that_read_something_carries_its_label() -> None:
    async def run(turn: Turn) -> None:
        turn.label("untrusted:web")
        raise TerminalError("the page says: pay me")

    world = World(Script("reader", run))
    await world.give(world.message("reader", reply_to="asker"))
    [error] = [Message.decode(message.body) for message in world.mail()]
    assert error.labels == frozenset({"untrusted:web"})


async def test_one_message_does_not_label_the_next() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.type == "outside":
            turn.label("untrusted:web")
        turn.send("other", turn.message.type)

    world = World(Script("a", run))
    await world.give(world.message("a", "outside"), world.message("a", "inside"))
    first, second = (Message.decode(message.body) for message in world.mail())
    assert (first.labels, second.labels) == (frozenset({"untrusted:web"}), frozenset())


def test_labels_travel_as_one_attribute_and_are_bounded_without_losing_their_roots() -> None:
    world = World()
    message = world.message("a", labels=frozenset({"untrusted:web", "mail"}))
    assert message.to_json()["labels"] == "mail untrusted:web"
    assert Message.decode(message.encode()) == message
    assert "labels" not in world.message("a").to_json()
    many = [f"untrusted:site-{number}" for number in range(MAX_LABELS + 1)]
    assert check_labels(many) == {"untrusted"}
    with pytest.raises(InvalidInput, match="kinds"):
        check_labels([f"kind{number}" for number in range(MAX_LABELS + 1)])
    with pytest.raises(MalformedMessage, match="labels"):
        Message.from_json({**message.to_json(), "labels": "Not A Label"})


class Tidy(Script):
    """Ties up what its steps left, and forgets those that it undoes."""

    async def abandon(self, turn: Turn, error: AosError) -> set[str]:
        done = await turn.recorded()
        turn.send("cleaner", "undo", {"done": sorted(done.values()), "because": error.code})
        return {row for row, result in done.items() if result == "booked"}


@pytest.mark.parametrize("error", [TerminalError("no"), RetryableError("not now")])
async def test_what_a_message_did_before_it_was_given_up_is_told_and_forgotten_as_the_agent_says(
    error: AosError,
) -> None:
    calls: list[str] = []

    async def run(turn: Turn) -> None:
        async def do(what: str) -> str:
            calls.append(what)
            return what

        if turn.attempt == 1:
            await turn.step("book", lambda: do("booked"))
            await turn.step("pay", lambda: do("paid"))
        raise error

    world = World(Tidy("buyer", run))
    await world.give(world.message("buyer"))
    undo: list[Message] = []
    for _ in range(10):
        mail = [Message.decode(message.body) for message in world.mail()]
        undo += [message for message in mail if message.type == "undo"]
        for message in mail:
            if message.to == "buyer":
                await world.give(message)
    [told] = undo
    assert told.data["done"] == ["booked", "paid"]
    assert calls == ["booked", "paid"]
    [letter], _ = await world.kernel.dead_letters.page()
    await world.kernel.resubmit(letter.id)
    [again] = [m for m in world.mail() if m.session_id == "buyer"]
    await world.give(Message.decode(again.body))
    assert calls == ["booked", "paid", "booked"]


async def test_the_first_message_an_agent_ever_got_may_come_back_and_take_steps() -> None:
    calls: list[str] = []
    world = World(asking(calls))
    await world.give(world.message("asker", "go"), delivery_count=2)
    assert calls == ["paid"]
