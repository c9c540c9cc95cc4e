"""One queue, one subscription, or a sub-queue of either: where messages wait, are locked and are settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from aos.local.servicebus.engine.departures import DEAD_LETTER, TRANSFER_DEAD_LETTER
from aos.local.servicebus.engine.entity_statistics import EntityStatistics
from aos.local.servicebus.engine.errors import MessageNotFound, NotPermitted
from aos.local.servicebus.engine.locking import LockingQueue, Role
from aos.local.servicebus.engine.message import Delivery, Message, MessageState, ReceiveMode
from aos.local.servicebus.engine.sessions import SessionReceiver
from aos.local.servicebus.engine.waiters import Waiter


class Queue(LockingQueue):
    """Messages of one entity. All methods return at once; none awaits. Callbacks must not raise.

    Attributes:
        path: As configured, e.g. `orders`, `events/Subscriptions/router`, `orders/$DeadLetterQueue`.
        requires_session: Messages are then received through sessions only.
        description: What it is configured to be.
        deleted: The entity is gone; every method raises EntityNotFound.
    """

    # Sending

    def send(self, messages: Sequence[Message]) -> None:
        """Accept all of these, or none. A duplicate within the window is accepted and dropped.

        A message whose `scheduled_for` lies ahead waits until then.

        Raises:
            MessageTooLarge: over the entity's limit for one message.
            QuotaExceeded: the entity is full.
            EntityDisabled: not open for sending.
            NotPermitted: a subscription or a sub-queue; or no session id where one is required.
            InvalidArgument: an id is too long.
        """
        self._check_sendable()
        self.intake.send(messages)

    def schedule(self, messages: Sequence[Message]) -> list[int]:
        """Accept messages that carry `scheduled_for`; returns the sequence numbers to cancel them by.

        The number of a dropped duplicate is 0. Raises what `send` does.
        """
        self._check_sendable()
        return self.intake.schedule(messages)

    def cancel_scheduled(self, sequence_numbers: Sequence[int]) -> None:
        """Withdraw scheduled messages. Raises MessageNotFound if any is not there (then none is withdrawn)."""
        self._check_sendable()
        self.catch_up()
        self.intake.cancel(sequence_numbers)

    def _check_sendable(self) -> None:
        if self.deleted or self.role is not Role.QUEUE:
            self.check_exists()
            raise NotPermitted(f"{self.path!r} cannot be sent to: send to its queue or topic.")

    # Receiving without sessions

    def receive(self, limit: int, mode: ReceiveMode = ReceiveMode.PEEK_LOCK) -> list[Delivery]:
        """Up to `limit` messages that are ready now, oldest first; perhaps none.

        Raises:
            NotPermitted: the entity requires sessions, or forwards its messages elsewhere.
            EntityDisabled: not open for receiving.
        """
        self._check_without_sessions()
        return self.hand_out(limit, mode, None)

    def _check_without_sessions(self) -> None:
        if self.requires_session:
            raise NotPermitted(f"{self.path!r} requires sessions: accept a session to receive from it.")

    def when_ready(self, callback: Callable[[], None]) -> Waiter:
        """Call back once, as soon as there is something to `receive`: before this returns, if there is now.

        Waiters are woken in the order they came, one for each message. One that does not take its message
        passes the turn on to the next. Deletion of the entity wakes them all.
        """
        self.check_exists()
        self._check_without_sessions()
        waiter = self._waiters.add(lambda _: callback())
        self._waiters.wake(self._has_work)
        return waiter

    # Deferred messages, peeking

    def receive_deferred(
        self,
        sequence_numbers: Sequence[int],
        mode: ReceiveMode = ReceiveMode.PEEK_LOCK,
        session: SessionReceiver | None = None,
    ) -> list[Delivery]:
        """Deferred messages by number. One whose time to live has ended is dead-lettered instead.

        Raises:
            MessageNotFound: one is not there, not deferred, locked, or of another session.
            NotPermitted: the entity requires sessions and none is given.
        """
        now = self.open_for("receive")
        if session is not None:
            session.check()
        elif self.requires_session:
            raise NotPermitted(f"{self.path!r} requires sessions: receive deferred messages through a session.")
        found = [self._find_deferred(number, session) for number in dict.fromkeys(sequence_numbers)]
        deliveries: list[Delivery] = []
        for message in found:
            if message.expires_at is not None and message.expires_at <= now:
                self._departures.expire(message, now)
            else:
                deliveries.append(self.deliver(message, mode, now, session))
        self.wake()
        return deliveries

    def _find_deferred(self, number: int, session: SessionReceiver | None) -> Message:
        message = self.holdings.log.get(number)
        if (
            message is None
            or message.state is not MessageState.DEFERRED
            or message.locked
            or (session is not None and message.session_id != session.session_id)
        ):
            raise MessageNotFound(f"No deferred message {number} to receive in {self.path!r}.")
        return message

    def peek(self, start: int, limit: int, session_id: str | None = None) -> list[Message]:
        """Up to `limit` messages with a sequence number from `start` on, in order, whatever their state."""
        self.check_exists()
        self.catch_up()
        self._context.faults.check(self.path, "peek")
        return self.holdings.log.peek(start, limit, session_id)

    # Sessions

    def accept_session(self, session_id: str) -> SessionReceiver:
        """Lock this session, which need not have messages.

        Raises:
            SessionCannotBeLocked: somebody else holds it.
            NotPermitted: the entity has no sessions, or forwards its messages.
        """
        return self.desk.accept(session_id)

    def accept_next_session(self) -> SessionReceiver | None:
        """Lock the session that has waited longest with messages ready, or None."""
        return self.desk.accept_next()

    def when_session(
        self, callback: Callable[[SessionReceiver | None], None], timeout: timedelta | None = None
    ) -> Waiter:
        """Call back once: with the next session, at once if there is one, or with None after `timeout`.

        The time is the engine's clock: `Bus.advance` drives it. Deletion of the entity counts as time-out.
        A cancelled waiter is not called.
        """
        return self.desk.wait(callback, timeout)

    def session_state(self, session_id: str) -> bytes | None:
        """What was last kept with the session, whoever holds it."""
        return self.desk.state(session_id)

    def list_sessions(self, updated_after: datetime | None = None, skip: int = 0, top: int = 100) -> list[str]:
        """Ids of sessions that hold messages, or (with `updated_after`) whose state was set after that."""
        self.check_exists()
        self.catch_up()
        return self.desk.names(updated_after, skip, top)

    # For tests and administration

    def steal_session(self, session_id: str) -> None:
        """Let the session's lock end now; its receiver learns of it as of an expiry."""
        self.desk.steal(session_id)

    @property
    def dead_letters(self) -> Queue:
        return self.sub_queue(DEAD_LETTER)

    @property
    def transfer_dead_letters(self) -> Queue:
        return self.sub_queue(TRANSFER_DEAD_LETTER)

    def statistics(self) -> EntityStatistics:
        holdings, book = self.holdings, self.holdings.sessions
        scheduled = len(self.intake.scheduled)
        dead = self._sub_queues.get(DEAD_LETTER)
        stranded = self._sub_queues.get(TRANSFER_DEAD_LETTER)
        return EntityStatistics(
            active=len(holdings.log) - holdings.deferred - scheduled,
            locked=len(self._locks),
            deferred=holdings.deferred,
            scheduled=scheduled,
            dead_letter=0 if dead is None else len(dead.holdings.log),
            transfer_dead_letter=0 if stranded is None else len(stranded.holdings.log),
            sessions=0 if book is None else len(book),
            locked_sessions=0 if book is None else len(book.locked),
            size_bytes=holdings.bytes
            + self.intake.scheduled_bytes
            + sum(queue.holdings.bytes for queue in self._sub_queues.values()),
        )
