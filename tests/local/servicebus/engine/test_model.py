"""The engine against a model a reader can check by eye: per session a list in order, and who holds what."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aos.local.servicebus.engine import (
    Bus,
    Delivery,
    MessageLockLost,
    Queue,
    SessionCannotBeLocked,
    SessionLockLost,
    SessionReceiver,
)
from tests.local.servicebus.engine.virtual import LOCK, VirtualClock, make_queue, send

MAX_DELIVERIES = 4
NAMES = st.sampled_from(["a", "b", "c"])


@dataclass
class Item:
    number: int
    failures: int = 0
    held: bool = False
    deferred: bool = False


@dataclass
class Holder:
    receiver: SessionReceiver
    deliveries: list[Delivery] = field(default_factory=list)


class SessionMachine(RuleBasedStateMachine):
    """Sends, receives, settles and waits at random; the engine must agree with the model at every step."""

    @initialize()
    def start(self) -> None:
        self.clock = VirtualClock()
        self.bus = Bus(clock=self.clock)
        self.queue = make_queue(self.bus, requires_session=True, max_delivery_count=MAX_DELIVERIES)
        self.sent = 0
        self.live: dict[str, list[Item]] = {"a": [], "b": [], "c": []}
        self.holders: dict[str, Holder] = {}
        self.dead: list[int] = []
        self.gone: list[int] = []

    def item(self, name: str, delivery: Delivery) -> Item:
        return next(item for item in self.live[name] if item.number == int(delivery.message.body))

    def fail(self, name: str, item: Item) -> None:
        item.held = False
        item.failures += 1
        if item.failures >= MAX_DELIVERIES:
            self.live[name].remove(item)
            self.dead.append(item.number)

    @rule(name=NAMES)
    def send(self, name: str) -> None:
        self.sent += 1
        self.live[name].append(Item(self.sent))
        send(self.queue, str(self.sent), session_id=name)

    @rule(name=NAMES)
    def accept(self, name: str) -> None:
        if name in self.holders:
            with pytest.raises(SessionCannotBeLocked):
                self.queue.accept_session(name)
        else:
            self.holders[name] = Holder(self.queue.accept_session(name))

    @rule()
    def accept_next(self) -> None:
        receiver = self.queue.accept_next_session()
        open_for_work = {
            name
            for name, items in self.live.items()
            if name not in self.holders and any(not item.deferred for item in items)
        }
        if receiver is None:
            assert not open_for_work
        else:
            assert receiver.session_id in open_for_work
            self.holders[receiver.session_id] = Holder(receiver)

    @precondition(lambda self: self.holders)
    @rule(data=st.data(), limit=st.integers(1, 3))
    def receive(self, data: Any, limit: int) -> None:
        name, holder = self.pick(data)
        expected = [item for item in self.live[name] if not item.held and not item.deferred][:limit]
        deliveries = holder.receiver.receive(limit)
        assert [int(delivery.message.body) for delivery in deliveries] == [item.number for item in expected]
        assert [delivery.delivery_count for delivery in deliveries] == [item.failures for item in expected]
        for item in expected:
            item.held = True
        holder.deliveries += deliveries

    @precondition(lambda self: any(holder.deliveries for holder in self.holders.values()))
    @rule(data=st.data(), outcome=st.sampled_from(["complete", "abandon", "release", "defer", "dead_letter"]))
    def settle(self, data: Any, outcome: str) -> None:
        choices = [(name, holder) for name, holder in sorted(self.holders.items()) if holder.deliveries]
        name, holder = data.draw(st.sampled_from(choices))
        delivery = data.draw(st.sampled_from(holder.deliveries))
        holder.deliveries.remove(delivery)
        item = self.item(name, delivery)
        getattr(holder.receiver, outcome)(delivery.lock_token)
        item.held = False
        if outcome == "abandon":
            self.fail(name, item)
        elif outcome == "defer":
            item.deferred = True
        elif outcome in {"complete", "dead_letter"}:
            self.live[name].remove(item)
            (self.gone if outcome == "complete" else self.dead).append(item.number)
        with pytest.raises(MessageLockLost):
            holder.receiver.complete(delivery.lock_token)

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def receive_deferred(self, data: Any) -> None:
        name, holder = self.pick(data)
        wanted = [item for item in self.live[name] if item.deferred and not item.held]
        by_body = {int(message.body): message.sequence_number for message in self.queue.peek(0, 1000)}
        deliveries = self.queue.receive_deferred([by_body[item.number] for item in wanted], session=holder.receiver)
        assert [int(delivery.message.body) for delivery in deliveries] == [item.number for item in wanted]
        for item in wanted:
            item.held = True
        holder.deliveries += deliveries

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def close(self, data: Any) -> None:
        name, holder = self.pick(data)
        holder.receiver.close()
        del self.holders[name]
        for delivery in holder.deliveries:
            self.item(name, delivery).held = False

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def renew(self, data: Any) -> None:
        _, holder = self.pick(data)
        assert holder.receiver.renew() == self.clock.now + LOCK

    @rule(seconds=st.integers(1, 20), driven=st.booleans())
    def wait(self, seconds: int, driven: bool) -> None:
        if driven:
            self.clock.move(self.bus, seconds=seconds)
        else:
            self.clock.now += timedelta(seconds=seconds)
        for name, holder in list(self.holders.items()):
            if holder.receiver.locked_until <= self.clock.now:
                self.lose(name, holder)

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def steal(self, data: Any) -> None:
        name, holder = self.pick(data)
        self.queue.steal_session(name)
        self.lose(name, holder)

    def lose(self, name: str, holder: Holder) -> None:
        del self.holders[name]
        with pytest.raises(SessionLockLost):
            holder.receiver.receive(1)
        for delivery in holder.deliveries:
            self.fail(name, self.item(name, delivery))

    def pick(self, data: Any) -> tuple[str, Holder]:
        name: str = data.draw(st.sampled_from(sorted(self.holders)))
        return name, self.holders[name]

    @invariant()
    def everything_is_somewhere(self) -> None:
        queue: Queue = self.queue
        items = sorted(item.number for group in self.live.values() for item in group)
        assert [int(message.body) for message in queue.peek(0, 1000)] == items
        assert sorted(int(message.body) for message in queue.dead_letters.peek(0, 1000)) == sorted(self.dead)
        assert len(items) + len(self.dead) + len(self.gone) == self.sent
        found = queue.statistics()
        assert found.locked == sum(len(holder.deliveries) for holder in self.holders.values())
        assert found.locked_sessions == len(self.holders)
        assert found.deferred == sum(item.deferred for group in self.live.values() for item in group)
        assert found.size_bytes == sum(len(str(number)) for number in [*items, *self.dead])


TestSessions = SessionMachine.TestCase
TestSessions.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
