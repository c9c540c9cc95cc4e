"""Questions nobody answers: the reminder, the default answer, the dead letter, and each of them once."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest

from aos.kernel.errors import AosError, NeedsAnswer
from aos.kernel.message import Message
from aos.kernel.ports import OutboundMessage
from aos.kernel.settings import KernelSettings, QuestionTerms
from aos.kernel.turn import Turn
from tests.kernel.world import Script, World

TERMS = KernelSettings(questions=QuestionTerms(seconds=600, notice=60))


def asking(**terms: Any) -> Script:
    async def run(turn: Turn) -> None:
        if turn.message.type == "answer":
            await turn.resume("may-i", turn.message.data)
            return

        async def pay() -> str:
            return "receipt"

        receipt = await turn.step("pay", pay)
        answered, answer = await turn.answer_to("may-i")
        if not answered:
            raise NeedsAnswer("May I?", question="may-i", **terms)
        turn.state["heard"] = [receipt, answer]

    return Script("asker", run)


def told(mail: list[OutboundMessage]) -> list[Message]:
    return [Message.decode(message.body) for message in mail]


async def parked(world: World) -> dict[str, Any]:
    head = await world.kernel.heads.read("asker")
    assert head is not None
    return head.parked


async def check(world: World, mail: list[OutboundMessage]) -> Message:
    """The scheduled look at the question; the clock moves to its time."""
    [scheduled] = [message for message in mail if message.scheduled_at is not None]
    assert scheduled.scheduled_at is not None
    world.clock.advance((scheduled.scheduled_at - world.clock.now()) / timedelta(seconds=1))
    return Message.decode(scheduled.body)


async def test_people_are_reminded_before_and_then_the_message_is_a_dead_letter_once() -> None:
    world = World(asking(), settings=TERMS)
    begun = world.clock.now()
    await world.give(world.message("asker", "go", reply_to="boss"))
    mail = world.mail()
    asked, *_ = told(mail)
    assert asked.data["expires"] == (begun + timedelta(seconds=600)).isoformat().replace("+00:00", "Z")

    await world.give(await check(world, mail))
    assert world.clock.now() == begun + timedelta(seconds=540)
    mail = world.mail()
    assert [(m.type, m.topic, m.data["question"] if m.topic is None else m.data["code"]) for m in told(mail)] == [
        ("aos.question.reminder", "aos.questions", "needs_answer"),
        ("aos.question.check", None, "may-i"),
    ]

    last = await check(world, mail)
    assert world.clock.now() == begun + timedelta(seconds=600)
    await world.give(last)
    await world.give(last, delivery_count=2)
    [letter], _ = await world.kernel.dead_letters.page()
    assert letter.error["code"] == "question_expired"
    assert letter.message is not None
    assert letter.message["type"] == "go"
    assert await parked(world) == {}
    [reply] = told(world.mail())
    assert (reply.to, reply.type, reply.data["code"]) == ("boss", "aos.error", "question_expired")

    await world.give(world.message("asker", "answer", "late"))
    letters, _ = await world.kernel.dead_letters.page()
    assert sorted(each.error["code"] for each in letters) == ["not_found", "question_expired"]

    await world.kernel.resubmit(letter.id)
    [again, *_] = world.mail()
    await world.give(Message.decode(again.body))
    assert list(await parked(world)) == ["may-i"]


async def test_a_declared_default_answers_in_the_end_and_a_late_answer_finds_no_question() -> None:
    world = World(asking(default="no", expires_after=timedelta(seconds=30)), settings=TERMS)
    await world.give(world.message("asker", "go"))
    last = await check(world, world.mail())
    assert last.data["last"] is True
    await world.give(last)
    await world.settle()
    assert await world.state("asker") == {"heard": ["receipt", "no"]}
    entry = await world.kernel.journal.entry("asker", 2)
    assert {"kind": "question.expired", "question": "may-i", "answer": "no"} in entry.facts
    assert (await world.kernel.dead_letters.page())[0] == []


async def test_an_answer_in_time_leaves_nothing_to_expire() -> None:
    world = World(asking(default="no"), settings=TERMS)
    await world.give(world.message("asker", "go"))
    mail = world.mail()
    await world.give(world.message("asker", "answer", "yes"))
    await world.settle()
    await world.give(await check(world, mail))
    assert await world.state("asker") == {"heard": ["receipt", "yes"]}
    assert world.mail() == []


@pytest.mark.parametrize("settings", [KernelSettings(), TERMS])
async def test_a_question_may_wait_for_ever(settings: KernelSettings) -> None:
    terms = {"expires_after": timedelta()} if settings is TERMS else {}
    world = World(asking(**terms), settings=settings)
    await world.give(world.message("asker", "go"))
    [event] = told(world.mail())
    assert event.type == "aos.question.asked"
    assert "expires" not in event.data


async def test_the_end_of_a_question_that_was_given_up_and_asked_anew_does_not_end_the_new_one() -> None:
    world = World(asking(expires_after=timedelta(seconds=30)), settings=TERMS)
    await world.give(world.message("asker", "go"))
    first = await check(world, world.mail())
    await world.give(first)
    [letter], _ = await world.kernel.dead_letters.page()
    world.clock.advance(5)
    await world.kernel.resubmit(letter.id)
    [again] = world.mail()
    await world.give(Message.decode(again.body))
    world.mail()
    stale = world.message("asker", "aos.question.check", first.data, source="asker")
    await world.give(stale)
    assert list(await parked(world)) == ["may-i"]


async def test_what_the_message_did_before_it_waited_is_told_when_it_expires() -> None:
    class Tidy(Script):
        async def abandon(self, turn: Turn, error: AosError) -> set[str]:
            turn.send("cleaner", "undo", sorted((await turn.recorded()).values()))
            return set()

    script = asking(expires_after=timedelta(seconds=30))
    world = World(Tidy(script.type, script.run), settings=TERMS)
    await world.give(world.message("asker", "go"))
    await world.give(await check(world, world.mail()))
    [undo] = told(world.mail())
    assert (undo.to, undo.data) == ("cleaner", ["receipt"])


def test_the_terms_of_a_question_survive_pickling() -> None:
    error = NeedsAnswer("?", question="q", expires_after=timedelta(seconds=5), default={"no": 1})
    again = pickle.loads(pickle.dumps(error))
    assert (again.expires_after, again.details) == (timedelta(seconds=5), error.details)
