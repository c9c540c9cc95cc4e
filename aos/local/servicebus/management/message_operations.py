"""Management operations on messages: peek, schedule, deferred ones, and settlement by lock token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from aos.local.servicebus.amqp.types import Array, Timestamp
from aos.local.servicebus.engine import InvalidArgument, ReceiveMode
from aos.local.servicebus.management.context import Context, Nothing
from aos.local.servicebus.server.translation import outgoing, property_values, read_message

if TYPE_CHECKING:
    from aos.local.servicebus.engine import Queue, SessionReceiver
    from aos.local.servicebus.management.arguments import Arguments

_LONG = 0x81
_TIMESTAMP = 0x83
# What one reply may hold: the service bounds a page of peeked messages likewise.
_MAX_PEEKED = 250
_MAX_PEEKED_BYTES = 1024 * 1024
# AMQP's receiver-settle-mode `first`: the message is gone once it is sent.
_SETTLES_FIRST = 0


def renew_lock(context: Context, arguments: Arguments) -> dict[str, Any]:
    queue = context.queue
    ends = [queue.renew(token) for token in arguments.lock_tokens()]
    return {"expirations": Array(_TIMESTAMP, [Timestamp.of(end) for end in ends])}


def schedule(context: Context, arguments: Arguments) -> dict[str, Any]:
    messages = []
    for entry in arguments.maps("messages"):
        encoded = entry.optional_binary("message")
        if encoded is None:
            raise InvalidArgument("Each message to schedule needs its encoded 'message'.")
        message = read_message(encoded)
        if message.scheduled_for is None:
            raise InvalidArgument("A message to schedule needs the annotation x-opt-scheduled-enqueue-time.")
        messages.append(message)
    return {"sequence-numbers": Array(_LONG, context.target.schedule(messages))}


def cancel_scheduled(context: Context, arguments: Arguments) -> None:
    context.target.cancel_scheduled(arguments.numbers("sequence-numbers"))


def peek(context: Context, arguments: Arguments) -> dict[str, Any]:
    limit = arguments.number("message-count", 1)
    if limit < 1:
        raise InvalidArgument("'message-count' is at least 1.")
    start = arguments.number("from-sequence-number", 1)
    messages = context.peekable.peek(start, min(limit, _MAX_PEEKED), arguments.optional_text("session-id"))
    if not messages:
        raise Nothing("There are no messages to peek.", "com.microsoft:message-not-found")
    entries: list[dict[str, Any]] = []
    size = 0
    for message in messages:
        encoded = outgoing(message)
        size += len(encoded)
        if entries and size > _MAX_PEEKED_BYTES:
            break
        entries.append({"message": encoded})
    return {"messages": entries}


def receive_by_sequence_number(context: Context, arguments: Arguments) -> dict[str, Any]:
    settles_first = arguments.number("receiver-settle-mode", 1) == _SETTLES_FIRST
    mode = ReceiveMode.RECEIVE_AND_DELETE if settles_first else ReceiveMode.PEEK_LOCK
    deliveries = context.queue.receive_deferred(
        arguments.numbers("sequence-numbers"), mode, _session(context, arguments)
    )
    entries: list[dict[str, Any]] = []
    for delivery in deliveries:
        entry: dict[str, Any] = {"message": outgoing(delivery.message, delivery, with_token=True)}
        if delivery.lock_token:
            entry["lock-token"] = UUID(bytes_le=delivery.lock_token)
        entries.append(entry)
    return {"messages": entries}


def update_disposition(context: Context, arguments: Arguments) -> None:
    status = arguments.text("disposition-status")
    receiver: Queue | SessionReceiver = _session(context, arguments) or context.queue
    properties = property_values(arguments.raw("properties-to-modify"))
    for token in arguments.lock_tokens():
        if status == "completed":
            receiver.complete(token)
        elif status == "abandoned":
            receiver.abandon(token, properties)
        elif status == "defered":
            receiver.defer(token, properties)
        elif status == "suspended":
            receiver.dead_letter(
                token,
                arguments.optional_text("deadletter-reason"),
                arguments.optional_text("deadletter-description"),
                properties,
            )
        else:
            raise InvalidArgument(f"{status!r} is not a disposition status.")


def _session(context: Context, arguments: Arguments) -> SessionReceiver | None:
    session_id = arguments.optional_text("session-id")
    if session_id is None:
        return None
    return context.held_session(session_id)
