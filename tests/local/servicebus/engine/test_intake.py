from __future__ import annotations

from datetime import timedelta

import pytest

from aos.local.servicebus.engine import Bus, InvalidArgument, Message, MessageNotFound, MessageState, QueueDescription
from tests.local.servicebus.engine.virtual import START, VirtualClock, bodies, drain, make_queue, one, send

HOUR = timedelta(hours=1)


def test_a_scheduled_message_appears_at_its_time(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus)
    (number,) = queue.schedule([Message(b"later", scheduled_for=START + HOUR)])
    send(queue, "now")
    assert drain(queue) == ["now"]
    clock.move(bus, minutes=59)
    assert queue.receive(5) == []
    got: list[str] = []
    queue.when_ready(lambda: got.append("ready"))
    clock.move(bus, minutes=1)
    assert got == ["ready"]
    message = one(queue).message
    assert message.sequence_number > number
    assert message.enqueued_sequence_number == number
    assert (message.enqueued_at, message.state) == (START + HOUR, MessageState.ACTIVE)


def test_sending_with_a_time_schedules_too(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus)
    send(queue, "later", scheduled_for=START + HOUR)
    send(queue, "past", scheduled_for=START - HOUR)
    assert drain(queue) == ["past"]
    clock.now += HOUR
    assert drain(queue) == ["later"]


def test_scheduled_messages_come_in_the_order_of_their_times(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus)
    for minutes in (30, 10, 20):
        send(queue, str(minutes), scheduled_for=START + timedelta(minutes=minutes))
    clock.now += HOUR
    send(queue, "sent last")
    assert drain(queue) == ["10", "20", "30", "sent last"]


def test_cancelling_takes_all_or_none(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus)
    first, second = queue.schedule(
        [Message(b"a", scheduled_for=START + HOUR), Message(b"b", scheduled_for=START + HOUR)]
    )
    with pytest.raises(MessageNotFound, match="999"):
        queue.cancel_scheduled([first, 999])
    queue.cancel_scheduled([first, first])
    with pytest.raises(MessageNotFound):
        queue.cancel_scheduled([first])
    clock.move(bus, hours=1)
    assert drain(queue) == ["b"]
    with pytest.raises(MessageNotFound):
        queue.cancel_scheduled([second])
    assert bus.statistics("orders").scheduled == 0


def test_many_cancelled_messages_leave_the_rest_alone(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus)
    numbers = queue.schedule(
        [Message(str(n).encode(), scheduled_for=START + timedelta(minutes=500 - n)) for n in range(500)]
    )
    queue.cancel_scheduled(numbers[:490])
    clock.move(bus, hours=9)
    assert drain(queue) == [str(n) for n in range(499, 489, -1)]


def test_scheduling_needs_a_time(bus: Bus) -> None:
    with pytest.raises(InvalidArgument, match="scheduled_for"):
        make_queue(bus).schedule([Message(b"a")])


def test_duplicates_within_the_window_are_dropped_silently(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus, requires_duplicate_detection=True, duplicate_detection_window=timedelta(minutes=10))
    send(queue, "a", "again", message_id="1")
    send(queue, "b", message_id="2")
    clock.move(bus, minutes=9)
    send(queue, "again", message_id="1")
    assert drain(queue) == ["a", "b"]
    clock.move(bus, minutes=1)
    send(queue, "c", message_id="1")
    assert drain(queue) == ["c"]


def test_a_completed_message_still_shadows_its_duplicates(bus: Bus) -> None:
    queue = make_queue(bus, requires_duplicate_detection=True)
    send(queue, "a", message_id="1")
    queue.complete(one(queue).lock_token)
    send(queue, "a", message_id="1")
    assert queue.receive(1) == []


def test_messages_without_id_are_never_duplicates(bus: Bus) -> None:
    queue = make_queue(bus, requires_duplicate_detection=True)
    send(queue, "a", "a")
    assert len(queue.receive(9)) == 2


def test_a_scheduled_message_counts_for_duplicates_from_when_it_was_sent(bus: Bus) -> None:
    queue = make_queue(bus, requires_duplicate_detection=True)
    numbers = queue.schedule([Message(b"a", message_id="1", scheduled_for=START + HOUR)])
    assert numbers == [1]
    assert queue.schedule([Message(b"a", message_id="1", scheduled_for=START + HOUR)]) == [0]


def test_a_changed_window_holds_from_then_on(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus, requires_duplicate_detection=True, duplicate_detection_window=HOUR)
    send(queue, "a", message_id="1")
    bus.update_queue(
        QueueDescription(
            name="orders", requires_duplicate_detection=True, duplicate_detection_window=timedelta(minutes=1)
        )
    )
    send(queue, "b", message_id="2")
    clock.move(bus, minutes=2)
    send(queue, "a", message_id="1")
    send(queue, "b", message_id="2")
    assert drain(queue) == ["a", "b", "b"]


def test_expired_messages_vanish_or_are_dead_lettered(bus: Bus, clock: VirtualClock) -> None:
    silent = make_queue(bus, "silent")
    loud = make_queue(bus, "loud", dead_letter_on_expiration=True)
    for queue in (silent, loud):
        send(queue, "short", time_to_live=timedelta(minutes=1))
        send(queue, "long", time_to_live=timedelta(minutes=9))
    got: list[str] = []
    loud.dead_letters.when_ready(lambda: got.extend(bodies(loud.dead_letters.peek(0, 9))))
    clock.move(bus, minutes=1)
    assert (bodies(silent.peek(0, 9)), bodies(loud.peek(0, 9))) == (["long"], ["long"])
    assert got == ["short"]
    assert loud.dead_letters.peek(0, 1)[0].dead_letter_reason == "TTLExpiredException"
    assert bus.statistics("silent").dead_letter == 0


def test_the_entity_caps_the_time_to_live(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus, default_time_to_live=timedelta(minutes=5))
    send(queue, "none of its own")
    send(queue, "too long", time_to_live=timedelta(days=9))
    send(queue, "shorter", time_to_live=timedelta(minutes=1))
    assert [message.expires_at for message in queue.peek(0, 9)] == [
        START + timedelta(minutes=minutes) for minutes in (5, 5, 1)
    ]
    clock.move(bus, minutes=5)
    assert queue.receive(9) == []


def test_an_endless_time_to_live_does_not_overflow(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a", time_to_live=timedelta.max)
    assert bodies(queue.receive(1)) == ["a"]


def test_a_lock_outlives_the_time_to_live(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus, dead_letter_on_expiration=True)
    send(queue, "a", "b", time_to_live=timedelta(seconds=10))
    kept, returned = queue.receive(2)
    clock.move(bus, seconds=20)
    queue.complete(kept.lock_token)
    queue.abandon(returned.lock_token)
    assert queue.receive(9) == []
    assert bodies(queue.dead_letters.peek(0, 9)) == ["b"]


def test_a_deferred_message_expires_when_it_is_asked_for(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus, dead_letter_on_expiration=True)
    send(queue, "a", time_to_live=timedelta(seconds=10))
    queue.defer(one(queue).lock_token)
    clock.move(bus, hours=1)
    assert bodies(queue.peek(0, 9)) == ["a"]
    assert queue.receive_deferred([1]) == []
    assert bodies(queue.dead_letters.peek(0, 9)) == ["a"]
    assert bus.statistics("orders").deferred == 0


def test_time_to_live_of_a_scheduled_message_begins_when_it_appears(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus)
    send(queue, "a", scheduled_for=START + HOUR, time_to_live=timedelta(minutes=1))
    clock.move(bus, hours=1)
    assert one(queue).message.expires_at == START + timedelta(minutes=61)


def test_expiry_of_many_leaves_the_rest_in_order(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus)
    for number in range(600):
        send(queue, str(number), time_to_live=None if number % 50 == 0 else HOUR)
    for delivery in queue.receive(60):
        queue.abandon(delivery.lock_token)
    clock.move(bus, hours=1)
    assert drain(queue) == [str(number) for number in range(0, 600, 50)]
