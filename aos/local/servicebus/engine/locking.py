"""Messages under locks: handed out, taken back, expired and forwarded as time passes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Self

from aos.local.servicebus.engine.alarms import NEVER, Alarm
from aos.local.servicebus.engine.context import Context, Quota
from aos.local.servicebus.engine.departures import Departures
from aos.local.servicebus.engine.description import EntityStatus, QueueDescription, SubscriptionDescription
from aos.local.servicebus.engine.errors import EntityDisabled, EntityNotFound, MessageLockLost, NotPermitted
from aos.local.servicebus.engine.faults import FaultKind
from aos.local.servicebus.engine.holdings import Holdings
from aos.local.servicebus.engine.intake import Intake
from aos.local.servicebus.engine.message import Delivery, Message, MessageState, PropertyValue, ReceiveMode
from aos.local.servicebus.engine.session_desk import SessionDesk
from aos.local.servicebus.engine.sessions import SessionReceiver
from aos.local.servicebus.engine.waiters import Waiters

_CLOSED = (EntityStatus.DISABLED, EntityStatus.RECEIVE_DISABLED)
_UNLIMITED = 2**63


class Role(Enum):
    """What a `Queue` stands for. Only a queue is sent to; a sub-queue keeps its messages for ever."""

    QUEUE = "queue"
    SUBSCRIPTION = "subscription"
    SUB_QUEUE = "sub_queue"


class LockingQueue:
    """The workings of a `Queue`, which adds what callers use and documents it."""

    def __init__(
        self,
        context: Context,
        path: str,
        description: QueueDescription | SubscriptionDescription,
        role: Role,
        quota: Quota,
    ) -> None:
        self.path = path
        self.description = description
        self.requires_session = description.requires_session
        self.deleted = False
        self.alarm = Alarm(context.alarms, self._fire)
        self._context = context
        self.role = role
        self._quota = quota
        self.holdings = Holdings(context, path.lower(), quota, requires_session=self.requires_session)
        # In the order the locks end: every lock and renewal lasts the same, and goes to the end.
        self._locks: OrderedDict[bytes, Delivery] = OrderedDict()
        self._waiters: Waiters[bool] = Waiters()
        self.desk = SessionDesk(self, context, self.holdings)
        self._departures = Departures(self, context, self.holdings)
        self.intake = Intake(context, path, self.holdings.log, quota, self.catch_up, self.accept, self.wake)
        self.intake.on_scheduled = self.alarm.by
        self._sub_queues: dict[str, Self] = {}
        self.configure(description)

    def configure(self, description: QueueDescription | SubscriptionDescription) -> None:
        """Take over a description whose `requires_session` is unchanged."""
        self.description = description
        self.lock_duration = description.lock_duration
        self._max_deliveries = _UNLIMITED if self.role is Role.SUB_QUEUE else description.max_delivery_count
        if isinstance(description, QueueDescription):
            self.intake.configure(description)
        for name, sub_queue in self._sub_queues.items():
            sub_queue.configure(_sub_description(name, description))
        self._sort_locks()
        if description.forward_to is not None:
            self._forward_all(self._context.clock())

    def _sort_locks(self) -> None:
        """Locks given for another duration end in another order than they began."""
        ends = {token: delivery.locked_until or NEVER for token, delivery in self._locks.items()}
        for token in sorted(ends, key=ends.__getitem__):
            self._locks.move_to_end(token)
        self.desk.sort()

    def _forward_all(self, now: datetime) -> None:
        """What waits here goes where from now on everything goes; what is locked goes when it comes back."""
        for message in [message for message in self.holdings.log if message.ready]:
            self.holdings.remove(message)
            self.accept(copy(message), now)
        self.wake()

    # In

    def accept(self, message: Message, now: datetime) -> None:
        """Enqueue a message without further checks; `wake` must follow."""
        if self.description.forward_to is not None:
            log = self.holdings.log
            log.last_number += 1
            if not message.enqueued_sequence_number:
                message.enqueued_sequence_number = log.last_number
            self._departures.forward(message, self.description.forward_to, now)
            return
        self._set_expiry(message, now)
        self.holdings.put(message, now)

    def take_over(self, message: Message, now: datetime) -> None:
        """Accept a forwarded message under the rules for sending; `wake` must follow."""
        self.intake.take_over(message, now)

    def bury(self, message: Message, reason: str, description: str, now: datetime) -> None:
        """Dead-letter a message that is not held here; `wake` must follow."""
        self._departures.bury_new(message, reason, description, now)

    def _set_expiry(self, message: Message, now: datetime) -> None:
        ttl, default = message.time_to_live, self.description.default_time_to_live
        if default is not None and (ttl is None or default < ttl):
            ttl = default
        if ttl is None or self.role is Role.SUB_QUEUE:
            message.expires_at = None
            return
        message.expires_at = now + ttl if ttl < NEVER - now else NEVER
        self.alarm.by(message.expires_at)

    def restore(self, message: Message) -> None:
        """Put back a message that was stored; in sequence order."""
        if message.state is MessageState.SCHEDULED:
            self.intake.restore(message)
            return
        self.holdings.restore(message)
        if message.expires_at is not None:
            self.alarm.by(message.expires_at)

    # Out, and back

    def receive_from(self, receiver: SessionReceiver, limit: int, mode: ReceiveMode) -> list[Delivery]:
        """As `receive`, for the holder of a session."""
        receiver.check()
        return self.hand_out(limit, mode, receiver)

    def hand_out(self, limit: int, mode: ReceiveMode, receiver: SessionReceiver | None) -> list[Delivery]:
        now = self.open_for("receive")
        take = self.holdings.take
        session = None if receiver is None else receiver.session
        deliveries: list[Delivery] = []
        while len(deliveries) < limit:
            message = take(session)
            if message is None:
                break
            deliveries.append(self.deliver(message, mode, now, receiver))
        return deliveries

    def deliver(self, message: Message, mode: ReceiveMode, now: datetime, receiver: SessionReceiver | None) -> Delivery:
        if mode is ReceiveMode.RECEIVE_AND_DELETE:
            if self.strikes(FaultKind.DUPLICATE_DELIVERY, "receive"):
                self.give_back(message, now, failed=False)
            else:
                self.holdings.remove(message)
            return Delivery(message, b"", None, message.delivery_count)
        token = self._context.new_token()
        if receiver is None:
            until = now + self.lock_duration
            self.alarm.by(until)
            delivery = Delivery(message, token, until, message.delivery_count)
        else:
            delivery = Delivery(message, token, receiver.locked_until, message.delivery_count, receiver)
            receiver.held[token] = delivery
        message.locked = True
        self._locks[token] = delivery
        return delivery

    # Settlement, by lock token

    def complete(self, lock_token: bytes) -> None:
        """Remove the message. Raises MessageLockLost (as all settlements do) when the lock is gone."""
        delivery, now = self.settle(lock_token)
        if self.strikes(FaultKind.DUPLICATE_DELIVERY, "settle"):
            self.give_back(delivery.message, now, failed=False)
            self.wake()
        else:
            self.holdings.remove(delivery.message)

    def abandon(self, lock_token: bytes, properties: Mapping[str, PropertyValue] | None = None) -> None:
        """Back to its place in the queue, one delivery counted; dead-lettered at `max_delivery_count`."""
        delivery, now = self.settle(lock_token)
        update_properties(delivery.message, properties)
        self.give_back(delivery.message, now, failed=True)
        self.wake()

    def release(self, lock_token: bytes) -> None:
        """Back to its place as if it had never been delivered (AMQP's `released`)."""
        delivery, now = self.settle(lock_token)
        self.give_back(delivery.message, now, failed=False)
        self.wake()

    def defer(self, lock_token: bytes, properties: Mapping[str, PropertyValue] | None = None) -> None:
        """Set aside, to be received by its sequence number only."""
        delivery, _ = self.settle(lock_token)
        update_properties(delivery.message, properties)
        self.holdings.set_aside(delivery.message)

    def dead_letter(
        self,
        lock_token: bytes,
        reason: str | None = None,
        description: str | None = None,
        properties: Mapping[str, PropertyValue] | None = None,
    ) -> None:
        """Move it to the dead-letter queue. From a dead-letter queue: NotPermitted."""
        if self.role is Role.SUB_QUEUE:
            raise NotPermitted(f"{self.path!r} is a dead-letter queue already: complete or abandon the message.")
        delivery, now = self.settle(lock_token)
        update_properties(delivery.message, properties)
        self._departures.bury(delivery.message, reason, description, now)
        self.wake()

    def renew(self, lock_token: bytes) -> datetime:
        """A full lock duration from now; returns its end. On a session this renews the session's lock."""
        now = self.open_for("renew")
        self.fault_lock(lock_token, "renew")
        delivery = self._locks.get(lock_token)
        if delivery is None:
            raise self.lock_lost()
        if delivery.session is not None:
            return delivery.session.renew()
        until = delivery.locked_until = now + self.lock_duration
        self._locks.move_to_end(lock_token)
        return until

    def settle(self, lock_token: bytes) -> tuple[Delivery, datetime]:
        """Take the lock off; whoever calls this says what becomes of the message."""
        now = self.catch_up()
        if self._context.faults:
            self._context.faults.check(self.path, "settle")
            self.fault_lock(lock_token, "settle")
        delivery = self._locks.pop(lock_token, None)
        if delivery is None:
            self.check_exists()
            raise self.lock_lost()
        delivery.message.locked = False
        if delivery.session is not None:
            del delivery.session.held[lock_token]
        return delivery, now

    def lock_lost(self) -> MessageLockLost:
        return MessageLockLost(
            f"No message in {self.path!r} is held under this lock: it expired, or the message was settled. "
            "Receive the message again; renew the lock in time or raise the entity's lock duration."
        )

    def give_back(self, message: Message, now: datetime, *, failed: bool) -> None:
        """An unlocked message returns to where it was, or to the dead letters."""
        if failed:
            message.delivery_count += 1
            if message.delivery_count >= self._max_deliveries:
                description = f"Message could not be consumed after {self._max_deliveries} delivery attempts."
                self._departures.bury(message, "MaxDeliveryCountExceeded", description, now)
                return
            self.holdings.changed(message)
        if message.state is MessageState.DEFERRED:
            return
        if message.expires_at is not None and message.expires_at <= now:
            self._departures.expire(message, now)
        elif self.description.forward_to is not None:
            self.holdings.remove(message)
            self.accept(copy(message), now)
        else:
            self.holdings.put_back(message)

    def unlock(self, token: bytes, delivery: Delivery, now: datetime, *, failed: bool) -> None:
        """End a lock that its holder did not settle; `wake` must follow."""
        del self._locks[token]
        delivery.message.locked = False
        self.give_back(delivery.message, now, failed=failed)

    # Time

    def catch_up(self) -> datetime:
        """Do what has become due by now, and say when now is."""
        now = self._context.clock()
        if now >= self.alarm.due:
            self.alarm.run(now)
        return now

    def _fire(self, now: datetime) -> datetime:
        self.intake.activate(now)
        locks_end = self._end_locks(now) if self.holdings.sessions is None else self.desk.end_expired(now)
        for message in self.holdings.expired(now):
            self._departures.expire(message, now)
        self.wake()
        return min(self.intake.scheduled.next(), self.holdings.expiring.next(), locks_end)

    def _end_locks(self, now: datetime) -> datetime:
        """End the locks whose time has come; returns when the next one ends."""
        while self._locks:
            token, delivery = next(iter(self._locks.items()))
            if delivery.locked_until is not None and delivery.locked_until > now:
                return delivery.locked_until
            self.unlock(token, delivery, now, failed=True)
        return NEVER

    def wake(self) -> None:
        """Call back those who wait for what there is now, here and where messages went."""
        if self.holdings.sessions is not None:
            self.desk.wake()
        elif len(self._waiters):
            self._waiters.wake(self._has_work)
        self._departures.wake()

    def _has_work(self) -> bool | None:
        return True if self.holdings.backlog.ready else None

    # Permission, faults

    def open_for(self, operation: str) -> datetime:
        """Check that the entity takes this operation, catch up, and say when now is."""
        self.check_exists()
        if self.description.status in _CLOSED:
            raise EntityDisabled(f"{self.path!r} is not open for receiving: enable it first.")
        if self.description.forward_to is not None and operation in {"receive", "accept_session"}:
            raise NotPermitted(
                f"{self.path!r} forwards its messages to {self.description.forward_to!r}: receive them there."
            )
        if self._context.faults:
            self._context.faults.check(self.path, operation)
        return self.catch_up()

    def check_exists(self) -> None:
        if self.deleted:
            raise EntityNotFound(f"There is no entity {self.path!r} any more: it was deleted.")

    def strikes(self, kind: FaultKind, operation: str) -> bool:
        faults = self._context.faults
        return bool(faults) and faults.take(kind, self.path, operation) is not None

    def fault_lock(self, lock_token: bytes, operation: str) -> None:
        """Take the lock away if a fault says so, just before it is used."""
        delivery = self._locks.get(lock_token)
        if delivery is None:
            return
        if self.strikes(FaultKind.EXPIRE_LOCK, operation) or (
            delivery.session is not None and self.strikes(FaultKind.STEAL_SESSION, operation)
        ):
            self.expire_lock(lock_token)

    def expire_lock(self, lock_token: bytes) -> None:
        """Let this lock end now, as its time would. On a session the session's lock ends."""
        delivery = self._locks.get(lock_token)
        if delivery is None:
            return
        if delivery.session is not None:
            self.desk.steal(delivery.session.session_id)
        else:
            self.unlock(lock_token, delivery, self._context.clock(), failed=True)
            self.wake()

    # Sub-queues, end

    def sub_queue(self, name: str) -> Self:
        if self.role is Role.SUB_QUEUE:
            raise EntityNotFound(f"{self.path!r} has no sub-queues of its own.")
        queue = self._sub_queues.get(name)
        if queue is None:
            description = _sub_description(name, self.description)
            queue = type(self)(self._context, f"{self.path}/{name}", description, Role.SUB_QUEUE, self._quota)
            self._sub_queues[name] = queue
        return queue

    def delete(self) -> None:
        """End it: whoever waits or holds a session is called and finds it gone. Its messages go with it."""
        self.deleted = True
        self.desk.dismiss()
        while len(self._waiters):
            self._waiters.take()(True)
        for sub_queue in self._sub_queues.values():
            sub_queue.delete()
        self._locks.clear()
        self._quota.used -= self.holdings.bytes + self.intake.scheduled_bytes
        self.alarm.due = NEVER


def _sub_description(
    name: str, parent: QueueDescription | SubscriptionDescription
) -> QueueDescription | SubscriptionDescription:
    return replace(
        parent,
        name=f"{parent.name}/{name}",
        requires_session=False,
        forward_to=None,
        forward_dead_lettered_to=None,
        default_time_to_live=None,
    )


def update_properties(message: Message, properties: Mapping[str, PropertyValue] | None) -> None:
    """Merge what a settlement changes into the message's own properties."""
    if properties:
        message.application_properties = {**message.application_properties, **properties}
        message.modified = True
