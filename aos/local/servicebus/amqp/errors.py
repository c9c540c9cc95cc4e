"""What a peer can do wrong, each with the AMQP condition that is sent back, and the conditions' names."""

from __future__ import annotations

from typing import Any

DECODE_ERROR = "amqp:decode-error"
NOT_FOUND = "amqp:not-found"
NOT_ALLOWED = "amqp:not-allowed"
NOT_IMPLEMENTED = "amqp:not-implemented"
INVALID_FIELD = "amqp:invalid-field"
INTERNAL_ERROR = "amqp:internal-error"
ILLEGAL_STATE = "amqp:illegal-state"
RESOURCE_LIMIT = "amqp:resource-limit-exceeded"
UNAUTHORIZED = "amqp:unauthorized-access"
FRAME_TOO_SMALL = "amqp:frame-size-too-small"
CONNECTION_FORCED = "amqp:connection:forced"
FRAMING_ERROR = "amqp:connection:framing-error"
WINDOW_VIOLATION = "amqp:session:window-violation"
ERRANT_LINK = "amqp:session:errant-link"
HANDLE_IN_USE = "amqp:session:handle-in-use"
UNATTACHED_HANDLE = "amqp:session:unattached-handle"
DETACH_FORCED = "amqp:link:detach-forced"
MESSAGE_SIZE_EXCEEDED = "amqp:link:message-size-exceeded"


class AmqpFault(Exception):
    """Ends a link, a session or a connection, with a condition the peer is told.

    Args:
        condition: One of the protocol's or the service's names of errors.
        description: For a person.
        info: More facts, for the peer's program.
    """

    def __init__(self, condition: str, description: str, info: dict[str, Any] | None = None) -> None:
        super().__init__(f"{condition}: {description}")
        self.condition = condition
        self.description = description
        self.info = info


class DecodeFault(AmqpFault):
    """The bytes are not AMQP."""

    def __init__(self, description: str) -> None:
        super().__init__(DECODE_ERROR, description)


class FramingFault(AmqpFault):
    """The frames are not frames."""

    def __init__(self, description: str) -> None:
        super().__init__(FRAMING_ERROR, description)


class SessionFault(AmqpFault):
    """Ends one AMQP session."""


class LinkFault(AmqpFault):
    """Ends one link."""
