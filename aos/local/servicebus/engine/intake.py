"""The way in to a queue or a topic: limits, duplicates, and messages that are scheduled for later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from datetime import datetime, timedelta

from aos.local.servicebus.engine.context import Context, Quota
from aos.local.servicebus.engine.deadlines import Deadlines
from aos.local.servicebus.engine.description import EntityStatus, QueueDescription, TopicDescription
from aos.local.servicebus.engine.duplicates import DuplicateHistory
from aos.local.servicebus.engine.errors import (
    EntityDisabled,
    InvalidArgument,
    MessageNotFound,
    MessageTooLarge,
    NotPermitted,
)
from aos.local.servicebus.engine.message import Message, MessageState
from aos.local.servicebus.engine.message_log import MessageLog

_CLOSED = (EntityStatus.DISABLED, EntityStatus.SEND_DISABLED)


class Intake:
    """Checks what is sent, keeps what is scheduled, and hands the rest to `publish`.

    Args:
        context: Of the bus.
        path: Of the entity.
        log: The entity's messages; scheduled ones are kept there too.
        quota: The entity's.
        catch_up: Does what is due by now and says when now is, before anything is added.
        publish: Called with each message to be enqueued now.
        published: Called once after one or more were.
    """

    def __init__(
        self,
        context: Context,
        path: str,
        log: MessageLog,
        quota: Quota,
        catch_up: Callable[[], datetime],
        publish: Callable[[Message, datetime], None],
        published: Callable[[], None],
    ) -> None:
        self._context = context
        self._path = path
        self._key = path.lower()
        self._log = log
        self._quota = quota
        self._catch_up = catch_up
        self._publish = publish
        self._published = published
        self._closed = False
        self._requires_session = False
        self._max_bytes = 0
        self._default_ttl: timedelta | None = None
        self.duplicates: DuplicateHistory | None = None
        self.scheduled = Deadlines()
        self.scheduled_bytes = 0
        self.on_scheduled: Callable[[datetime], None] = lambda _: None

    def configure(self, description: QueueDescription | TopicDescription) -> None:
        """Take over what concerns sending. Duplicate history is kept where it stays switched on."""
        self._closed = description.status in _CLOSED
        self._requires_session = isinstance(description, QueueDescription) and description.requires_session
        self._max_bytes = self._context.limits.max_message_bytes
        if description.max_message_kb is not None:
            self._max_bytes = description.max_message_kb * 1024
        self._default_ttl = description.default_time_to_live
        self._quota.limit = description.max_size_mb * 1024 * 1024
        if not description.requires_duplicate_detection:
            self.duplicates = None
        elif self.duplicates is None:
            window = description.duplicate_detection_window
            self.duplicates = DuplicateHistory(self._key, window, self._context.store)
        else:
            self.duplicates.window = description.duplicate_detection_window

    def send(self, messages: Sequence[Message]) -> None:
        now = self._admit(messages, "send")
        for message in messages:
            self._enter(message, now)
        self._published()

    def schedule(self, messages: Sequence[Message]) -> list[int]:
        if any(message.scheduled_for is None for message in messages):
            raise InvalidArgument("A message to schedule needs its time: set scheduled_for.")
        now = self._admit(messages, "schedule")
        numbers = [self._enter(message, now) for message in messages]
        self._published()
        return numbers

    def take_over(self, message: Message, now: datetime) -> None:
        """Accept a message that another entity forwards. Calls no `published`: who forwards wakes later."""
        self._check_open()
        self._quota.check(self._path, self._measure(message))
        message.scheduled_for = None
        self._enter(message, now)

    def cancel(self, sequence_numbers: Sequence[int]) -> None:
        self._context.faults.check(self._path, "cancel")
        scheduled: list[Message] = []
        for number in sequence_numbers:
            message = self._log.get(number)
            if message is None or message.state is not MessageState.SCHEDULED:
                raise MessageNotFound(
                    f"No scheduled message {number} in {self._path!r}: it was cancelled, or it is active by now."
                )
            scheduled.append(message)
        for message in scheduled:
            if self._log.get(message.sequence_number) is not None:
                self.scheduled.withdraw(message.sequence_number)
                self._drop(message)

    def activate(self, now: datetime) -> None:
        """Publish what was scheduled for now or earlier. Each gets a new sequence number."""
        for number in self.scheduled.pop_due(now):
            message = self._log.get(number)
            if message is not None:
                self._drop(message)
                active = copy(message)
                active.state = MessageState.ACTIVE
                self._publish(active, now)

    def restore(self, message: Message) -> None:
        """Put back a scheduled message that was stored."""
        self._log.restore(message)
        self._count(message.size)
        if message.scheduled_for is not None:
            self.scheduled.add(message.sequence_number, message.scheduled_for)
            self.on_scheduled(message.scheduled_for)

    def restore_number(self, number: int) -> None:
        """No sequence number up to this one is given again."""
        self._log.last_number = max(self._log.last_number, number)

    def _admit(self, messages: Sequence[Message], operation: str) -> datetime:
        """All checks, before anything is changed."""
        if self._context.faults:
            self._context.faults.check(self._path, operation)
        self._check_open()
        size = 0
        for message in messages:
            size += self._measure(message)
        self._quota.check(self._path, size)
        return self._catch_up()

    def _check_open(self) -> None:
        if self._closed:
            raise EntityDisabled(f"{self._path!r} does not take messages: enable it for sending first.")

    def _measure(self, message: Message) -> int:
        size = message.size
        if not size:
            size = message.size = len(message.body) + len(message.wire)
        if size > self._max_bytes:
            raise MessageTooLarge(
                f"A message of {size} bytes is over the limit of {self._max_bytes} bytes of {self._path!r}."
            )
        if message.session_id is None:
            if self._requires_session:
                raise NotPermitted(
                    f"{self._path!r} requires sessions and the message has no session id: set session_id."
                )
        elif len(message.session_id) > self._context.limits.max_id_length:
            self._refuse_id("session_id")
        if message.message_id is not None and len(message.message_id) > self._context.limits.max_id_length:
            self._refuse_id("message_id")
        return size

    def _refuse_id(self, name: str) -> None:
        raise InvalidArgument(f"{name} is longer than {self._context.limits.max_id_length} characters.")

    def _enter(self, message: Message, now: datetime) -> int:
        """Drop, schedule or publish; returns the sequence number, 0 for a duplicate."""
        if (
            self.duplicates is not None
            and message.message_id is not None
            and self.duplicates.seen(message.message_id, now)
        ):
            return 0
        default = self._default_ttl
        if default is not None and (message.time_to_live is None or message.time_to_live > default):
            message.time_to_live = default
        if message.scheduled_for is not None and message.scheduled_for > now:
            self._keep_for_later(message, message.scheduled_for, now)
        else:
            self._publish(message, now)
        return message.sequence_number

    def _keep_for_later(self, message: Message, when: datetime, now: datetime) -> None:
        message.state = MessageState.SCHEDULED
        message.enqueued_at = now
        self._log.append(message)
        self._count(message.size)
        self.scheduled.add(message.sequence_number, when)
        if self._context.store is not None:
            self._context.store.put_message(self._key, message)
        self.on_scheduled(when)

    def _drop(self, message: Message) -> None:
        self._log.remove(message.sequence_number)
        self._count(-message.size)
        if self._context.store is not None:
            self._context.store.delete_message(self._key, message.sequence_number)

    def _count(self, growth: int) -> None:
        self.scheduled_bytes += growth
        self._quota.used += growth
