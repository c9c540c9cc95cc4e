"""One queue, one subscription, or a sub-queue of either: where messages wait, are locked and are settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from aos.local.servicebus.engine.entity_statistics import EntityStatistics
from aos.local.servicebus.engine.message import Delivery, Message, PropertyValue, ReceiveMode
from aos.local.servicebus.engine.sessions import SessionReceiver
from aos.local.servicebus.engine.waiters import Waiter


class Queue:
    """Messages of one entity. All methods return at once; none awaits.

    Attributes:
        path: As configured, e.g. `orders`, `events/Subscriptions/router`, `orders/$DeadLetterQueue`.
        requires_session: Messages are then received through sessions only.
    """

    path: str
    requires_session: bool

    # Sending (queues only; NotPermitted on a subscription or a sub-queue)

    def send(self, messages: Sequence[Message]) -> None:
        """Accept all of these, or none. A duplicate within the window is accepted and dropped.

        Raises:
            MessageTooLarge, QuotaExceeded, EntityDisabled, NotPermitted (no session id where one is
            required), InvalidArgument, ServerBusy.
        """
        raise NotImplementedError

    def schedule(self, messages: Sequence[Message]) -> list[int]:
        """Accept messages that carry `scheduled_for`; returns the sequence numbers to cancel them by."""
        raise NotImplementedError

    def cancel_scheduled(self, sequence_numbers: Sequence[int]) -> None:
        """Withdraw scheduled messages. Raises MessageNotFound if any is not there (then none is withdrawn)."""
        raise NotImplementedError

    # Receiving without sessions

    def receive(self, limit: int, mode: ReceiveMode = ReceiveMode.PEEK_LOCK) -> list[Delivery]:
        """Up to `limit` messages that are ready now, oldest first; perhaps none.

        Raises:
            NotPermitted: the entity requires sessions, or forwards its messages elsewhere.
        """
        raise NotImplementedError

    def when_ready(self, callback: Callable[[], None]) -> Waiter:
        """Call back once, when there is something to `receive`; soon, and only if nothing is ready now, later.

        Waiters are woken in the order they came, one for each message. One that does not take its message
        passes the turn on to the next.
        """
        raise NotImplementedError

    # Settlement, by lock token

    def complete(self, lock_token: bytes) -> None:
        """Remove the message. Raises MessageLockLost (all settlements do) when the lock is gone."""
        raise NotImplementedError

    def abandon(self, lock_token: bytes, properties: Mapping[str, PropertyValue] | None = None) -> None:
        """Back to its place in the queue, one delivery counted; dead-lettered at `max_delivery_count`."""
        raise NotImplementedError

    def release(self, lock_token: bytes) -> None:
        """Back to its place as if it had never been delivered (AMQP's `released`)."""
        raise NotImplementedError

    def defer(self, lock_token: bytes, properties: Mapping[str, PropertyValue] | None = None) -> None:
        """Set aside, to be received by its sequence number only."""
        raise NotImplementedError

    def dead_letter(
        self,
        lock_token: bytes,
        reason: str | None = None,
        description: str | None = None,
        properties: Mapping[str, PropertyValue] | None = None,
    ) -> None:
        """Move it to the dead-letter queue. From a dead-letter queue: NotPermitted."""
        raise NotImplementedError

    def renew(self, lock_token: bytes) -> datetime:
        """A full lock duration from now; returns its end."""
        raise NotImplementedError

    # Deferred, peek

    def receive_deferred(
        self,
        sequence_numbers: Sequence[int],
        mode: ReceiveMode = ReceiveMode.PEEK_LOCK,
        session: SessionReceiver | None = None,
    ) -> list[Delivery]:
        """Deferred messages by number. Raises MessageNotFound if any is not there, deferred and unlocked."""
        raise NotImplementedError

    def peek(self, start: int, limit: int, session_id: str | None = None) -> list[Message]:
        """Up to `limit` messages with a sequence number from `start` on, in order, whatever their state."""
        raise NotImplementedError

    # Sessions

    def accept_session(self, session_id: str) -> SessionReceiver:
        """Lock this session, which need not have messages. Raises SessionCannotBeLocked, NotPermitted."""
        raise NotImplementedError

    def accept_next_session(self) -> SessionReceiver | None:
        """Lock the session that has waited longest with messages ready, or None."""
        raise NotImplementedError

    def when_session(
        self, callback: Callable[[SessionReceiver | None], None], timeout: timedelta | None = None
    ) -> Waiter:
        """Call back once: with the next session, at once if there is one, or with None after `timeout`.

        The time is the engine's clock: a virtual clock drives it. A cancelled waiter is not called.
        """
        raise NotImplementedError

    def session_state(self, session_id: str) -> bytes | None: ...
    def list_sessions(self, updated_after: datetime | None = None, skip: int = 0, top: int = 100) -> list[str]:
        """Ids of sessions that hold messages, or (with `updated_after`) whose state was set after that."""
        raise NotImplementedError

    # For tests, administration

    def expire_lock(self, lock_token: bytes) -> None:
        """Fault: let this lock end now, as its time would."""
        raise NotImplementedError

    def steal_session(self, session_id: str) -> None:
        """Fault: let the session's lock end now; its receiver learns of it as of an expiry."""
        raise NotImplementedError

    @property
    def dead_letters(self) -> Queue:
        raise NotImplementedError

    @property
    def transfer_dead_letters(self) -> Queue:
        raise NotImplementedError

    def statistics(self) -> EntityStatistics:
        raise NotImplementedError
