"""A transfer's bytes as a received message."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aos.local.servicebus.amqp.encode import encode
from aos.local.servicebus.amqp.message import (
    ANNOTATIONS,
    APPLICATION_PROPERTIES,
    DATA,
    VALUE,
    Header,
    Properties,
    Sections,
    body_sections,
)
from aos.local.servicebus.amqp.types import Timestamp
from aos.local.servicebus.client.received import ReceivedMessage

if TYPE_CHECKING:
    from aos.local.servicebus.amqp.performatives import Transfer


def received_message(transfer: Transfer, payload: bytes, *, in_session: bool) -> ReceivedMessage:
    """Read one delivery.

    Raises:
        DecodeFault: the payload is not a message.
    """
    sections = Sections(payload)
    header = sections.header() or Header()
    properties = sections.properties() or Properties()
    annotations = sections.map(ANNOTATIONS)
    application = {
        str(name): value.datetime() if isinstance(value, Timestamp) else value
        for name, value in sections.map(APPLICATION_PROPERTIES).items()
    }
    locked = not transfer.settled
    source = annotations.get("x-opt-deadletter-source")
    return ReceivedMessage(
        body=_body(sections.body),
        sequence_number=int(annotations.get("x-opt-sequence-number", 0)),
        enqueued_sequence_number=annotations.get("x-opt-enqueue-sequence-number"),
        delivery_count=int(header.delivery_count or 0),
        enqueued_at=_moment(annotations.get("x-opt-enqueued-time")),
        locked_until=_moment(annotations.get("x-opt-locked-until")) if locked and not in_session else None,
        lock_token=UUID(bytes_le=transfer.delivery_tag) if locked and transfer.delivery_tag else None,
        message_id=_text(properties.message_id),
        session_id=properties.group_id,
        correlation_id=_text(properties.correlation_id),
        subject=properties.subject,
        content_type=_text(properties.content_type),
        reply_to=_text(properties.reply_to),
        reply_to_session_id=properties.reply_to_group_id,
        to=_text(properties.to),
        partition_key=_text(annotations.get("x-opt-partition-key")),
        time_to_live=None if header.ttl is None else timedelta(milliseconds=header.ttl),
        scheduled_at=_moment(annotations.get("x-opt-scheduled-enqueue-time")),
        application_properties=application,
        dead_letter_reason=_text(application.get("DeadLetterReason")),
        dead_letter_description=_text(application.get("DeadLetterErrorDescription")),
        dead_letter_source=_text(source),
        delivery_id=transfer.delivery_id or 0,
    )


def _body(raw: bytes) -> bytes:
    chunks = []
    for code, value in body_sections(raw):
        if code == DATA and isinstance(value, bytes):
            chunks.append(value)
        elif code == VALUE and isinstance(value, str):
            chunks.append(value.encode())
        elif code == VALUE and isinstance(value, bytes):
            chunks.append(value)
        elif value is not None:
            chunks.append(encode(value))
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _moment(value: Any) -> datetime | None:
    return Timestamp(value).datetime() if isinstance(value, int) else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
