"""Turns received messages into what a function's parameter takes, by the converter the real worker uses.

The real host's habits are kept, the awkward ones too, so that code which works here works there: without
`data_type=BINARY` a JSON body's members hide the message's own properties and batches are parsed as JSON; in a
batch, empty text properties are left out and the later ones move up; times carry no zone; `locked_until` is None.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from azure.functions import meta

from aos.local.host.bus_converter import BusConverter, write_moment
from aos.local.host.context import Trace
from aos.local.host.function import BodyKind, BusTrigger
from aos.local.host.invoke import InvocationFailed
from aos.local.servicebus.client.received import ReceivedMessage


def bind(trigger: BusTrigger, messages: Sequence[ReceivedMessage]) -> Any:
    """The argument for the trigger's parameter: a `ServiceBusMessage`, or a list of them for a batch.

    Raises:
        InvocationFailed: the real host could not bind these messages either.
    """
    if trigger.many:
        data, metadata = _batch_data(trigger, messages), _batch_metadata(messages)
    else:
        data, metadata = _single_data(trigger.body_kind, messages[0].body), _metadata(messages[0])
        _hide_by_members(metadata, data)
    return BusConverter.decode(data, trigger_metadata=metadata)


def trace_of(messages: Sequence[ReceivedMessage]) -> Trace | None:
    """The trace context a single message carries; a batch starts a trace of its own."""
    if len(messages) != 1:
        return None
    properties = messages[0].application_properties
    parent = properties.get("traceparent") or properties.get("Diagnostic-Id")
    state = properties.get("tracestate")
    return Trace(str(parent), str(state) if state else None) if parent else None


def _single_data(kind: BodyKind, body: bytes) -> meta.Datum:
    if kind == "binary":
        return meta.Datum(body, "bytes")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return meta.Datum(body, "bytes")
    return meta.Datum(text, "string" if kind == "string" or not _is_json(text) else "json")


def _batch_data(trigger: BusTrigger, messages: Sequence[ReceivedMessage]) -> meta.Datum:
    bodies = [message.body for message in messages]
    if trigger.body_kind == "binary":
        return meta.Datum(SimpleNamespace(bytes=bodies), "collection_bytes")
    try:
        texts = [body.decode("utf-8") for body in bodies]
        if trigger.body_kind == "string":
            return meta.Datum(SimpleNamespace(string=texts), "collection_string")
        return meta.Datum(json.dumps([json.loads(text) for text in texts]), "json")
    except ValueError as error:
        raise InvocationFailed(
            "A body in the batch is not JSON, which fails the whole batch in the real host too. Give the trigger "
            "data_type=func.DataType.BINARY and decode the bodies in the function."
        ) from error


def _facts(message: ReceivedMessage) -> dict[str, Any]:
    """The message's properties under the names the host gives them."""
    return {
        "MessageId": message.message_id,
        "ContentType": message.content_type,
        "CorrelationId": message.correlation_id,
        "DeadLetterErrorDescription": message.dead_letter_description,
        "DeadLetterReason": message.dead_letter_reason,
        "DeadLetterSource": message.dead_letter_source,
        # A delivery that never failed counts as the first one for the host, and as none on the wire.
        "DeliveryCount": message.delivery_count + 1,
        "EnqueuedSequenceNumber": message.enqueued_sequence_number,
        "EnqueuedTimeUtc": _moment(message.enqueued_at),
        "ExpiresAtUtc": _moment(message.expires_at),
        "Label": message.subject,
        "LockToken": str(message.lock_token) if message.lock_token else None,
        "PartitionKey": message.partition_key,
        "ReplyTo": message.reply_to,
        "ReplyToSessionId": message.reply_to_session_id,
        "ScheduledEnqueueTimeUtc": _moment(message.scheduled_at),
        "SequenceNumber": message.sequence_number,
        "SessionId": message.session_id,
        "Subject": message.subject,
        "To": message.to,
    }


def _metadata(message: ReceivedMessage) -> dict[str, meta.Datum]:
    metadata = {
        name: meta.Datum(value, "int" if isinstance(value, int) else "string")
        for name, value in _facts(message).items()
        if value is not None
    }
    properties = meta.Datum(json.dumps(_readable(message.application_properties)), "json")
    return metadata | {"ApplicationProperties": properties, "UserProperties": properties}


def _batch_metadata(messages: Sequence[ReceivedMessage]) -> dict[str, meta.Datum]:
    columns: dict[str, list[Any]] = {}
    for message in messages:
        for name, value in _facts(message).items():
            column = columns.setdefault(f"{name}Array", [])
            if value not in (None, ""):
                column.append(value)
    metadata = {name: _column(values) for name, values in columns.items()}
    properties = [_readable(message.application_properties) for message in messages]
    datum = meta.Datum(json.dumps(properties), "json")
    return metadata | {"ApplicationPropertiesArray": datum, "UserPropertiesArray": datum}


def _column(values: list[Any]) -> meta.Datum:
    if values and isinstance(values[0], int):
        return meta.Datum(SimpleNamespace(sint64=values), "collection_sint64")
    return meta.Datum(SimpleNamespace(string=values), "collection_string")


def _hide_by_members(metadata: dict[str, meta.Datum], data: meta.Datum) -> None:
    """Let the members of a JSON body take the place of properties of the same name, whatever their case."""
    if data.type not in ("json", "string") or not _is_json(data.value):
        return
    body = json.loads(data.value)
    if not isinstance(body, dict):
        return
    known = {name.lower(): name for name in metadata}
    for member, value in body.items():
        name = known.get(member.lower())
        if name is not None and name != "UserProperties":
            metadata[name] = meta.Datum(json.dumps(value), "json")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _moment(moment: datetime | None) -> str | None:
    return write_moment(moment) if moment is not None else None


def _readable(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Application properties as they travel to the worker, which is as JSON."""
    return {name: _json_value(value) for name, value in properties.items()}


def _json_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
