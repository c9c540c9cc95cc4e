"""What a message bus holds to, from sending to settlement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from aos.azure.claims import CONTENT_TYPE as CLAIM
from aos.kernel import meter
from aos.kernel.errors import BusUnavailable, InvalidInput, LockLost, NotFound, PayloadTooLarge
from aos.kernel.ports import OutboundMessage
from tests.contract.lines import DELIVERIES, LOCK, WINDOW, Letter, Line, Receiver, SessionHolder

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

DEAD = "/$DeadLetterQueue"
LOCK_SECONDS = LOCK / timedelta(seconds=1)
WINDOW_SECONDS = WINDOW / timedelta(seconds=1)


def mail(line: Line, id_: str, session: str = "a", **fields: Any) -> OutboundMessage:
    return OutboundMessage(line.names.mailboxes, fields.pop("body", id_.encode()), id_, session_id=session, **fields)


def plain(line: Line, id_: str, **fields: Any) -> OutboundMessage:
    return OutboundMessage(line.names.plain, fields.pop("body", id_.encode()), id_, **fields)


def ids(letters: Sequence[Letter]) -> list[str | None]:
    return [letter.message_id for letter in letters]


async def held(line: Line) -> SessionHolder:
    session = await line.accept_next()
    assert session is not None
    return session


async def one(receiver: Receiver) -> Letter:
    (letter,) = await receiver.take(1)
    return letter


async def drained(line: Line, entity: str) -> list[Letter]:
    """All that is to be had of an entity without sessions, completed."""
    receiver = await line.receiver(entity)
    letters = await receiver.take(50)
    for letter in letters:
        await receiver.complete(letter)
    return letters


class TestSending:
    async def test_a_message_arrives_as_it_was_sent(self, line: Line) -> None:
        message = mail(
            line,
            "id-1",
            "agent:é",
            body=bytes(range(256)),
            subject="review.requested",
            correlation_id="c-1",
            content_type="application/json",
            properties={"priority": "5", "unicode": "馬"},
        )
        await line.bus.send([message])
        session = await held(line)
        letter = await one(session)
        assert session.session_id == "agent:é"
        assert (letter.body, letter.message_id, letter.session_id) == (bytes(range(256)), "id-1", "agent:é")
        assert (letter.subject, letter.correlation_id) == ("review.requested", "c-1")
        assert letter.content_type == "application/json"
        assert letter.properties == {"priority": "5", "unicode": "馬"}
        assert letter.delivery_count == 0

    async def test_nothing_to_send_is_fine(self, line: Line) -> None:
        await line.bus.send([])

    async def test_many_messages_keep_their_order_through_all_batches(self, line: Line) -> None:
        sent = [mail(line, f"{n:03}", body=b"x" * 4_000) for n in range(150)]
        await line.bus.send(sent)
        session = await held(line)
        assert ids(await session.take(150)) == [message.message_id for message in sent]

    async def test_messages_of_one_call_go_to_their_entities(self, line: Line) -> None:
        event = OutboundMessage(line.names.events, b"event", "e1")
        await line.bus.send([mail(line, "1"), plain(line, "2"), event, mail(line, "3"), plain(line, "4")])
        assert ids(await (await held(line)).take(2)) == ["1", "3"]
        assert ids(await drained(line, line.names.plain)) == ["2", "4"]
        assert ids(await drained(line, line.names.copies)) == ["e1"]

    async def test_each_message_counts(self, line: Line) -> None:
        await line.bus.send([plain(line, "warm")])
        with meter.metered() as usage:
            await line.bus.send([plain(line, "1", body=b"12345"), plain(line, "2", body=b"678")])
        assert (usage.bus_sends, usage.bytes_written) == (2, 8)

    async def test_an_unknown_entity_is_not_found(self, line: Line) -> None:
        with pytest.raises(NotFound):
            await line.bus.send([OutboundMessage("no-such-queue", b"x", "1")])

    @pytest.mark.parametrize(
        "wrong",
        [
            {"message_id": ""},
            {"message_id": "x" * 129},
            {"session_id": "x" * 129},
            {"session_id": ""},
            {"entity": ""},
            {"expires_after": 0},
            {"expires_after": -1},
        ],
    )
    async def test_what_cannot_be_sent_keeps_the_others_back(self, line: Line, wrong: dict[str, Any]) -> None:
        fields: dict[str, Any] = {"entity": line.names.plain, "body": b"x", "message_id": "2", **wrong}
        with pytest.raises(InvalidInput):
            await line.bus.send([plain(line, "1"), OutboundMessage(**fields)])
        assert await drained(line, line.names.plain) == []

    async def test_the_longest_ids_pass(self, line: Line) -> None:
        await line.bus.send([mail(line, "i" * 128, "s" * 128, body=b"x")])
        session = await held(line)
        assert session.session_id == "s" * 128
        assert ids(await session.take(1)) == ["i" * 128]

    async def test_a_mailbox_message_needs_a_session(self, line: Line) -> None:
        # The SDK has no error of its own for it, so that the adapter cannot tell it from others.
        with pytest.raises((InvalidInput, BusUnavailable)):
            await line.bus.send([OutboundMessage(line.names.mailboxes, b"x", "1")])
        assert await line.accept_next() is None

    async def test_a_body_too_large_for_the_bus_goes_as_a_claim_check(self, line: Line) -> None:
        await line.bus.send([mail(line, "fits", body=b"x" * 240 * 1024), mail(line, "large", body=b"y" * 300_000)])
        fits, large = await (await held(line)).take(2)
        assert len(fits.body) == 240 * 1024
        assert len(large.body) < 256
        assert large.content_type == CLAIM

    async def test_properties_count_towards_the_size(self, line: Line) -> None:
        with pytest.raises(PayloadTooLarge):
            await line.bus.send([mail(line, "1", body=b"x" * 230 * 1024, properties={"p": "y" * 30_000})])
        assert await line.accept_next() is None


class TestSessions:
    async def test_each_session_has_its_messages_in_order(self, line: Line) -> None:
        await line.bus.send([mail(line, f"{session}{n}", session) for n in range(3) for session in "ab"])
        first, second = await held(line), await held(line)
        assert {first.session_id, second.session_id} == {"a", "b"}
        for session in (first, second):
            assert ids(await session.take(3)) == [f"{session.session_id}{n}" for n in range(3)]
        assert await line.accept_next() is None

    async def test_a_session_is_held_by_one(self, line: Line) -> None:
        await line.bus.send([mail(line, "1")])
        session = await held(line)
        assert await line.accept_next() is None
        with pytest.raises(LockLost):
            await line.accept("a")
        await session.close()
        assert ids(await (await line.accept("a")).take(1)) == ["1"]

    async def test_without_messages_there_is_no_next_session(self, line: Line) -> None:
        assert await line.accept_next() is None
        session = await line.accept("empty")
        assert await session.take(1) == []

    async def test_a_completed_message_is_gone(self, line: Line) -> None:
        await line.bus.send([mail(line, "1"), mail(line, "2")])
        session = await held(line)
        await session.complete(await one(session))
        await session.close()
        again = await held(line)
        letters = await again.take(2)
        assert ids(letters) == ["2"]
        await again.complete(letters[0])
        await again.close()
        assert await line.accept_next() is None

    async def test_an_abandoned_message_comes_first_again_and_counts(self, line: Line) -> None:
        await line.bus.send([mail(line, "1"), mail(line, "2")])
        session = await held(line)
        await session.abandon(await one(session))
        letters = await session.take(2)
        assert ids(letters) == ["1", "2"]
        assert [letter.delivery_count for letter in letters] == [1, 0]

    async def test_a_lock_that_ran_out_ends_the_session(self, line: Line) -> None:
        await line.bus.send([mail(line, "1"), mail(line, "2")])
        zombie = await held(line)
        letter = await one(zombie)
        await line.pass_time(LOCK_SECONDS + 1)
        heir = await held(line)
        assert heir.session_id == "a"
        letters = await heir.take(2)
        assert ids(letters) == ["1", "2"]
        assert letters[0].delivery_count == 1
        with pytest.raises(LockLost):
            await zombie.complete(letter)
        for letter in letters:
            await heir.complete(letter)

    async def test_a_renewed_lock_goes_on(self, line: Line) -> None:
        await line.bus.send([mail(line, "1")])
        session = await held(line)
        letter = await one(session)
        for _ in range(3):
            await line.pass_time(LOCK_SECONDS * 0.6)
            end = await session.renew()
            assert LOCK * 0.5 < end - line.now() < LOCK * 1.5
        await session.complete(letter)
        await session.close()
        assert await line.accept_next() is None

    async def test_a_lock_that_ran_out_cannot_be_renewed(self, line: Line) -> None:
        await line.bus.send([mail(line, "1")])
        session = await held(line)
        await line.pass_time(LOCK_SECONDS + 1)
        with pytest.raises(LockLost):
            await session.renew()

    async def test_what_arrives_meanwhile_belongs_to_the_holder(self, line: Line) -> None:
        await line.bus.send([mail(line, "1")])
        session = await held(line)
        assert ids(await session.take(1)) == ["1"]
        await line.bus.send([mail(line, "2")])
        assert await line.accept_next() is None
        assert ids(await session.take(1)) == ["2"]

    async def test_a_session_keeps_a_state(self, line: Line) -> None:
        session = await line.accept("a")
        assert await session.get_state() is None
        await session.set_state(b"\x00 half way")
        await session.close()
        again = await line.accept("a")
        assert await again.get_state() == b"\x00 half way"
        await again.set_state(None)
        assert await again.get_state() is None


class TestDeadLetters:
    async def test_a_message_that_keeps_failing_is_put_aside(self, line: Line) -> None:
        await line.bus.send([mail(line, "poison", subject="s", properties={"p": "v"}), mail(line, "next")])
        session = await held(line)
        for attempt in range(DELIVERIES):
            letter = await one(session)
            assert (letter.message_id, letter.delivery_count) == ("poison", attempt)
            await session.abandon(letter)
        assert ids(await session.take(1)) == ["next"]
        (dead,) = await drained(line, line.names.mailboxes + DEAD)
        assert (dead.message_id, dead.session_id, dead.body) == ("poison", "a", b"poison")
        assert (dead.subject, dead.properties["p"]) == ("s", "v")
        assert dead.reason == "MaxDeliveryCountExceeded"

    async def test_deliveries_lost_with_a_lock_count_too(self, line: Line) -> None:
        await line.bus.send([mail(line, "poison")])
        for _ in range(DELIVERIES):
            session = await held(line)
            assert ids(await session.take(1)) == ["poison"]
            await line.pass_time(LOCK_SECONDS + 1)
        assert await line.accept_next() is None
        assert ids(await drained(line, line.names.mailboxes + DEAD)) == ["poison"]

    async def test_a_receiver_may_put_a_message_aside(self, line: Line) -> None:
        await line.bus.send([plain(line, "bad")])
        receiver = await line.receiver(line.names.plain)
        await receiver.dead_letter(await one(receiver), "Unreadable", "It is not JSON.")
        assert await drained(line, line.names.plain) == []
        (dead,) = await drained(line, line.names.plain + DEAD)
        assert (dead.message_id, dead.body) == ("bad", b"bad")
        assert (dead.reason, dead.description) == ("Unreadable", "It is not JSON.")


class TestDuplicates:
    async def test_an_id_that_repeats_is_dropped(self, line: Line) -> None:
        await line.bus.send([mail(line, "1", body=b"first"), mail(line, "1", body=b"second"), mail(line, "2")])
        await line.bus.send([mail(line, "1", body=b"third"), mail(line, "2")])
        session = await held(line)
        letters = await session.take(5)
        assert [letter.body for letter in letters] == [b"first", b"2"]

    async def test_it_is_dropped_even_when_the_first_is_done_with(self, line: Line) -> None:
        await line.bus.send([mail(line, "1")])
        session = await held(line)
        await session.complete(await one(session))
        await line.bus.send([mail(line, "1")])
        assert await session.take(1) == []

    async def test_ids_are_compared_across_sessions(self, line: Line) -> None:
        await line.bus.send([mail(line, "1", "a"), mail(line, "1", "b")])
        assert (await held(line)).session_id == "a"
        assert await line.accept_next() is None

    async def test_ids_are_forgotten_after_the_window(self, line: Line) -> None:
        await line.bus.send([mail(line, "1")])
        await line.pass_time(WINDOW_SECONDS + 5)
        await line.bus.send([mail(line, "1")])
        assert ids(await (await held(line)).take(3)) == ["1", "1"]

    async def test_an_id_is_known_while_its_message_is_scheduled(self, line: Line) -> None:
        later = line.now() + timedelta(seconds=10)
        await line.bus.send([mail(line, "1", scheduled_at=later)])
        await line.bus.send([mail(line, "1")])
        assert await line.accept_next() is None

    async def test_without_detection_all_arrive(self, line: Line) -> None:
        await line.bus.send([plain(line, "1"), plain(line, "1")])
        assert ids(await drained(line, line.names.plain)) == ["1", "1"]


class TestTime:
    async def test_a_scheduled_message_comes_when_its_time_has_come(self, line: Line) -> None:
        later = line.now() + timedelta(seconds=15)
        await line.bus.send([mail(line, "later", scheduled_at=later), mail(line, "now")])
        session = await held(line)
        now = await session.take(2)
        assert ids(now) == ["now"]
        await session.complete(now[0])
        await session.close()
        await line.pass_time(16)
        session = await held(line)
        assert ids(await session.take(2)) == ["later"]

    async def test_scheduled_messages_come_in_the_order_of_their_times(self, line: Line) -> None:
        now = line.now()
        await line.bus.send(
            [
                mail(line, "second", scheduled_at=now + timedelta(seconds=8)),
                mail(line, "first", scheduled_at=now + timedelta(seconds=5)),
            ]
        )
        await line.pass_time(12)
        assert ids(await (await held(line)).take(2)) == ["first", "second"]

    async def test_a_time_that_has_passed_means_now(self, line: Line) -> None:
        await line.bus.send([mail(line, "1", scheduled_at=line.now() - timedelta(hours=1))])
        assert ids(await (await held(line)).take(1)) == ["1"]

    async def test_an_expired_message_is_not_delivered(self, line: Line) -> None:
        await line.bus.send([plain(line, "short", expires_after=5), plain(line, "long", expires_after=3_600)])
        await line.pass_time(8)
        assert ids(await drained(line, line.names.plain)) == ["long"]


class TestWithoutSessions:
    async def test_a_message_is_held_by_one_receiver(self, line: Line) -> None:
        await line.bus.send([plain(line, "1"), plain(line, "2")])
        first, second = await line.receiver(line.names.plain), await line.receiver(line.names.plain)
        assert ids(await first.take(1)) == ["1"]
        assert ids(await second.take(2)) == ["2"]

    async def test_a_lock_that_ran_out_gives_the_message_to_another(self, line: Line) -> None:
        await line.bus.send([plain(line, "1")])
        zombie, heir = await line.receiver(line.names.plain), await line.receiver(line.names.plain)
        late = await one(zombie)
        await line.pass_time(LOCK_SECONDS + 1)
        letter = await one(heir)
        assert letter.delivery_count == 1
        with pytest.raises(LockLost):
            await zombie.complete(late)
        await heir.complete(letter)
        assert await heir.take(1) == []

    async def test_an_abandoned_message_comes_back(self, line: Line) -> None:
        await line.bus.send([plain(line, "1")])
        receiver = await line.receiver(line.names.plain)
        await receiver.abandon(await one(receiver))
        assert (await one(receiver)).delivery_count == 1


class TestTopics:
    async def test_a_subscription_gets_its_copy(self, line: Line) -> None:
        event = OutboundMessage(line.names.events, b"{}", "e1", subject="topic", properties={"topic": "a.b"})
        await line.bus.send([event])
        await line.bus.send([event])
        (copy,) = await drained(line, line.names.copies)
        assert (copy.body, copy.message_id, copy.subject) == (b"{}", "e1", "topic")
        assert copy.properties == {"topic": "a.b"}
