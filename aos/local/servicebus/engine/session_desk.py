"""Where sessions of one entity are handed out, renewed, lost and given back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aos.local.servicebus.engine.alarms import NEVER, Alarm
from aos.local.servicebus.engine.errors import MessageTooLarge, NotPermitted, SessionCannotBeLocked
from aos.local.servicebus.engine.faults import FaultKind
from aos.local.servicebus.engine.sessions import Session, SessionBook, SessionReceiver
from aos.local.servicebus.engine.waiters import Waiter, Waiters

if TYPE_CHECKING:
    from aos.local.servicebus.engine.context import Context
    from aos.local.servicebus.engine.holdings import Holdings
    from aos.local.servicebus.engine.locking import LockingQueue


class SessionDesk:
    """The session half of a `Queue`, which documents the operations for callers."""

    __slots__ = ("_context", "_holdings", "_queue", "_waiters")

    def __init__(self, queue: LockingQueue, context: Context, holdings: Holdings) -> None:
        self._queue = queue
        self._context = context
        self._holdings = holdings
        self._waiters: Waiters[SessionReceiver | None] = Waiters()

    def accept(self, session_id: str) -> SessionReceiver:
        now = self._queue.open_for("accept_session")
        session = self._book().open(session_id)
        if session.receiver is not None:
            raise SessionCannotBeLocked(
                f"Session {session_id!r} of {self._queue.path!r} is held by another receiver: "
                "try again when it is free."
            )
        return self._lock(session, now)

    def accept_next(self) -> SessionReceiver | None:
        now = self._queue.open_for("accept_session")
        self._book()
        return self._next(now)

    def wait(self, callback: Callable[[SessionReceiver | None], None], timeout: timedelta | None) -> Waiter:
        now = self._queue.open_for("accept_session")
        self._book()
        waiter = self._waiters.add(callback)
        self.offer(now)
        if timeout is not None and waiter.waiting:
            Alarm(self._context.alarms, lambda _: _time_out(waiter, callback)).by(now + timeout)
        return waiter

    def offer(self, now: datetime) -> None:
        """Give free sessions with work to those who wait for one."""
        self._waiters.wake(lambda: self._next(now))

    def dismiss(self) -> None:
        """The entity is going: nobody holds or waits for a session any more."""
        while len(self._waiters):
            self._waiters.take()(None)
        if self._holdings.sessions is not None:
            for receiver in list(self._holdings.sessions.locked.values()):
                if not receiver.lost:
                    self.end(receiver, self._context.clock(), failed=False)

    def _book(self) -> SessionBook:
        if self._holdings.sessions is None:
            raise NotPermitted(f"{self._queue.path!r} has no sessions: receive from it without one.")
        return self._holdings.sessions

    def _next(self, now: datetime) -> SessionReceiver | None:
        free = self._book().free
        return self._lock(next(iter(free.values())), now) if free else None

    def _lock(self, session: Session, now: datetime) -> SessionReceiver:
        book = self._book()
        receiver = SessionReceiver(self._queue, self, session, now + self._queue.lock_duration)
        session.receiver = receiver
        book.free.pop(session.id, None)
        book.locked[session.id] = receiver
        self._queue.alarm.by(receiver.locked_until)
        return receiver

    def renew(self, receiver: SessionReceiver) -> datetime:
        now = self._queue.open_for("renew")
        if not receiver.lost and self._queue.strikes(FaultKind.STEAL_SESSION, "renew"):
            self.end(receiver, now, failed=True)
        receiver.check()
        receiver.locked_until = now + self._queue.lock_duration
        self._book().locked.move_to_end(receiver.session_id)
        for delivery in receiver.held.values():
            delivery.locked_until = receiver.locked_until
        return receiver.locked_until

    def close(self, receiver: SessionReceiver) -> None:
        now = self._queue.catch_up()
        if not receiver.lost:
            receiver.on_lost = None
            self.end(receiver, now, failed=False)
            self._queue.wake()

    def end(self, receiver: SessionReceiver, now: datetime, *, failed: bool) -> None:
        """Take the lock off; what its holder had comes back, counted as failed if it was delivered."""
        book = self._book()
        receiver.lost = True
        del book.locked[receiver.session_id]
        for token, delivery in receiver.held.items():
            self._queue.unlock(token, delivery, now, failed=failed)
        receiver.held.clear()
        receiver.session.receiver = None
        book.refresh(receiver.session)
        while len(receiver.waiters):
            receiver.waiters.take()(True)
        if receiver.on_lost is not None:
            receiver.on_lost()

    def end_expired(self, now: datetime) -> datetime:
        """End the locks whose time has come; returns when the next one ends."""
        book = self._book()
        while book.locked:
            receiver = next(iter(book.locked.values()))
            if receiver.locked_until > now:
                return receiver.locked_until
            self.end(receiver, now, failed=True)
        return NEVER

    def sort(self) -> None:
        """Locks given for another duration end in another order than they began."""
        if self._holdings.sessions is not None:
            locked = self._holdings.sessions.locked
            for receiver in sorted(locked.values(), key=lambda receiver: receiver.locked_until):
                locked.move_to_end(receiver.session_id)

    def steal(self, session_id: str) -> None:
        receiver = self._book().locked.get(session_id)
        if receiver is not None:
            self.end(receiver, self._context.clock(), failed=True)
            self._queue.wake()

    def wake(self) -> None:
        """Call holders whose session has got messages, then hand out free sessions."""
        book = self._book()
        stirred, book.stirred = book.stirred, []
        for receiver in stirred:
            receiver.waiters.wake(receiver.has_work)
        if len(self._waiters) and book.free:
            self.offer(self._context.clock())

    def state(self, session_id: str) -> bytes | None:
        self._queue.open_for("session_state")
        session = self._book().get(session_id)
        return None if session is None else session.state

    def set_state(self, receiver: SessionReceiver, state: bytes | None) -> None:
        now = self._queue.open_for("session_state")
        receiver.check()
        limit = self._context.limits.max_message_bytes
        size = len(state or b"")
        if size > limit:
            raise MessageTooLarge(
                f"A session state of {size} bytes is over the limit of {limit} bytes: "
                "keep it elsewhere and store where it is."
            )
        self._holdings.quota.check(self._queue.path, size - len(receiver.session.state or b""))
        self._keep(receiver.session, state, now)
        if self._context.store is not None:
            self._context.store.put_session_state(self._queue.path.lower(), receiver.session_id, state)

    def restore_state(self, session_id: str, state: bytes) -> None:
        self._keep(self._book().open(session_id), state, None)

    def _keep(self, session: Session, state: bytes | None, now: datetime | None) -> None:
        growth = len(state or b"") - len(session.state or b"")
        self._holdings.quota.used += growth
        self._holdings.bytes += growth
        session.state, session.state_set_at = state, now

    def names(self, updated_after: datetime | None, skip: int, top: int) -> list[str]:
        return self._book().names(updated_after)[skip : skip + top]


def _time_out(waiter: Waiter, callback: Callable[[SessionReceiver | None], None]) -> datetime:
    if waiter.waiting:
        waiter.cancel()
        callback(None)
    return NEVER
