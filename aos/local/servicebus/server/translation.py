"""A message between its bytes on the wire and the engine: read once on the way in, completed on the way out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aos.local.servicebus.amqp.errors import DecodeFault
from aos.local.servicebus.amqp.message import (
    ANNOTATIONS,
    APPLICATION_PROPERTIES,
    BATCH_FORMAT,
    DATA,
    DELIVERY_ANNOTATIONS,
    Header,
    Properties,
    Sections,
    body_sections,
    write_map_section,
)
from aos.local.servicebus.amqp.types import Array, Decimal, Described, Int, Symbol, Timestamp, UInt
from aos.local.servicebus.engine import InvalidArgument, Message, PropertyValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aos.local.servicebus.engine import Delivery

ENQUEUED_TIME = Symbol("x-opt-enqueued-time")
SEQUENCE_NUMBER = Symbol("x-opt-sequence-number")
ENQUEUED_SEQUENCE_NUMBER = Symbol("x-opt-enqueue-sequence-number")
LOCK_TOKEN = Symbol("x-opt-lock-token")
LOCKED_UNTIL = Symbol("x-opt-locked-until")
MESSAGE_STATE = Symbol("x-opt-message-state")
PARTITION_KEY = Symbol("x-opt-partition-key")
SCHEDULED_TIME = Symbol("x-opt-scheduled-enqueue-time")
DEAD_LETTER_SOURCE = Symbol("x-opt-deadletter-source")

_OWN = {ENQUEUED_TIME, SEQUENCE_NUMBER, ENQUEUED_SEQUENCE_NUMBER, LOCKED_UNTIL, MESSAGE_STATE, DEAD_LETTER_SOURCE}
_REASON = "DeadLetterReason"
_DESCRIPTION = "DeadLetterErrorDescription"
_MAX_TTL = 0xFFFFFFFF


def incoming(payload: bytes, message_format: int) -> list[Message]:
    """The message of a transfer, or the messages of a batch.

    Raises:
        DecodeFault: the bytes are not a message.
        InvalidArgument: a property has a value no message may have.
    """
    if message_format != BATCH_FORMAT:
        return [read_message(payload)]
    return [read_message(value) for code, value in body_sections(Sections(payload).body) if code == DATA]


def read_message(payload: bytes) -> Message:
    """One encoded message, as the engine holds it."""
    if not isinstance(payload, bytes):
        raise DecodeFault("a message in a batch is not binary")
    sections = Sections(payload)
    header = sections.header() or Header()
    properties = sections.properties() or Properties()
    annotations = sections.map(ANNOTATIONS)
    return Message(
        body=sections.body,
        wire=_before_body(sections),
        size=len(payload),
        message_id=_text(properties.message_id),
        session_id=properties.group_id,
        correlation_id=_text(properties.correlation_id),
        subject=properties.subject,
        to=_text(properties.to),
        reply_to=_text(properties.reply_to),
        reply_to_session_id=properties.reply_to_group_id,
        content_type=properties.content_type,
        partition_key=_text(annotations.get(PARTITION_KEY)),
        application_properties=_application_properties(sections),
        time_to_live=_time_to_live(header, properties),
        scheduled_for=_moment(annotations.get(SCHEDULED_TIME)),
    )


def outgoing(message: Message, delivery: Delivery | None = None, *, with_token: bool = False) -> bytes:
    """The message's bytes as a receiver gets them, completed with what the broker knows.

    Args:
        message: What to encode.
        delivery: The lock under which it goes out; None when it is only looked at.
        with_token: Put the lock token inside, for a message that has no delivery tag to carry it.
    """
    sections = Sections(message.wire)
    properties = sections.properties() if message.modified else None
    out = bytearray()
    _header(message, sections, delivery).write_to(out)
    if with_token and delivery is not None and delivery.lock_token:
        write_map_section(out, DELIVERY_ANNOTATIONS, {LOCK_TOKEN: UUID(bytes_le=delivery.lock_token)})
    write_map_section(out, ANNOTATIONS, _annotations(message, sections, delivery))
    if message.modified:
        _modified_properties(message, properties or Properties()).write_to(out)
    else:
        out += sections.raw(0x73)
    if message.modified or message.dead_letter_reason or message.dead_letter_description:
        write_map_section(out, APPLICATION_PROPERTIES, _changed_application_properties(message, sections))
    else:
        out += sections.raw(APPLICATION_PROPERTIES)
    out += message.body
    return bytes(out)


def property_values(values: Mapping[Any, Any]) -> dict[str, PropertyValue]:
    """A map from the wire as the properties the engine sets on a message.

    Raises:
        InvalidArgument: a value is one that no property may have.
    """
    return {str(key): _property(str(key), value) for key, value in values.items()}


def _before_body(sections: Sections) -> bytes:
    head = sections.data[: sections.body_start]
    span = sections.spans.get(DELIVERY_ANNOTATIONS)
    return head if span is None else head[: span[0]] + head[span[1] :]


def _application_properties(sections: Sections) -> dict[str, PropertyValue]:
    if APPLICATION_PROPERTIES not in sections.spans:
        return {}
    values = sections.map(APPLICATION_PROPERTIES)
    # The engine computes with properties, and AMQP's decimals are carried without being read.
    return property_values({key: value for key, value in values.items() if not isinstance(value, Decimal)})


def _property(name: str, value: Any) -> PropertyValue:
    if isinstance(value, Timestamp):
        return value.datetime()
    if isinstance(value, (dict, list, Array, Described)):
        raise InvalidArgument(f"The application property {name!r} is a list or a map; use single values.")
    return value  # type: ignore[no-any-return]  # what is left are single values


def _text(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (str, int, UUID)):
        return str(value)
    raise DecodeFault("a message's id or address is not a text, a number, a uuid or binary")


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return Timestamp(value).datetime()
    raise DecodeFault("a time in the annotations is not a timestamp")


def _time_to_live(header: Header, properties: Properties) -> timedelta | None:
    created, expires = properties.creation_time, properties.absolute_expiry_time
    if created is not None and expires is not None and expires > created and header.ttl in (None, _MAX_TTL):
        # A time to live of over 49 days does not fit the header.
        milliseconds = expires - created
    elif header.ttl is not None:
        milliseconds = header.ttl
    else:
        return None
    try:
        return timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def _header(message: Message, sections: Sections, delivery: Delivery | None) -> Header:
    sent = sections.header()
    header = Header(
        durable=sent.durable if sent else None,
        priority=sent.priority if sent else None,
        first_acquirer=None,
        delivery_count=UInt(message.delivery_count if delivery is None else delivery.delivery_count),
    )
    live = message.time_to_live
    if message.expires_at is not None and message.enqueued_at is not None:
        live = message.expires_at - message.enqueued_at
    if live is not None:
        header.ttl = UInt(min(_MAX_TTL, max(0, live // timedelta(milliseconds=1))))
    return header


def _annotations(message: Message, sections: Sections, delivery: Delivery | None) -> dict[Any, Any]:
    values: dict[Any, Any] = {}
    if ANNOTATIONS in sections.spans:
        values = {key: value for key, value in sections.map(ANNOTATIONS).items() if key not in _OWN}
    values[SEQUENCE_NUMBER] = message.sequence_number
    if message.enqueued_at is not None:
        values[ENQUEUED_TIME] = Timestamp.of(message.enqueued_at)
    if message.enqueued_sequence_number:
        values[ENQUEUED_SEQUENCE_NUMBER] = message.enqueued_sequence_number
    values[MESSAGE_STATE] = Int(message.state)
    if message.scheduled_for is not None:
        values[SCHEDULED_TIME] = Timestamp.of(message.scheduled_for)
    if message.dead_letter_source is not None:
        values[DEAD_LETTER_SOURCE] = message.dead_letter_source
    if delivery is not None and delivery.locked_until is not None:
        values[LOCKED_UNTIL] = Timestamp.of(delivery.locked_until)
    return values


def _modified_properties(message: Message, properties: Properties) -> Properties:
    for name, value in (
        ("message_id", message.message_id),
        ("correlation_id", message.correlation_id),
        ("to", message.to),
        ("reply_to", message.reply_to),
        ("subject", message.subject),
        ("group_id", message.session_id),
        ("reply_to_group_id", message.reply_to_session_id),
        ("content_type", message.content_type),
    ):
        # An id that was sent as a number or a uuid stays one while its text is the same.
        if _text(getattr(properties, name)) != value:
            setattr(properties, name, value)
    return properties


def _changed_application_properties(message: Message, sections: Sections) -> dict[str, Any]:
    sent = sections.map(APPLICATION_PROPERTIES)
    values: dict[str, Any] = {key: value for key, value in sent.items() if isinstance(value, Decimal)}
    values.update(message.application_properties)
    if message.dead_letter_reason:
        values[_REASON] = message.dead_letter_reason
    if message.dead_letter_description:
        values[_DESCRIPTION] = message.dead_letter_description
    return values
