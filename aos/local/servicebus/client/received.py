"""A message as a receiver sees it: the sender's properties beside what the broker adds to a delivery."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from uuid import UUID


@dataclass(frozen=True, slots=True, eq=False)
class ReceivedMessage:
    """One delivery of one message.

    Attributes:
        body: The bytes of the data sections together. A text value is given in UTF-8; any other value in
            its AMQP encoding.
        sequence_number: The broker's number of the message in its queue or subscription.
        delivery_count: How many deliveries failed before this one: 0 at the first.
        enqueued_at: When the broker took the message (UTC).
        locked_until: When the lock runs out (UTC); None on a session's messages, whose lock is the
            session's, and in receive-and-delete mode.
        lock_token: None in receive-and-delete mode.
        time_to_live: None when the message never expires.
        application_properties: The sender's own properties, as Python values.
        dead_letter_source: The entity in which a dead letter died, where the broker tells.
        delivery_id: The number of the delivery on its link's AMQP session.
    """

    body: bytes
    sequence_number: int
    delivery_count: int
    enqueued_at: datetime | None
    locked_until: datetime | None = None
    lock_token: UUID | None = None
    message_id: str | None = None
    session_id: str | None = None
    correlation_id: str | None = None
    subject: str | None = None
    content_type: str | None = None
    reply_to: str | None = None
    reply_to_session_id: str | None = None
    to: str | None = None
    partition_key: str | None = None
    time_to_live: timedelta | None = None
    scheduled_at: datetime | None = None
    application_properties: Mapping[str, Any] = field(default_factory=dict)
    dead_letter_reason: str | None = None
    dead_letter_description: str | None = None
    dead_letter_source: str | None = None
    enqueued_sequence_number: int | None = None
    delivery_id: int = 0

    @property
    def expires_at(self) -> datetime | None:
        """When the message runs out of time, None if never (UTC)."""
        if self.time_to_live is None or self.enqueued_at is None:
            return None
        try:
            return self.enqueued_at + self.time_to_live
        except OverflowError:
            return None
