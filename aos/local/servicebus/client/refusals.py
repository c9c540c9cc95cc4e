"""AMQP conditions as the receiver's typed errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aos.local.servicebus.client.errors import (
    AuthenticationFailed,
    BrokerBusy,
    ConnectionLost,
    EntityNotFound,
    MessageLockLost,
    RequestRefused,
    SessionCannotBeLocked,
    SessionLockLost,
)

if TYPE_CHECKING:
    from aos.kernel.errors import AosError
    from aos.local.servicebus.amqp.terminus import AmqpError

SESSION_LOCK_LOST = "com.microsoft:session-lock-lost"
MESSAGE_LOCK_LOST = "com.microsoft:message-lock-lost"
TIMEOUT = "com.microsoft:timeout"

_KINDS: dict[str, type[AosError]] = {
    "amqp:not-found": EntityNotFound,
    "amqp:unauthorized-access": AuthenticationFailed,
    "amqp:connection:forced": ConnectionLost,
    "amqp:link:detach-forced": ConnectionLost,
    "com.microsoft:server-busy": BrokerBusy,
    "com.microsoft:session-cannot-be-locked": SessionCannotBeLocked,
    SESSION_LOCK_LOST: SessionLockLost,
    MESSAGE_LOCK_LOST: MessageLockLost,
}


def refusal(condition: str, description: str | None) -> AosError:
    """The error for a condition."""
    kind = _KINDS.get(condition, RequestRefused)
    return kind(description or condition, details={"condition": condition})


def refusal_of(error: AmqpError | None) -> AosError:
    """The error for what ended a link or a connection."""
    if error is None:
        return ConnectionLost("The broker ended the link or the connection: connect again.")
    return refusal(error.condition, error.description)
