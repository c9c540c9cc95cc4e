"""Sessions: each an ordered backlog of its own, held by one receiver at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from aos.local.servicebus.engine.backlog import Backlog
from aos.local.servicebus.engine.errors import SessionLockLost
from aos.local.servicebus.engine.message import Delivery, Message, PropertyValue, ReceiveMode
from aos.local.servicebus.engine.waiters import Waiter, Waiters

if TYPE_CHECKING:
    from aos.local.servicebus.engine.locking import LockingQueue
    from aos.local.servicebus.engine.session_desk import SessionDesk


class Session:
    """One session. `messages` counts all it has, whatever their state; `state` is what its holders keep there."""

    __slots__ = ("backlog", "id", "messages", "receiver", "state", "state_set_at")

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.backlog = Backlog()
        self.messages = 0
        self.state: bytes | None = None
        self.state_set_at: datetime | None = None
        self.receiver: SessionReceiver | None = None


class SessionBook:
    """All sessions of one entity, those free with work in the order they became so, and those locked.

    A session that is given back with work left goes to the end of the line: none can starve the others.
    """

    __slots__ = ("_sessions", "free", "locked", "stirred")

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self.free: OrderedDict[str, Session] = OrderedDict()
        # In the order their locks end: every lock and renewal lasts the same, and goes to the end.
        self.locked: OrderedDict[str, SessionReceiver] = OrderedDict()
        # Holders that wait for messages and whose session has got some, still to be called.
        self.stirred: list[SessionReceiver] = []

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, session_id: str) -> Session | None:
        return self._sessions.get(session_id)

    def open(self, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None:
            session = self._sessions[session_id] = Session(session_id)
        return session

    def push(self, message: Message) -> None:
        session = self.open(message.session_id or "")
        session.messages += 1
        session.backlog.push(message)
        self._stir(session)

    def put_back(self, message: Message) -> None:
        session = self.open(message.session_id or "")
        session.backlog.put_back(message)
        self._stir(session)

    def _stir(self, session: Session) -> None:
        receiver = session.receiver
        if receiver is None:
            if session.id not in self.free:
                self.free[session.id] = session
        elif len(receiver.waiters):
            self.stirred.append(receiver)

    def removed(self, message: Message) -> None:
        """One of the session's messages is gone for good."""
        session = self._sessions[message.session_id or ""]
        session.messages -= 1
        if message.ready:
            session.backlog.withdraw(message)
            self.refresh(session)
        elif not session.messages:
            self.refresh(session)

    def refresh(self, session: Session) -> None:
        """Line the session up if it is free and has work, forget it if nothing is left of it."""
        if session.receiver is None and session.backlog.ready:
            self.free.setdefault(session.id, session)
        else:
            self.free.pop(session.id, None)
        if not session.messages and session.state is None and session.receiver is None:
            self._sessions.pop(session.id, None)

    def names(self, updated_after: datetime | None) -> list[str]:
        """Ids in order: of sessions with messages, or of those whose state was set after a time."""
        if updated_after is None:
            return sorted(session.id for session in self._sessions.values() if session.messages)
        return sorted(
            session.id
            for session in self._sessions.values()
            if session.state_set_at is not None and session.state_set_at > updated_after
        )


class SessionReceiver:
    """The holder of one session's lock. Every method raises SessionLockLost once the lock is gone.

    Attributes:
        session_id: The session.
        locked_until: End of the lock (UTC); follows `renew`.
        lost: The lock has expired or was taken away, or `close` was called.
        on_lost: Set it to be called once when the lock expires or is taken away (not by `close`).
    """

    __slots__ = ("_desk", "_queue", "held", "locked_until", "lost", "on_lost", "session", "session_id", "waiters")

    def __init__(self, queue: LockingQueue, desk: SessionDesk, session: Session, locked_until: datetime) -> None:
        self._queue = queue
        self._desk = desk
        self.session = session
        self.session_id = session.id
        self.locked_until = locked_until
        self.lost = False
        self.on_lost: Callable[[], None] | None = None
        # Kept by the queue: deliveries not settled yet, by lock token, and callbacks that wait for messages.
        self.held: dict[bytes, Delivery] = {}
        self.waiters: Waiters[bool] = Waiters()

    def receive(self, limit: int, mode: ReceiveMode = ReceiveMode.PEEK_LOCK) -> list[Delivery]:
        """Up to `limit` messages of the session, in order."""
        return self._queue.receive_from(self, limit, mode)

    def when_ready(self, callback: Callable[[], None]) -> Waiter:
        """As `Queue.when_ready`, for this session. Also called when the lock is lost."""
        self.check()
        waiter = self.waiters.add(lambda _: callback())
        self.waiters.wake(self.has_work)
        return waiter

    def has_work(self) -> bool | None:
        return True if self.session.backlog.ready else None

    def complete(self, lock_token: bytes) -> None:
        """As `Queue.complete`; so are the other settlements."""
        self.check()
        self._queue.complete(lock_token)

    def abandon(self, lock_token: bytes, properties: Mapping[str, PropertyValue] | None = None) -> None:
        self.check()
        self._queue.abandon(lock_token, properties)

    def release(self, lock_token: bytes) -> None:
        self.check()
        self._queue.release(lock_token)

    def defer(self, lock_token: bytes, properties: Mapping[str, PropertyValue] | None = None) -> None:
        self.check()
        self._queue.defer(lock_token, properties)

    def dead_letter(
        self,
        lock_token: bytes,
        reason: str | None = None,
        description: str | None = None,
        properties: Mapping[str, PropertyValue] | None = None,
    ) -> None:
        self.check()
        self._queue.dead_letter(lock_token, reason, description, properties)

    def renew(self) -> datetime:
        """Lock the session for a full lock duration from now; returns its end."""
        return self._desk.renew(self)

    def state(self) -> bytes | None:
        """What `set_state` last kept, by whichever holder; None at first."""
        self.check()
        return self._desk.state(self.session_id)

    def set_state(self, state: bytes | None) -> None:
        """Keep up to one message's worth of bytes with the session; None takes it away.

        Raises:
            MessageTooLarge: more than a message may have.
            QuotaExceeded: the entity is full.
        """
        self._desk.set_state(self, state)

    def close(self) -> None:
        """Give the session back. Unsettled messages return without counting a delivery. Idempotent."""
        if not self.lost:
            self._desk.close(self)

    def check(self) -> None:
        """Raise if the lock is gone."""
        self._queue.catch_up()
        if self.lost:
            raise SessionLockLost(
                f"The lock on session {self.session_id!r} is gone: accept the session again. "
                "Renew the lock in time, or raise the entity's lock duration."
            )
