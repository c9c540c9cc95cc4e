"""What can go wrong for a receiver, in classes of the one error tree: callers decide by type, not by text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aos.kernel.errors import BusUnavailable, InvalidInput, LockLost, NotFound, PermissionDenied, Throttled

if TYPE_CHECKING:
    from aos.local.servicebus.client.received import ReceivedMessage


class ConnectionLost(BusUnavailable):
    """The connection is gone, and with it every receiver on it. Connect again; locks run out on their own."""

    code = "bus_connection_lost"


class RequestRefused(InvalidInput):
    """The broker understood the request and will not do it; `details["condition"]` is its AMQP condition."""

    code = "bus_request_refused"


class MessageLockLost(LockLost):
    """A settlement came too late: the message may be with another receiver by now.

    Attributes:
        messages: Those of the call whose lock was lost. The others were settled.
    """

    code = "message_lock_lost"
    messages: tuple[ReceivedMessage, ...] = ()


class SessionLockLost(LockLost):
    """The session belongs to somebody else now: nothing received from it can be settled any more."""

    code = "session_lock_lost"


class SessionCannotBeLocked(LockLost):
    """The session asked for is held by another receiver."""

    code = "session_cannot_be_locked"


class EntityNotFound(NotFound):
    """There is no such queue, topic or subscription."""

    code = "entity_not_found"


class AuthenticationFailed(PermissionDenied):
    """The broker does not know the key of the connection string."""

    code = "bus_authentication_failed"


class BrokerBusy(Throttled):
    """The broker asks for a pause."""

    code = "bus_busy"
