"""A message as the engine holds it, and a message handed to a receiver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from aos.local.servicebus.engine.sessions import SessionReceiver

PropertyValue = None | bool | int | float | str | bytes | datetime | timedelta | UUID | Decimal


class MessageState(IntEnum):
    """Where a message stands, with the numbers of the `x-opt-message-state` annotation."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


class ReceiveMode(Enum):
    """`PEEK_LOCK` hands out a lock to settle; `RECEIVE_AND_DELETE` removes the message at once."""

    PEEK_LOCK = "peek_lock"
    RECEIVE_AND_DELETE = "receive_and_delete"


@dataclass(slots=True, eq=False)
class Message:
    """One message. The engine owns it from the moment it is sent: do not change or send it again.

    Attributes:
        body: The body: encoded AMQP body sections, or plain bytes where no protocol is involved. Never read.
        wire: Anything else the protocol layer wants back with the message (encoded properties, annotations,
            footer). Never read.
        application_properties: What filters call `user.` properties. The engine replaces the mapping rather
            than changing it in place, so a lazy mapping is fine.
        time_to_live: None for no limit of its own; the entity's default caps it.
        scheduled_for: Not to be delivered before (UTC). A time that has passed means now.
        size: Encoded size in bytes, counted against the message and the entity limit. 0 lets the engine
            take the length of `body` and `wire`.
        sequence_number: Given by the queue, from 1. A message that moves (scheduled becomes active,
            forwarded, dead-lettered) gets a new one.
        enqueued_sequence_number: The sequence number at the place of first submission.
        enqueued_at: When the entity took it (for a scheduled one: when it became active).
        expires_at: When its time to live ends; None for never.
        delivery_count: Failed deliveries so far, 0 at the first (AMQP's `header.delivery-count`).
        dead_letter_source: Path of the queue or subscription it was dead-lettered from.
        hops: How often it was forwarded.
        modified: The engine has changed a typed field or `application_properties` since it was sent, so a
            copy of them inside `wire` is stale.
    """

    body: bytes = b""
    message_id: str | None = None
    session_id: str | None = None
    correlation_id: str | None = None
    subject: str | None = None
    to: str | None = None
    reply_to: str | None = None
    reply_to_session_id: str | None = None
    content_type: str | None = None
    partition_key: str | None = None
    application_properties: Mapping[str, PropertyValue] = field(default_factory=dict)
    time_to_live: timedelta | None = None
    scheduled_for: datetime | None = None
    wire: bytes = b""
    size: int = 0
    sequence_number: int = 0
    enqueued_sequence_number: int = 0
    enqueued_at: datetime | None = None
    expires_at: datetime | None = None
    delivery_count: int = 0
    state: MessageState = MessageState.ACTIVE
    dead_letter_reason: str | None = None
    dead_letter_description: str | None = None
    dead_letter_source: str | None = None
    hops: int = 0
    modified: bool = False
    # The engine's own: it waits in a backlog; it is handed out under a lock.
    ready: bool = False
    locked: bool = False


@dataclass(slots=True, eq=False)
class Delivery:
    """A message in a receiver's hands.

    Attributes:
        lock_token: 16 bytes, unique, the AMQP delivery tag (a UUID's `bytes_le`). Empty after
            receive-and-delete.
        locked_until: End of the lock (UTC); follows renewals. None after receive-and-delete. On a session
            the session's lock holds the message.
        delivery_count: Failed deliveries before this one.
    """

    message: Message
    lock_token: bytes
    locked_until: datetime | None
    delivery_count: int
    session: SessionReceiver | None = None
