"""A message as a row: what is small as JSON, the two opaque byte strings beside it."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from aos.local.servicebus.engine.message import Message, MessageState
from aos.local.servicebus.engine.values_json import value_from_json, value_to_json

_APART = {"body", "wire", "ready", "locked", "application_properties", "state", "sequence_number"}
_FIELDS = tuple((field.name, field.default) for field in fields(Message) if field.name not in _APART)


def message_to_json(message: Message) -> str:
    """All but `body`, `wire` and the sequence number, which have columns of their own."""
    document: dict[str, Any] = {"state": int(message.state)}
    for name, default in _FIELDS:
        value = getattr(message, name)
        if value != default:
            document[name] = value_to_json(value)
    if message.application_properties:
        document["application_properties"] = {
            key: value_to_json(value) for key, value in message.application_properties.items()
        }
    return json.dumps(document, separators=(",", ":"))


def message_from_json(text: str, sequence_number: int, body: bytes, wire: bytes) -> Message:
    document: dict[str, Any] = json.loads(text)
    state = MessageState(document.pop("state"))
    properties = document.pop("application_properties", {})
    values: dict[str, Any] = {name: value_from_json(value) for name, value in document.items()}
    return Message(
        body=body,
        wire=wire,
        sequence_number=sequence_number,
        state=state,
        application_properties={key: value_from_json(value) for key, value in properties.items()},
        **values,
    )
