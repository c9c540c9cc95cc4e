from __future__ import annotations

from datetime import timedelta

import pytest

from aos.local.servicebus.engine import (
    Bus,
    EntityNotFound,
    EntityStatus,
    InvalidArgument,
    Message,
    NotPermitted,
    QueueDescription,
    SubscriptionDescription,
    TopicDescription,
)
from tests.local.servicebus.engine.virtual import START, VirtualClock, bodies, make_queue, one, send


def test_messages_are_forwarded_as_they_arrive(bus: Bus) -> None:
    target = make_queue(bus, "target")
    queue = make_queue(bus, "front", forward_to="Target")
    got: list[str] = []
    target.when_ready(lambda: got.extend(bodies(target.receive(9))))
    send(queue, "padding")
    send(queue, "a", message_id="7", application_properties={"x": 1})
    assert got == ["padding"]
    message = one(target).message
    assert (message.body, message.message_id, message.hops) == (b"a", "7", 1)
    assert message.enqueued_sequence_number == 2
    assert queue.peek(0, 9) == []
    with pytest.raises(NotPermitted, match="forwards its messages to"):
        queue.receive(1)


def test_scheduled_messages_are_forwarded_when_due(bus: Bus, clock: VirtualClock) -> None:
    target = make_queue(bus, "target")
    queue = make_queue(bus, "front", forward_to="target")
    queue.schedule([Message(b"a", scheduled_for=START + timedelta(hours=1))])
    assert target.receive(1) == []
    clock.move(bus, hours=1)
    assert bodies(target.receive(1)) == ["a"]


def test_four_hops_are_enough(bus: Bus) -> None:
    names = ["q0", "q1", "q2", "q3", "q4"]
    for name, following in zip(names, [*names[1:], None], strict=True):
        make_queue(bus, name, forward_to=following)
    send(bus.target("q0"), "a")
    assert bodies(bus.source("q4").receive(1)) == ["a"]
    bus.update_queue(QueueDescription(name="q4", forward_to="q5"))
    make_queue(bus, "q5")
    send(bus.target("q0"), "b")
    assert bodies(bus.source("q5").receive(9)) == []
    stranded = bus.source("q4/$Transfer/$DeadLetterQueue").peek(0, 9)
    assert [message.dead_letter_reason for message in stranded] == ["MaxTransferHopCountExceeded"]


def test_a_loop_ends_in_the_transfer_dead_letters(bus: Bus) -> None:
    ping = make_queue(bus, "ping", forward_to="pong")
    make_queue(bus, "pong", forward_to="ping")
    send(ping, "a")
    assert bus.statistics("ping").transfer_dead_letter == 1


def test_where_nothing_can_be_forwarded_messages_are_kept(bus: Bus) -> None:
    queue = make_queue(bus, "front", forward_to="gone")
    send(queue, "a")
    sessions = make_queue(bus, "sessions", requires_session=True)
    other = make_queue(bus, "other", forward_to="sessions")
    send(other, "b")
    send(other, "c", session_id="s")
    reasons = [message.dead_letter_reason for message in other.transfer_dead_letters.peek(0, 9)]
    assert reasons == ["Session ID is null."]
    assert [m.dead_letter_reason for m in queue.transfer_dead_letters.peek(0, 9)] == ["TransferDestinationNotFound"]
    assert bodies(sessions.accept_session("s").receive(9)) == ["c"]


def test_dead_letters_can_be_forwarded(bus: Bus) -> None:
    graves = make_queue(bus, "graves")
    queue = make_queue(bus, forward_dead_lettered_to="graves", max_delivery_count=1)
    send(queue, "a")
    queue.abandon(one(queue).lock_token)
    message = one(graves).message
    assert (message.dead_letter_reason, message.dead_letter_source) == ("MaxDeliveryCountExceeded", "orders")
    assert bus.statistics("orders").dead_letter == 0


def test_switching_forwarding_on_sends_what_waits(bus: Bus) -> None:
    target = make_queue(bus, "target")
    queue = make_queue(bus)
    send(queue, "a", "b")
    locked = one(queue)
    bus.update_queue(QueueDescription(name="orders", forward_to="target"))
    assert bodies(target.receive(9)) == ["b"]
    queue.abandon(locked.lock_token)
    assert bodies(target.receive(9)) == ["a"]


def test_duplicates_are_detected_where_messages_arrive(bus: Bus) -> None:
    target = make_queue(bus, "target", requires_duplicate_detection=True)
    send(make_queue(bus, "front", forward_to="target"), "a", "a", message_id="1")
    assert bodies(target.receive(9)) == ["a"]


def test_a_subscription_forwards_to_a_queue(bus: Bus) -> None:
    target = make_queue(bus, "target")
    bus.create_topic(TopicDescription(name="events"))
    bus.create_subscription(SubscriptionDescription(topic="events", name="router", forward_to="target"))
    send(bus.target("events"), "a")
    assert bodies(target.receive(9)) == ["a"]


def test_a_queue_forwards_to_a_topic(bus: Bus) -> None:
    bus.create_topic(TopicDescription(name="events"))
    bus.create_subscription(SubscriptionDescription(topic="events", name="all"))
    got: list[str] = []
    subscription = bus.source("events/Subscriptions/all")
    subscription.when_ready(lambda: got.extend(bodies(subscription.receive(9))))
    send(make_queue(bus, "front", forward_to="events"), "a")
    assert got == ["a"]


def test_impossible_forwarding_is_refused(bus: Bus) -> None:
    with pytest.raises(InvalidArgument, match="to itself"):
        make_queue(bus, "a", forward_to="A")
    with pytest.raises(InvalidArgument, match="requires sessions"):
        make_queue(bus, "a", forward_to="b", requires_session=True)


def test_a_destination_that_is_full_or_closed_gets_nothing(bus: Bus) -> None:
    make_queue(bus, "closed", status=EntityStatus.SEND_DISABLED)
    small = make_queue(bus, "small", max_size_mb=1)
    to_closed = make_queue(bus, "one", forward_to="closed")
    to_small = make_queue(bus, "other", forward_to="small")
    small.send([Message(b"x" * 2**19), Message(b"x" * 2**19)])
    send(to_closed, "a")
    send(to_small, "b")
    assert [m.dead_letter_reason for m in to_closed.transfer_dead_letters.peek(0, 9)] == ["TransferDestinationRefused"]
    assert [m.dead_letter_reason for m in to_small.transfer_dead_letters.peek(0, 9)] == [
        "TransferDestinationQuotaExceeded"
    ]
    with pytest.raises(EntityNotFound, match="no sub-queues"):
        _ = to_small.dead_letters.dead_letters
