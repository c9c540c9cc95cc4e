from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aos.local.servicebus.engine import (
    Bus,
    Limits,
    MessageLockLost,
    MessageNotFound,
    MessageTooLarge,
    NotPermitted,
    Queue,
    SessionCannotBeLocked,
    SessionLockLost,
    SessionReceiver,
)
from tests.local.servicebus.engine.virtual import LOCK, START, VirtualClock, bodies, make_queue, one, send


@pytest.fixture
def queue(bus: Bus) -> Queue:
    return make_queue(bus, requires_session=True)


def next_session(queue: Queue) -> SessionReceiver:
    receiver = queue.accept_next_session()
    assert receiver is not None
    return receiver


def test_a_session_is_an_exclusive_ordered_queue_of_its_own(queue: Queue) -> None:
    send(queue, "a1", session_id="a")
    send(queue, "b1", session_id="b")
    send(queue, "a2", session_id="a")
    receiver = queue.accept_session("a")
    assert (receiver.session_id, receiver.locked_until) == ("a", START + LOCK)
    with pytest.raises(SessionCannotBeLocked):
        queue.accept_session("a")
    assert bodies(receiver.receive(9)) == ["a1", "a2"]
    assert bodies(queue.accept_session("b").receive(9)) == ["b1"]


def test_a_message_that_failed_comes_before_later_ones(queue: Queue) -> None:
    send(queue, "1", "2", "3", session_id="a")
    receiver = queue.accept_session("a")
    first, second = receiver.receive(2)
    receiver.abandon(second.lock_token)
    receiver.abandon(first.lock_token)
    assert bodies(receiver.receive(9)) == ["1", "2", "3"]


def test_messages_that_arrive_go_to_the_holder(queue: Queue) -> None:
    receiver = queue.accept_session("a")
    got: list[str] = []
    receiver.when_ready(lambda: got.extend(bodies(receiver.receive(9))))
    send(queue, "other", session_id="b")
    assert got == []
    send(queue, "1", "2", session_id="a")
    assert got == ["1", "2"]


def test_next_available_takes_turns(queue: Queue) -> None:
    for name in ("a", "b", "c"):
        send(queue, "1", "2", session_id=name)
    seen: list[str] = []
    while (receiver := queue.accept_next_session()) is not None:
        delivery = one(receiver)
        receiver.complete(delivery.lock_token)
        seen.append(receiver.session_id)
        receiver.close()
    assert seen == ["a", "b", "c", "a", "b", "c"]


def test_next_available_passes_over_locked_and_empty_sessions(queue: Queue) -> None:
    send(queue, "1", session_id="a")
    send(queue, "1", session_id="b")
    queue.accept_session("a")
    receiver = next_session(queue)
    assert receiver.session_id == "b"
    receiver.defer(one(receiver).lock_token)
    receiver.close()
    assert queue.accept_next_session() is None


def test_waiters_get_sessions_in_turn_and_time_out(bus: Bus, clock: VirtualClock, queue: Queue) -> None:
    got: list[str | None] = []

    def note(receiver: SessionReceiver | None) -> None:
        got.append(None if receiver is None else receiver.session_id)

    queue.when_session(note, timedelta(seconds=5))
    cancelled = queue.when_session(note)
    queue.when_session(note, timedelta(seconds=10))
    cancelled.cancel()
    clock.move(bus, seconds=5)
    assert got == [None]
    send(queue, "1", session_id="a")
    send(queue, "1", session_id="b")
    assert got == [None, "a"]
    clock.move(bus, seconds=20)
    assert got == [None, "a"]


def test_a_waiter_gets_a_session_that_is_there_at_once(queue: Queue) -> None:
    send(queue, "1", session_id="a")
    got: list[SessionReceiver | None] = []
    waiter = queue.when_session(got.append, timedelta(seconds=5))
    assert [receiver and receiver.session_id for receiver in got] == ["a"]
    assert not waiter.waiting


def test_a_waiter_gets_a_session_given_back_with_work(queue: Queue) -> None:
    send(queue, "1", session_id="a")
    holder = next_session(queue)
    one(holder)
    got: list[SessionReceiver | None] = []
    queue.when_session(got.append)
    assert got == []
    holder.close()
    assert got[0] is not None
    assert one(got[0]).delivery_count == 0


def test_closing_does_not_count_and_expiry_does(bus: Bus, clock: VirtualClock, queue: Queue) -> None:
    send(queue, "1", "2", session_id="a")
    receiver = queue.accept_session("a")
    one(receiver)
    receiver.close()
    receiver.close()
    receiver = queue.accept_session("a")
    assert one(receiver).delivery_count == 0
    lost: list[str] = []
    receiver.on_lost = lambda: lost.append("lost")
    clock.move(bus, seconds=30)
    assert (lost, receiver.lost) == (["lost"], True)
    again = queue.accept_session("a").receive(2)
    assert [(d.message.body, d.delivery_count) for d in again] == [(b"1", 1), (b"2", 0)]


def test_nothing_can_be_done_with_a_lost_session(bus: Bus, clock: VirtualClock, queue: Queue) -> None:
    send(queue, "1", session_id="a")
    receiver = queue.accept_session("a")
    token = one(receiver).lock_token
    clock.now += LOCK
    for use in (
        lambda: receiver.receive(1),
        lambda: receiver.complete(token),
        lambda: receiver.abandon(token),
        receiver.renew,
        receiver.state,
        lambda: receiver.set_state(b"x"),
        lambda: receiver.when_ready(lambda: None),
    ):
        with pytest.raises(SessionLockLost):
            use()
    with pytest.raises(MessageLockLost):
        queue.complete(token)
    assert bodies(queue.accept_session("a").receive(1)) == ["1"]


def test_renewal_keeps_the_session_and_its_messages(bus: Bus, clock: VirtualClock, queue: Queue) -> None:
    send(queue, "1", session_id="a")
    send(queue, "1", session_id="b")
    receiver, other = queue.accept_session("a"), queue.accept_session("b")
    delivery = one(receiver)
    clock.move(bus, seconds=20)
    assert receiver.renew() == clock.now + LOCK == delivery.locked_until
    clock.move(bus, seconds=20)
    assert (receiver.lost, other.lost) == (False, True)
    receiver.complete(delivery.lock_token)


def test_renewing_a_message_renews_its_session(bus: Bus, clock: VirtualClock, queue: Queue) -> None:
    send(queue, "1", session_id="a")
    receiver = queue.accept_session("a")
    delivery = one(receiver)
    clock.move(bus, seconds=20)
    assert queue.renew(delivery.lock_token) == receiver.locked_until == clock.now + LOCK


def test_a_stolen_session_is_lost_like_an_expired_one(queue: Queue) -> None:
    send(queue, "1", session_id="a")
    receiver = queue.accept_session("a")
    one(receiver)
    woken: list[str] = []
    receiver.when_ready(lambda: woken.append("woken"))
    receiver.on_lost = lambda: woken.append("lost")
    queue.steal_session("a")
    queue.steal_session("nobody holds this")
    assert woken == ["woken", "lost"]
    assert one(queue.accept_session("a")).delivery_count == 1


def test_failed_deliveries_bury_a_session_message(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus, requires_session=True, max_delivery_count=2)
    send(queue, "poison", "fine", session_id="a")
    for _ in range(2):
        one(next_session(queue))
        clock.move(bus, seconds=30)
    assert bodies(next_session(queue).receive(9)) == ["fine"]
    dead = one(queue.dead_letters)
    assert dead.message.session_id == "a"
    queue.dead_letters.complete(dead.lock_token)


def test_state_belongs_to_the_session(queue: Queue) -> None:
    receiver = queue.accept_session("a")
    assert receiver.state() is None
    receiver.set_state(b"step 1")
    receiver.close()
    assert queue.accept_session("a").state() == b"step 1"
    assert queue.accept_session("b").state() is None
    assert queue.session_state("a") == b"step 1"


def test_state_counts_and_is_limited(clock: VirtualClock) -> None:
    bus = Bus(clock=clock, limits=Limits(max_message_bytes=100))
    receiver = make_queue(bus, requires_session=True).accept_session("a")
    receiver.set_state(b"x" * 100)
    assert bus.statistics("orders").size_bytes == 100
    with pytest.raises(MessageTooLarge):
        receiver.set_state(b"x" * 101)
    receiver.set_state(None)
    assert bus.statistics("orders").size_bytes == 0


def test_sessions_are_listed(bus: Bus, clock: VirtualClock, queue: Queue) -> None:
    for name in ("c", "a", "b"):
        send(queue, "1", session_id=name)
    assert queue.list_sessions() == ["a", "b", "c"]
    assert queue.list_sessions(skip=1, top=1) == ["b"]
    clock.move(bus, seconds=1)
    queue.accept_session("z").set_state(b"1")
    assert queue.list_sessions(updated_after=START) == ["z"]
    assert queue.list_sessions() == ["a", "b", "c"]


def test_an_empty_session_is_forgotten(bus: Bus, queue: Queue) -> None:
    send(queue, "1", session_id="a")
    receiver = next_session(queue)
    receiver.complete(one(receiver).lock_token)
    assert bus.statistics("orders").sessions == 1
    receiver.close()
    assert bus.statistics("orders").sessions == 0


def test_deferred_messages_belong_to_their_session(queue: Queue) -> None:
    send(queue, "1", session_id="a")
    receiver = queue.accept_session("a")
    receiver.defer(one(receiver).lock_token)
    with pytest.raises(NotPermitted):
        queue.receive_deferred([1])
    with pytest.raises(MessageNotFound):
        queue.receive_deferred([1], session=queue.accept_session("b"))
    (found,) = queue.receive_deferred([1], session=receiver)
    receiver.complete(found.lock_token)
    assert queue.peek(0, 9) == []


def test_peek_can_look_at_one_session(queue: Queue) -> None:
    send(queue, "a1", session_id="a")
    send(queue, "b1", session_id="b")
    send(queue, "a2", session_id="a")
    assert bodies(queue.peek(0, 9, session_id="a")) == ["a1", "a2"]


def test_session_messages_expire(bus: Bus, clock: VirtualClock, queue: Queue) -> None:
    send(queue, "1", session_id="a", time_to_live=timedelta(seconds=1))
    clock.move(bus, seconds=1)
    assert queue.accept_next_session() is None
    assert bus.statistics("orders").sessions == 0


def test_both_kinds_of_receiver_keep_to_their_entities(bus: Bus, queue: Queue) -> None:
    plain = make_queue(bus, "plain")
    for use in (
        lambda: queue.receive(1),
        lambda: queue.when_ready(lambda: None),
        lambda: send(queue, "no session"),
        lambda: plain.accept_session("a"),
        plain.accept_next_session,
        lambda: plain.when_session(lambda _: None),
    ):
        with pytest.raises(NotPermitted):
            use()


def test_deletion_ends_sessions_and_waiting(bus: Bus, queue: Queue) -> None:
    send(queue, "1", session_id="a")
    receiver = queue.accept_session("a")
    got: list[object] = []
    receiver.on_lost = lambda: got.append("lost")
    queue.when_session(got.append)
    bus.delete_queue("orders")
    assert got == [None, "lost"]


def test_five_thousand_sessions_share_a_hundred_thousand_messages(bus: Bus, queue: Queue) -> None:
    for number in range(100_000):
        send(queue, str(number), session_id=str(number % 5000))
    assert bus.statistics("orders").sessions == 5000
    rounds: list[str] = []
    done = 0
    while (receiver := queue.accept_next_session()) is not None:
        deliveries = receiver.receive(10)
        numbers = [int(delivery.message.body) for delivery in deliveries]
        assert numbers == sorted(numbers)
        for delivery in deliveries:
            receiver.complete(delivery.lock_token)
        done += len(deliveries)
        rounds.append(receiver.session_id)
        receiver.close()
    assert done == 100_000
    assert rounds == [str(number) for number in range(5000)] * 2
    assert bus.statistics("orders").size_bytes == 0


def test_a_shorter_lock_duration_does_not_wait_behind_a_longer_one(bus: Bus, clock: VirtualClock) -> None:
    queue = make_queue(bus, requires_session=True, lock_duration=timedelta(minutes=5))
    long = queue.accept_session("long")
    bus.update_queue(replace(bus.queue("orders"), lock_duration=timedelta(seconds=1)))
    short = queue.accept_session("short")
    bus.update_queue(replace(bus.queue("orders"), lock_duration=timedelta(seconds=2)))
    clock.move(bus, seconds=1)
    assert (long.lost, short.lost) == (False, True)


def test_a_holder_settles_in_every_way(queue: Queue) -> None:
    send(queue, "1", "2", "3", session_id="a")
    receiver = queue.accept_session("a")
    first, second, third = receiver.receive(3)
    receiver.dead_letter(first.lock_token, "bad")
    receiver.release(second.lock_token)
    receiver.complete(third.lock_token)
    assert bodies(receiver.receive(9)) == ["2"]
    assert bodies(queue.dead_letters.peek(0, 9)) == ["1"]


def test_a_session_keeps_its_place_in_the_line_while_its_messages_go(
    bus: Bus, clock: VirtualClock, queue: Queue
) -> None:
    send(queue, "short", session_id="a", time_to_live=timedelta(seconds=1))
    send(queue, "b", session_id="b")
    send(queue, "a", session_id="a")
    clock.move(bus, seconds=1)
    assert bodies(next_session(queue).receive(9)) == ["a"]
