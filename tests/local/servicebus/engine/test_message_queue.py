from __future__ import annotations

from datetime import timedelta

import pytest

from aos.local.servicebus.engine import (
    Bus,
    EntityDisabled,
    EntityNotFound,
    EntityStatus,
    InvalidArgument,
    Limits,
    Message,
    MessageLockLost,
    MessageNotFound,
    MessageState,
    MessageTooLarge,
    NotPermitted,
    QueueDescription,
    QuotaExceeded,
    ReceiveMode,
)
from tests.local.servicebus.engine.virtual import LOCK, START, VirtualClock, bodies, make_queue, one, send


def test_messages_come_in_the_order_they_were_sent(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a", "b")
    send(queue, "c")
    deliveries = queue.receive(10)
    assert bodies(deliveries) == ["a", "b", "c"]
    assert [delivery.message.sequence_number for delivery in deliveries] == [1, 2, 3]
    assert {delivery.message.enqueued_at for delivery in deliveries} == {START}
    assert queue.receive(10) == []


def test_a_lock_hides_the_message_until_it_is_completed(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a")
    delivery = one(queue)
    assert delivery.locked_until == START + LOCK
    assert len(delivery.lock_token) == 16
    assert queue.receive(1) == []
    queue.complete(delivery.lock_token)
    assert queue.peek(0, 10) == []
    with pytest.raises(MessageLockLost):
        queue.complete(delivery.lock_token)


def test_receive_and_delete_leaves_nothing(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a")
    (delivery,) = queue.receive(1, ReceiveMode.RECEIVE_AND_DELETE)
    assert (delivery.lock_token, delivery.locked_until) == (b"", None)
    assert queue.peek(0, 10) == []
    assert bus.statistics("orders").size_bytes == 0


def test_an_abandoned_message_keeps_its_place_and_counts(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a", "b", "c")
    first, second = queue.receive(2)
    queue.abandon(second.lock_token, {"seen": "twice"})
    queue.abandon(first.lock_token)
    again = queue.receive(3)
    assert bodies(again) == ["a", "b", "c"]
    assert [delivery.delivery_count for delivery in again] == [1, 1, 0]
    assert again[1].message.application_properties == {"seen": "twice"}
    assert again[1].message.modified


def test_a_released_message_does_not_count(bus: Bus) -> None:
    queue = make_queue(bus, max_delivery_count=1)
    send(queue, "a")
    queue.release(one(queue).lock_token)
    assert one(queue).delivery_count == 0


def test_a_lock_that_expires_returns_the_message(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus)
    send(queue, "a", "b")
    delivery = one(queue)
    clock.move(bus, seconds=29.999)
    assert bodies(queue.receive(1)) == ["b"]
    clock.move(bus, seconds=0.001)
    with pytest.raises(MessageLockLost):
        queue.complete(delivery.lock_token)
    again = one(queue)
    assert (bodies([again]), again.delivery_count) == (["a"], 1)


def test_an_expired_lock_is_not_honoured_even_before_advance(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus)
    send(queue, "a")
    delivery = one(queue)
    clock.now += LOCK
    with pytest.raises(MessageLockLost):
        queue.complete(delivery.lock_token)


def test_renewal_prolongs_the_lock(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus)
    send(queue, "a", "b")
    first, second = queue.receive(2)
    clock.move(bus, seconds=20)
    assert queue.renew(first.lock_token) == clock.now + LOCK == first.locked_until
    clock.move(bus, seconds=20)
    assert bodies(queue.receive(2)) == ["b"]
    queue.complete(first.lock_token)
    with pytest.raises(MessageLockLost):
        queue.renew(second.lock_token)


def test_the_last_failed_delivery_buries_the_message(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus, max_delivery_count=2)
    send(queue, "a", application_properties={"mine": 1})
    queue.abandon(one(queue).lock_token)
    one(queue)
    clock.move(bus, seconds=30)
    assert queue.receive(1) == []
    dead = one(queue.dead_letters).message
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert dead.application_properties["DeadLetterReason"] == "MaxDeliveryCountExceeded"
    assert dead.application_properties["mine"] == 1
    assert (dead.dead_letter_source, dead.delivery_count) == ("orders", 2)


def test_dead_lettering_keeps_reason_and_description(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a")
    queue.dead_letter(one(queue).lock_token, "Malformed", "no order number", {"by": "parser"})
    graves = bus.source("ORDERS/$deadletterqueue")
    assert graves is queue.dead_letters
    delivery = one(graves)
    assert dict(delivery.message.application_properties) == {
        "by": "parser",
        "DeadLetterReason": "Malformed",
        "DeadLetterErrorDescription": "no order number",
    }
    assert delivery.message.enqueued_sequence_number == 1
    with pytest.raises(NotPermitted):
        graves.dead_letter(delivery.lock_token)
    graves.complete(delivery.lock_token)
    assert graves.receive(1) == []


def test_dead_letters_are_never_dead_lettered_again(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus, max_delivery_count=1, default_time_to_live=timedelta(minutes=1))
    send(queue, "a")
    queue.dead_letter(one(queue).lock_token)
    for _ in range(5):
        queue.dead_letters.abandon(one(queue.dead_letters).lock_token)
    clock.move(bus, days=400)
    assert one(queue.dead_letters).delivery_count == 5


def test_a_deferred_message_is_received_by_number_only(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus)
    send(queue, "a", "b")
    queue.defer(one(queue).lock_token, {"later": True})
    assert bodies(queue.receive(5)) == ["b"]
    (found,) = queue.receive_deferred([1])
    assert found.message.state is MessageState.DEFERRED
    assert found.message.application_properties == {"later": True}
    with pytest.raises(MessageNotFound):
        queue.receive_deferred([1])
    clock.move(bus, seconds=30)
    assert bodies(queue.receive(5)) == ["b"]
    (again,) = queue.receive_deferred([1])
    assert again.delivery_count == 1
    queue.complete(again.lock_token)
    with pytest.raises(MessageNotFound):
        queue.receive_deferred([1])
    assert bus.statistics("orders").deferred == 0


def test_receive_deferred_takes_all_or_none(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a", "b")
    queue.defer(one(queue).lock_token)
    with pytest.raises(MessageNotFound, match="message 2"):
        queue.receive_deferred([1, 2])
    assert len(queue.receive_deferred([1])) == 1


def test_peek_shows_all_states_in_order_and_changes_nothing(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a", "b", "c")
    queue.defer(one(queue).lock_token)
    one(queue)
    queue.schedule([Message(b"d", scheduled_for=START + timedelta(hours=1))])
    states = [MessageState.DEFERRED, MessageState.ACTIVE, MessageState.ACTIVE, MessageState.SCHEDULED]
    assert [message.state for message in queue.peek(0, 10)] == states
    assert bodies(queue.peek(2, 2)) == ["b", "c"]
    assert queue.peek(5, 10) == []
    assert bodies(queue.receive(10)) == ["c"]


def test_peek_after_many_removals(bus: Bus) -> None:
    queue = make_queue(bus)
    for number in range(5000):
        send(queue, str(number))
    for delivery in queue.receive(4990):
        queue.complete(delivery.lock_token)
    assert bodies(queue.peek(0, 3)) == ["4990", "4991", "4992"]
    assert bodies(queue.peek(4999, 3)) == ["4998", "4999"]


def test_a_batch_is_taken_whole_or_not_at_all(bus: Bus) -> None:
    queue = make_queue(bus, max_message_kb=1)
    with pytest.raises(MessageTooLarge, match="1025 bytes is over the limit of 1024"):
        queue.send([Message(b"fine"), Message(b"x" * 1025)])
    assert queue.peek(0, 10) == []


def test_a_full_entity_refuses_and_recovers(clock: VirtualClock) -> None:
    bus = Bus(clock=clock, limits=Limits(max_message_bytes=2**20))
    queue = make_queue(bus, max_size_mb=1)
    queue.send([Message(b"x" * 2**19), Message(b"x" * 2**19)])
    with pytest.raises(QuotaExceeded):
        send(queue, "one more")
    queue.dead_letter(one(queue).lock_token)
    with pytest.raises(QuotaExceeded):
        send(queue, "dead letters count too")
    queue.dead_letters.complete(one(queue.dead_letters).lock_token)
    send(queue, "room again")


def test_ids_are_limited(bus: Bus) -> None:
    queue = make_queue(bus)
    with pytest.raises(InvalidArgument, match="message_id"):
        send(queue, "a", message_id="x" * 129)
    with pytest.raises(InvalidArgument, match="session_id"):
        send(queue, "a", session_id="x" * 129)


def test_disabled_entities_refuse(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a")
    bus.update_queue(QueueDescription(name="orders", status=EntityStatus.SEND_DISABLED))
    with pytest.raises(EntityDisabled):
        send(queue, "b")
    assert len(queue.receive(1)) == 1
    bus.update_queue(QueueDescription(name="orders", status=EntityStatus.RECEIVE_DISABLED))
    send(queue, "c")
    with pytest.raises(EntityDisabled):
        queue.receive(1)


def test_only_queues_are_sent_to(bus: Bus) -> None:
    queue = make_queue(bus)
    with pytest.raises(NotPermitted):
        send(queue.dead_letters, "a")


def test_a_deleted_queue_says_so_to_everybody(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a")
    token = one(queue).lock_token
    called: list[str] = []
    queue.when_ready(lambda: called.append("woken"))
    bus.delete_queue("Orders")
    assert called == ["woken"]
    for use in (lambda: queue.receive(1), lambda: send(queue, "b"), lambda: queue.complete(token)):
        with pytest.raises(EntityNotFound):
            use()
    with pytest.raises(EntityNotFound):
        bus.source("orders")


def test_waiters_are_woken_in_turn_one_for_each_message(bus: Bus) -> None:
    queue = make_queue(bus)
    got: list[tuple[str, list[str]]] = []
    for name in ("first", "second", "third"):
        queue.when_ready(lambda name=name: got.append((name, bodies(queue.receive(1)))))  # type: ignore[misc]
    send(queue, "a", "b")
    assert got == [("first", ["a"]), ("second", ["b"])]
    send(queue, "c")
    assert got[2] == ("third", ["c"])


def test_a_waiter_that_does_not_take_passes_its_turn_on(bus: Bus) -> None:
    queue = make_queue(bus)
    got: list[str] = []
    queue.when_ready(lambda: got.append("no thanks"))
    queue.when_ready(lambda: got.extend(bodies(queue.receive(1))))
    send(queue, "a")
    assert got == ["no thanks", "a"]


def test_a_cancelled_waiter_is_not_called(bus: Bus) -> None:
    queue = make_queue(bus)
    got: list[str] = []
    waiter = queue.when_ready(lambda: got.append("cancelled"))
    queue.when_ready(lambda: got.append("called"))
    waiter.cancel()
    waiter.cancel()
    send(queue, "a")
    assert got == ["called"]


def test_a_waiter_is_called_at_once_when_there_is_work(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "a")
    got: list[str] = []
    queue.when_ready(lambda: got.append("ready"))
    assert got == ["ready"]


def test_an_expired_lock_wakes_those_who_wait(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus)
    send(queue, "a")
    one(queue)
    got: list[str] = []
    queue.when_ready(lambda: got.extend(bodies(queue.receive(1))))
    clock.move(bus, seconds=30)
    assert got == ["a"]


def test_statistics_count_by_state(bus: Bus) -> None:
    queue = make_queue(bus)
    send(queue, "aaaa", "bbb", "cc", "d")
    first, second, _ = queue.receive(3)
    queue.defer(first.lock_token)
    queue.dead_letter(second.lock_token)
    queue.schedule([Message(b"later", scheduled_for=START + timedelta(days=1))])
    found = bus.statistics("orders")
    assert (found.active, found.locked, found.deferred, found.scheduled, found.dead_letter) == (2, 1, 1, 1, 1)
    assert found.size_bytes == 15
    assert bus.all_statistics() == {"orders": found}


def test_a_shorter_lock_duration_does_not_wait_behind_a_longer_one(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus, lock_duration=timedelta(minutes=5))
    send(queue, "long", "short")
    one(queue)
    bus.update_queue(QueueDescription(name="orders", lock_duration=timedelta(seconds=1)))
    one(queue)
    bus.update_queue(QueueDescription(name="orders", lock_duration=timedelta(seconds=2)))
    clock.move(bus, seconds=1)
    assert bodies(queue.receive(2)) == ["short"]
