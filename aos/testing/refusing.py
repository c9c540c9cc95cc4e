"""What the bus in memory refuses, raised as the errors that a sender or receiver gets from a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aos.kernel.errors import AosError, BusUnavailable, InvalidInput, NotFound, PayloadTooLarge
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


def _kind(error: BusError) -> type[AosError]:
    if isinstance(error, EntityNotFound):
        return NotFound
    if isinstance(error, MessageTooLarge):
        return PayloadTooLarge
    if isinstance(error, InvalidArgument | NotPermitted):
        return InvalidInput
    return BusUnavailable
