"""One turn: what an agent may do, and that it happens at the commit or not at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aos.kernel.errors import InvalidInput, RetryableError, StoreUnavailable, TerminalError, UnknownAgentType
from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy, RetryPolicy
from aos.kernel.turn import Turn
from tests.kernel.world import Script, World, count


async def test_state_and_journal_are_written_together() -> None:
    world = World(Script("counter", count))
    await world.give(world.message("counter", data={"by": 2}), world.message("counter", data={"by": 3}))
    assert await world.state("counter") == {"total": 5}
    [entry] = await world.kernel.journal.entries("counter")
    assert [record["outcome"] for record in entry.received] == ["applied", "applied"]
    assert entry.patch == [["set", ["total"], 5]]


async def test_a_new_agent_starts_with_its_initial_state_and_the_journal_adds_up_to_it() -> None:
    world = World(Script("counter", count, initial={"total": 10, "unit": "EUR"}))
    await world.give(world.message("counter"))
    assert await world.state("counter") == {"total": 11, "unit": "EUR"}
    verification = await world.kernel.journal.verify("counter", await world.kernel.heads.read("counter"))
    assert verification.problem is None


async def test_messages_leave_in_order_after_the_commit_under_ids_that_repeat() -> None:
    async def run(turn: Turn) -> None:
        turn.send("other", "first", {"n": 1})
        turn.send("other:7", "second", priority=9)

    world = World(Script("sender", run))
    message = world.message("sender", conversation_id="talk")
    await world.give(message)
    first, second = world.mail()
    assert (first.message_id, first.session_id) == ("sender:1:0", "other")
    assert (second.message_id, second.session_id) == ("sender:1:1", "other:7")
    envelope = Message.decode(first.body)
    assert (envelope.source, envelope.causation_id, envelope.conversation_id) == ("sender", message.id, "talk")
    assert envelope.traceparent is not None


async def test_a_trace_goes_on_from_message_to_message() -> None:
    async def run(turn: Turn) -> None:
        turn.send("other", "next")

    world = World(Script("sender", run))
    parent = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    await world.give(world.message("sender", traceparent=parent))
    traceparent = Message.decode(world.mail()[0].body).traceparent or ""
    assert traceparent.startswith("00-" + "ab" * 16)
    assert traceparent != parent


async def test_a_failing_message_takes_back_only_its_own_effects() -> None:
    async def run(turn: Turn) -> None:
        turn.state["seen"] = [*turn.state.get("seen", []), turn.message.data]
        turn.send("other", "saw", turn.message.data)
        if turn.message.data == "bad":
            raise TerminalError("No use.")

    world = World(Script("a", run))
    await world.give(*(world.message("a", data=data) for data in ("one", "bad", "two")))
    assert await world.state("a") == {"seen": ["one", "two"]}
    assert [Message.decode(m.body).data for m in world.mail()] == ["one", "two"]
    [letter], _ = await world.kernel.dead_letters.page()
    assert letter.error["message"] == "No use."


async def test_a_retryable_failure_is_put_aside_and_does_not_hold_up_the_next() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data == "slow" and turn.attempt < 3:
            raise RetryableError("Not yet.", retry_after=30)
        turn.state["done"] = [*turn.state.get("done", []), turn.message.data]

    world = World(Script("a", run))
    await world.give(world.message("a", data="slow"))
    await world.give(world.message("a", data="quick"))
    assert await world.state("a") == {"done": ["quick"]}
    retry = world.outbox.sent[0]
    assert retry.scheduled_at is not None
    assert retry.scheduled_at >= world.clock.now() + timedelta(seconds=30)
    await world.settle()
    assert await world.state("a") == {"done": ["quick", "slow"]}


async def test_after_the_last_try_it_is_a_dead_letter_and_the_requester_is_told() -> None:
    async def failing(turn: Turn) -> None:
        raise ValueError("boom")

    answers: list[Any] = []

    async def asking(turn: Turn) -> None:
        if turn.message.type == "go":
            turn.ask("failing", "work", {"n": 1}, note="why")
        else:
            answers.append((turn.message.type, turn.message.data["code"], turn.request and turn.request.note))

    policy = AgentPolicy(retry=RetryPolicy(max_attempts=3))
    world = World(Script("failing", failing, policy), Script("asking", asking))
    await world.give(world.message("asking"))
    await world.settle()
    assert answers == [("aos.error", "attempts_exhausted", "why")]
    [letter], _ = await world.kernel.dead_letters.page()
    assert letter.error["details"]["last_error"]["code"] == "handler_failed"
    assert letter.message is not None
    assert letter.message["attempt"] == 3


async def test_a_resubmitted_dead_letter_is_taken_again_once() -> None:
    broken = True

    async def run(turn: Turn) -> None:
        if broken:
            raise TerminalError("Broken.")
        await count(turn)

    world = World(Script("a", run))
    await world.give(world.message("a"))
    [letter], _ = await world.kernel.dead_letters.page(status="open")
    broken = False
    await world.kernel.resubmit(letter.id)
    await world.settle()
    assert await world.state("a") == {"total": 1}
    assert await world.kernel.dead_letters.page(status="open") == ([], None)
    with pytest.raises(TerminalError, match="resubmitted already"):
        await world.kernel.resubmit(letter.id)


async def test_a_reply_finds_the_request_it_answers_and_only_once() -> None:
    seen: list[Any] = []

    async def asking(turn: Turn) -> None:
        if turn.request is None:
            turn.ask("echo", "say", {"word": "hello"}, note={"why": 1})
        else:
            seen.append((turn.request.note, turn.message.data, turn.message.type))

    async def echo(turn: Turn) -> None:
        turn.reply(turn.message.data["word"])

    world = World(Script("asking", asking), Script("echo", echo))
    await world.give(world.message("asking"))
    await world.settle()
    assert seen == [({"why": 1}, "hello", "say.reply")]
    head = await world.kernel.heads.read("asking")
    assert head is not None
    assert head.pending == {}


async def test_without_an_answer_in_time_the_requester_is_woken_with_an_error_and_a_late_reply_is_ignored() -> None:
    seen: list[Any] = []

    async def asking(turn: Turn) -> None:
        if turn.request is None:
            turn.ask("silent", "say", timeout=timedelta(seconds=60))
        else:
            seen.append(turn.message.data["code"])

    async def silent(turn: Turn) -> None:
        return None

    world = World(Script("asking", asking), Script("silent", silent))
    await world.give(world.message("asking"))
    request = Message.decode(world.outbox.sent[0].body)
    await world.settle()
    assert seen == ["deadline_exceeded"]
    before = await world.kernel.heads.read("asking")
    await world.give(world.message("asking", "say.reply", "late", correlation_id=request.id, source="silent"))
    after = await world.kernel.heads.read("asking")
    assert seen == ["deadline_exceeded"]
    assert before is not None
    assert after is not None
    assert before.version == after.version


async def test_a_message_past_its_deadline_is_not_handled() -> None:
    world = World(Script("counter", count))
    late = world.message("counter", deadline=world.clock.now() - timedelta(seconds=1))
    await world.give(late)
    assert await world.state("counter") == {}
    [letter], _ = await world.kernel.dead_letters.page()
    assert letter.error["code"] == "deadline_exceeded"


async def test_reminders_wake_the_agent_later_and_a_name_has_one() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.type == "go":
            turn.remind("tea", "tea.ready", {"cup": turn.message.data}, after=timedelta(minutes=5))
        else:
            turn.state.setdefault("cups", []).append(turn.message.data["cup"])

    world = World(Script("cook", run))
    await world.give(world.message("cook", data=1))
    await world.give(world.message("cook", data=2))
    await world.settle()
    assert await world.state("cook") == {"cups": [2]}


async def test_a_forgotten_reminder_does_not_come() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.type == "go":
            turn.remind("tea", "tea.ready", after=timedelta(minutes=5))
        elif turn.message.type == "stop":
            turn.forget("tea")
        else:
            turn.state["woken"] = True

    world = World(Script("cook", run))
    await world.give(world.message("cook"), world.message("cook", "stop"))
    await world.settle()
    assert await world.state("cook") == {}


async def test_a_reminder_that_fails_is_retried() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.type == "go":
            turn.remind("tea", "tea.ready", after=timedelta(minutes=5))
        elif turn.attempt == 1:
            raise RetryableError("Kettle is busy.")
        else:
            turn.state["woken"] = turn.attempt

    world = World(Script("cook", run))
    await world.give(world.message("cook"))
    await world.settle()
    assert await world.state("cook") == {"woken": 2}


async def test_a_step_is_done_once_however_often_the_message_is_tried() -> None:
    paid: list[int] = []

    async def pay() -> dict[str, int]:
        paid.append(1)
        return {"receipt": len(paid)}

    async def run(turn: Turn) -> None:
        receipt = await turn.step("pay", pay)
        again = await turn.step("pay", pay)
        if turn.attempt == 1:
            raise RetryableError("Printer jam.")
        turn.state["receipts"] = [receipt, again]

    world = World(Script("till", run))
    await world.give(world.message("till"))
    await world.settle()
    assert len(paid) == 2
    assert await world.state("till") == {"receipts": [{"receipt": 1}, {"receipt": 2}]}
    page = await world.tables.scan("agents", "till", first="s:", before="s:~")
    assert list(page.entities) == []


async def test_an_idempotency_key_is_the_same_on_each_try() -> None:
    keys: list[str] = []

    async def run(turn: Turn) -> None:
        keys.append(turn.idempotency_key("pay"))
        if turn.attempt < 3:
            raise RetryableError("Again.")

    world = World(Script("till", run))
    await world.give(world.message("till"))
    await world.settle()
    await world.give(world.message("till"))
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


async def test_a_handler_that_takes_too_long_is_cut_off_and_tried_again() -> None:
    import asyncio

    async def run(turn: Turn) -> None:
        if turn.attempt == 1:
            await asyncio.Event().wait()
        turn.state["done"] = True

    # No time at all: whoever waits is cut off at once, and who does not wait is done before it is looked at.
    world = World(Script("a", run, AgentPolicy(message_timeout=0.0)))
    await world.give(world.message("a"))
    [entry] = await world.kernel.journal.entries("a")
    assert entry.received[0]["error"]["code"] == "timeout_error"
    await world.settle()
    assert await world.state("a") == {"done": True}


async def test_decisions_facts_and_usage_are_in_the_journal() -> None:
    async def run(turn: Turn) -> None:
        turn.decide("Which?", "a", rationale="Cheaper.", alternatives=[{"option": "b"}], confidence=0.8)
        turn.record("looked", files=3)
        turn.spend(tokens=5)
        turn.spend(tokens=7)

    world = World(Script("a", run))
    await world.give(world.message("a"))
    [entry] = await world.kernel.journal.entries("a")
    assert entry.decisions[0]["selected"] == "a"
    assert entry.decisions[0]["rationale"] == "Cheaper."
    assert entry.facts == [{"kind": "looked", "files": 3}]
    assert entry.usage["tokens"] == 12


async def test_state_that_is_not_json_or_too_large_is_refused() -> None:
    async def run(turn: Turn) -> None:
        turn.state["value"] = object() if turn.message.data == "object" else "x" * 2_000

    world = World(Script("a", run, AgentPolicy(max_state_bytes=1_000)))
    await world.give(world.message("a", data="object"), world.message("a", data="large"))
    letters, _ = await world.kernel.dead_letters.page()
    assert {letter.error["code"] for letter in letters} == {"state_not_json", "state_too_large"}
    assert await world.state("a") == {}


async def test_large_states_are_compressed_and_larger_ones_spilled_and_read_back() -> None:
    import random

    async def run(turn: Turn) -> None:
        turn.state["value"] = turn.message.data

    world = World(Script("a", run))
    repetitive = "tick tock " * 5_000
    noise = random.Random(1).randbytes(100_000).hex()
    for value in ("small", repetitive, noise):
        await world.give(world.message("a", data=value))
        assert await world.state("a") == {"value": value}
    entity = await world.tables.get("agents", "a", "head")
    assert entity is not None
    assert "state_ref" in entity.values
    verification = await world.kernel.journal.verify("a", await world.kernel.heads.read("a"))
    assert verification.problem is None


async def test_a_message_for_a_type_nobody_registered_is_a_dead_letter_and_its_sender_is_told() -> None:
    world = World()
    await world.give(world.message("nobody", reply_to="asker"))
    [letter], _ = await world.kernel.dead_letters.page()
    assert letter.error["code"] == UnknownAgentType.code
    reply = Message.decode(world.mail()[0].body)
    assert (reply.to, reply.type, reply.correlation_id) == ("asker", "aos.error", "m1")


async def test_bytes_that_are_no_message_are_a_dead_letter_and_the_others_go_on() -> None:
    from aos.kernel.kernel import Delivery

    world = World(Script("counter", count))
    good = Delivery(world.message("counter").encode())
    await world.kernel.deliver([Delivery(b"hello"), good, Delivery(b'{"specversion":"1.0"}')])
    assert await world.state("counter") == {"total": 1}
    letters, _ = await world.kernel.dead_letters.page()
    assert {letter.body for letter in letters} == {"hello", '{"specversion":"1.0"}'}


async def test_a_topic_event_goes_to_each_subscriber() -> None:
    async def publish(turn: Turn) -> None:
        turn.publish("weather", "rain.started", {"mm": 3})

    async def note(turn: Turn) -> None:
        turn.state["topic"] = turn.message.topic

    world = World(
        Script("station", publish),
        Script("gardener", note, topics=("weather",)),
        Script("cook", note, topics=("food",)),
    )
    await world.give(world.message("station"))
    [sent] = world.mail()
    assert sent.entity == "agent-events"
    event = Message.decode(sent.body)
    await world.kernel.mailbox.fan_out(event, world.scripts.subscribers(event))
    await world.settle()
    assert await world.state("gardener") == {"topic": "weather"}
    assert await world.state("cook") is None


async def test_what_a_handler_asks_for_wrongly_is_its_dead_letter() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data == "address":
            turn.send("Not An Address", "hello")
        turn.remind("x", "y")

    world = World(Script("a", run))
    await world.give(world.message("a", data="address"), world.message("a"))
    letters, _ = await world.kernel.dead_letters.page()
    assert {letter.error["code"] for letter in letters} == {InvalidInput.code}


async def test_an_infrastructure_error_in_a_handler_commits_nothing() -> None:
    async def run(turn: Turn) -> None:
        turn.state["x"] = 1
        raise StoreUnavailable("Storage is down.")

    world = World(Script("a", run))
    with pytest.raises(StoreUnavailable):
        await world.give(world.message("a"))
    assert await world.state("a") is None
    assert world.outbox.sent == []


async def test_an_answer_for_the_journal_is_put_on_record_and_sent_nowhere() -> None:
    async def run(turn: Turn) -> None:
        if turn.message.data == "fail":
            raise TerminalError("No.")
        assert turn.reply({"yes": True}) is None

    world = World(Script("a", run))
    await world.give(world.message("a", id="m-1", reply_to="journal:"))
    await world.give(world.message("a", data="fail", id="m-2", reply_to="journal:"))
    answered, failed = await world.kernel.journal.entries("a")
    assert answered.facts == [
        {
            "kind": "reply",
            "request": "m-1",
            "type": f"{answered.received[0]['message']['type']}.reply",
            "data": {"yes": True},
        }
    ]
    assert answered.sent == failed.sent == []
