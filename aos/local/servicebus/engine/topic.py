"""A topic: takes messages and gives each subscription the copies its rules let in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from aos.local.servicebus.engine.alarms import NEVER, Alarm
from aos.local.servicebus.engine.context import Context, Quota
from aos.local.servicebus.engine.description import EntityStatus, SubscriptionDescription, TopicDescription
from aos.local.servicebus.engine.entity_statistics import EntityStatistics
from aos.local.servicebus.engine.errors import EntityNotFound, FilterFailed
from aos.local.servicebus.engine.intake import Intake
from aos.local.servicebus.engine.locking import Role
from aos.local.servicebus.engine.message import Message
from aos.local.servicebus.engine.message_log import MessageLog
from aos.local.servicebus.engine.message_queue import Queue
from aos.local.servicebus.engine.rules import Rules

_NO_SESSION = "Session ID is null."


class Subscription:
    """The messages of one subscription and the rules that let them in."""

    __slots__ = ("queue", "rules")

    def __init__(self, queue: Queue, rules: Rules) -> None:
        self.queue = queue
        self.rules = rules

    @property
    def description(self) -> SubscriptionDescription:
        return cast("SubscriptionDescription", self.queue.description)

    def offer(self, message: Message, now: datetime) -> None:
        """Take the copies the rules let in; `queue.wake` must follow."""
        try:
            copies = self.rules.copies(message)
        except FilterFailed as error:
            if self.description.dead_letter_on_filter_error:
                self.queue.bury(message, "FilterEvaluationException", error.message, now)
            return
        for copied in copies:
            if self.queue.requires_session and copied.session_id is None:
                self.queue.bury(copied, _NO_SESSION, "The subscription requires sessions.", now)
            else:
                self.queue.accept(copied, now)


class Topic:
    """Sending side of a topic; same rules as `Queue` for `send`, `schedule`, `cancel_scheduled` and `peek`.

    Attributes:
        subscriptions: By name in lower case.
    """

    def __init__(self, context: Context, description: TopicDescription) -> None:
        self.path = description.name
        self.description = description
        self.deleted = False
        self.subscriptions: dict[str, Subscription] = {}
        self._context = context
        self._quota = Quota(description.max_size_mb)
        self._log = MessageLog()
        self._alarm = Alarm(context.alarms, self._fire)
        self.intake = Intake(context, self.path, self._log, self._quota, self._catch_up, self._distribute, self.wake)
        self.intake.on_scheduled = self._alarm.by
        self._touched: dict[str, Subscription] = {}
        self.intake.configure(description)

    def configure(self, description: TopicDescription) -> None:
        self.description = description
        self.intake.configure(description)

    def send(self, messages: Sequence[Message]) -> None:
        self._check_exists()
        self.intake.send(messages)

    def schedule(self, messages: Sequence[Message]) -> list[int]:
        self._check_exists()
        return self.intake.schedule(messages)

    def cancel_scheduled(self, sequence_numbers: Sequence[int]) -> None:
        self._check_exists()
        self._catch_up()
        self.intake.cancel(sequence_numbers)

    def peek(self, start: int, limit: int, session_id: str | None = None) -> list[Message]:
        """Scheduled messages; the others are in the subscriptions."""
        self._check_exists()
        self._catch_up()
        self._context.faults.check(self.path, "peek")
        return self._log.peek(start, limit, session_id)

    def take_over(self, message: Message, now: datetime) -> None:
        """Accept a forwarded message under the rules for sending; `wake` must follow."""
        self._check_exists()
        self.intake.take_over(message, now)

    def wake(self) -> None:
        """Call back those who wait in subscriptions that have got something."""
        touched, self._touched = self._touched, {}
        for subscription in touched.values():
            subscription.queue.wake()

    def statistics(self) -> EntityStatistics:
        return EntityStatistics(scheduled=len(self.intake.scheduled), size_bytes=self._quota.used)

    # Subscriptions

    def add(self, description: SubscriptionDescription) -> Subscription:
        path = f"{self.path}/Subscriptions/{description.name}"
        rules = Rules(description.rules)
        queue = Queue(self._context, path, description, Role.SUBSCRIPTION, self._quota)
        subscription = self.subscriptions[description.name.lower()] = Subscription(queue, rules)
        return subscription

    def remove(self, name: str) -> None:
        self.subscriptions.pop(name.lower()).queue.delete()

    def delete(self) -> None:
        self.deleted = True
        for name in list(self.subscriptions):
            self.remove(name)
        self._alarm.due = NEVER

    def _distribute(self, message: Message, now: datetime) -> None:
        """Hand the message out. It has a number of the topic, which its copies keep as that of submission."""
        self._log.last_number += 1
        if not message.enqueued_sequence_number:
            message.enqueued_sequence_number = self._log.last_number
        message.sequence_number = self._log.last_number
        message.enqueued_at = now
        for name, subscription in self.subscriptions.items():
            if subscription.description.status is not EntityStatus.DISABLED:
                subscription.offer(message, now)
                self._touched[name] = subscription

    def _catch_up(self) -> datetime:
        now = self._context.clock()
        if now >= self._alarm.due:
            self._alarm.run(now)
        return now

    def _fire(self, now: datetime) -> datetime:
        self.intake.activate(now)
        self.wake()
        return self.intake.scheduled.next()

    def _check_exists(self) -> None:
        if self.deleted:
            raise EntityNotFound(f"There is no topic {self.path!r} any more: it was deleted.")
