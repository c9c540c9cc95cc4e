"""Sessions: each an ordered backlog of its own, held by one receiver at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from aos.local.servicebus.engine.message import Delivery, PropertyValue, ReceiveMode
from aos.local.servicebus.engine.waiters import Waiter


class SessionReceiver:
    """The holder of one session's lock. Every method raises SessionLockLost once the lock is gone.

    Attributes:
        session_id: The session.
        locked_until: End of the lock (UTC); follows `renew`.
        lost: The lock has expired or was taken away, or `close` was called.
        on_lost: Set it to be called once when the lock expires or is taken away (not by `close`).
    """

    session_id: str
    locked_until: datetime
    lost: bool
    on_lost: Callable[[], None] | None

    def receive(self, limit: int, mode: ReceiveMode = ReceiveMode.PEEK_LOCK) -> list[Delivery]:
        """Up to `limit` messages of the session, in order."""
        raise NotImplementedError

    def when_ready(self, callback: Callable[[], None]) -> Waiter:
        """As `Queue.when_ready`, for this session."""
        raise NotImplementedError

    def complete(self, lock_token: bytes) -> None: ...
    def abandon(self, lock_token: bytes, properties: Mapping[str, PropertyValue] | None = None) -> None: ...
    def release(self, lock_token: bytes) -> None: ...
    def defer(self, lock_token: bytes, properties: Mapping[str, PropertyValue] | None = None) -> None: ...
    def dead_letter(
        self,
        lock_token: bytes,
        reason: str | None = None,
        description: str | None = None,
        properties: Mapping[str, PropertyValue] | None = None,
    ) -> None: ...

    def renew(self) -> datetime:
        """Lock the session for a full lock duration from now; returns its end."""
        raise NotImplementedError

    def state(self) -> bytes | None:
        raise NotImplementedError

    def set_state(self, state: bytes | None) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Give the session back. Unsettled messages return without counting a delivery. Idempotent."""
        raise NotImplementedError
