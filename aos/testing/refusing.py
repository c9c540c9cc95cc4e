"""What the bus in memory refuses, raised as the errors that a sender or receiver gets from a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aos.kernel.errors import AosError, BusUnavailable, InvalidInput, NotFound, PayloadTooLarge
from aos.kernel.message import MAX_ID
from aos.kernel.ports import OutboundMessage
from aos.local.servicebus.client.refusals import refusal
from aos.local.servicebus.engine import BusError, EntityNotFound, InvalidArgument, MessageTooLarge, NotPermitted


@contextmanager
def refusing() -> Iterator[None]:
    """Raise a receiver's error for one of the engine's."""
    try:
        yield
    except BusError as error:
        raise refusal(error.condition, error.message) from error


@contextmanager
def refusing_to_send() -> Iterator[None]:
    """Raise a sender's error for one of the engine's, as `aos.kernel.ports.MessageBus` names them."""
    try:
        yield
    except BusError as error:
        raise _kind(error)(error.message, details={"condition": error.condition}) from error


def check_outbound(message: OutboundMessage) -> None:
    """Raises `InvalidInput` for what no bus would take, before anything is sent."""
    for name, value in (("message_id", message.message_id), ("session_id", message.session_id)):
        if value is not None and not 1 <= len(value) <= MAX_ID:
            raise InvalidInput(f"The {name} {value[:40]!r} must have 1 to {MAX_ID} characters.")
    if not message.entity:
        raise InvalidInput(f"Message {message.message_id!r} names no queue or topic.")
    if message.scheduled_at is not None and message.scheduled_at.tzinfo is None:
        raise InvalidInput(f"Message {message.message_id!r} is scheduled without a time zone. Give the time in UTC.")
    if message.expires_after is not None and message.expires_after <= 0:
        raise InvalidInput(f"Message {message.message_id!r} would expire at once. Leave it out instead.")


def _kind(error: BusError) -> type[AosError]:
    if isinstance(error, EntityNotFound):
        return NotFound
    if isinstance(error, MessageTooLarge):
        return PayloadTooLarge
    if isinstance(error, InvalidArgument | NotPermitted):
        return InvalidInput
    return BusUnavailable
