"""What an entity holds: its messages by number, by readiness and by expiry, their bytes, and their stored copies."""

from __future__ import annotations

from datetime import datetime

from aos.local.servicebus.engine.backlog import Backlog
from aos.local.servicebus.engine.context import Context, Quota
from aos.local.servicebus.engine.deadlines import Deadlines
from aos.local.servicebus.engine.message import Message, MessageState
from aos.local.servicebus.engine.message_log import MessageLog
from aos.local.servicebus.engine.sessions import Session, SessionBook


class Holdings:
    """Keeps all views of the messages in step. Knows nothing of locks.

    Attributes:
        sessions: Present where the entity requires sessions; `backlog` is then unused.
        expiring: Deadlines of messages with an end to their time to live.
        bytes: Of this entity alone; `quota` may be shared.
    """

    def __init__(self, context: Context, key: str, quota: Quota, *, requires_session: bool) -> None:
        self._store = context.store
        self._key = key
        self.log = MessageLog()
        self.quota = quota
        self.backlog = Backlog()
        self.sessions = SessionBook() if requires_session else None
        self.expiring = Deadlines()
        self.deferred = 0
        self.bytes = 0

    def put(self, message: Message, now: datetime) -> None:
        """A new message, ready from now."""
        message.enqueued_at = now
        message.state = MessageState.ACTIVE
        self.log.append(message)
        self._count_in(message)
        if self.sessions is None:
            self.backlog.push(message)
        else:
            self.sessions.push(message)
        if self._store is not None:
            self._store.put_message(self._key, message)

    def restore(self, message: Message) -> None:
        """An active or deferred message that was stored, in sequence order."""
        self.log.restore(message)
        self._count_in(message)
        if message.state is MessageState.DEFERRED:
            self.deferred += 1
            if self.sessions is not None:
                self.sessions.open(message.session_id or "").messages += 1
        elif self.sessions is None:
            self.backlog.push(message)
        else:
            self.sessions.push(message)

    def _count_in(self, message: Message) -> None:
        self.bytes += message.size
        self.quota.used += message.size
        if message.expires_at is not None:
            self.expiring.add(message.sequence_number, message.expires_at)

    def take(self, session: Session | None) -> Message | None:
        """The next ready message, of a session or of an entity without them. It stays held, but not ready."""
        return self.backlog.pop() if session is None else session.backlog.pop()

    def put_back(self, message: Message) -> None:
        """What was taken is ready again, in its old place."""
        if self.sessions is None:
            self.backlog.put_back(message)
        else:
            self.sessions.put_back(message)

    def remove(self, message: Message) -> None:
        """The message is gone."""
        number = message.sequence_number
        self.log.remove(number)
        self.bytes -= message.size
        self.quota.used -= message.size
        if message.expires_at is not None:
            self.expiring.withdraw(number)
        if message.state is MessageState.DEFERRED:
            self.deferred -= 1
        if self.sessions is not None:
            self.sessions.removed(message)
        elif message.ready:
            self.backlog.withdraw(message)
        if self._store is not None:
            self._store.delete_message(self._key, number)

    def set_aside(self, message: Message) -> None:
        """What was taken is deferred."""
        if message.state is not MessageState.DEFERRED:
            message.state = MessageState.DEFERRED
            self.deferred += 1
        self.changed(message)

    def changed(self, message: Message) -> None:
        """Properties or counts of a held message are not what they were."""
        if self._store is not None:
            self._store.update_message(self._key, message)

    def expired(self, now: datetime) -> list[Message]:
        """Ready messages whose time to live has ended.

        Those locked are looked at when they come back, those deferred when they are asked for.
        """
        due = (self.log.get(number) for number in self.expiring.pop_due(now))
        return [message for message in due if message is not None and message.ready]
