"""A receiver of one session: the link exists only while the session's lock is held."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aos.local.servicebus.amqp.errors import LinkFault
from aos.local.servicebus.amqp.terminus import Source
from aos.local.servicebus.amqp.types import Symbol
from aos.local.servicebus.engine import SessionLockLost
from aos.local.servicebus.server.outgoing_link import OutgoingLink

if TYPE_CHECKING:
    from aos.local.servicebus.amqp.performatives import Attach
    from aos.local.servicebus.engine import Queue, SessionReceiver, Waiter
    from aos.local.servicebus.server.session import Session

_FILTER = Symbol("com.microsoft:session-filter")
_LOCKED_UNTIL = Symbol("com.microsoft:locked-until-utc")
_TIMEOUT = "com.microsoft:timeout"
_DEFAULT_WAIT = timedelta(seconds=60)
_TICKS_EPOCH = datetime(1, 1, 1, tzinfo=UTC)


class SessionLink(OutgoingLink):
    """Waits for the session, answers the attach when it has it, and detaches when its lock is lost.

    Args:
        wanted: The session's id; None for the next that has messages.
    """

    def __init__(self, session: Session, attach: Attach, path: str, queue: Queue, wanted: str | None) -> None:
        super().__init__(session, attach, path)
        self._queue = queue
        self._wanted = wanted
        self._held: SessionReceiver | None = None
        self._acceptance: Waiter | None = None
        self._disposed = False

    @property
    def session_id(self) -> str | None:
        """The session that is held; None while the link waits for one."""
        return None if self._held is None else self._held.session_id

    def receiver(self) -> SessionReceiver | None:
        return self._held

    def start(self) -> None:
        if self._wanted is not None:
            self._take(self._queue.accept_session(self._wanted))
            return
        self._acceptance = self._queue.when_session(self._on_session, self._patience())

    def _patience(self) -> timedelta:
        milliseconds = (self.attach.properties or {}).get(_TIMEOUT)
        if isinstance(milliseconds, int) and not isinstance(milliseconds, bool) and milliseconds >= 0:
            return timedelta(milliseconds=milliseconds)
        return _DEFAULT_WAIT

    def _on_session(self, held: SessionReceiver | None) -> None:
        self._acceptance = None
        if self._disposed:
            if held is not None:
                held.close()
        elif held is None:
            self.detached = True
            self.session.refuse(
                self.attach,
                LinkFault("com.microsoft:timeout", f"No session of {self.path!r} came free in time: try again."),
            )
        else:
            self._take(held)

    def _take(self, held: SessionReceiver) -> None:
        self._held = held
        held.on_lost = self._on_lost
        source = self.attach.source or Source()
        filters = {**(source.filter or {}), _FILTER: held.session_id}
        ticks = (held.locked_until - _TICKS_EPOCH) // timedelta(microseconds=1) * 10
        self.accept(replace(source, filter=filters), {_LOCKED_UNTIL: ticks})

    def _on_lost(self) -> None:
        self.end(SessionLockLost(f"The lock of session {self.session_id!r} is lost: accept the session again."))

    def dispose(self) -> None:
        self._disposed = True
        super().dispose()
        if self._acceptance is not None:
            self._acceptance.cancel()
            self._acceptance = None
        if self._held is not None:
            self._held.on_lost = None
            self._held.close()
