"""What `sys.` and `user.` properties of a message are, to read and to write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from aos.local.servicebus.engine.errors import FilterFailed, FilterInvalid
from aos.local.servicebus.engine.message import Message, PropertyValue

Reader = Callable[[Message], PropertyValue]

_SYSTEM: dict[str, str] = {
    "contenttype": "content_type",
    "correlationid": "correlation_id",
    "deadlettersource": "dead_letter_source",
    "deliverycount": "delivery_count",
    "enqueuedsequencenumber": "enqueued_sequence_number",
    "enqueuedtimeutc": "enqueued_at",
    "expiresatutc": "expires_at",
    "label": "subject",
    "messageid": "message_id",
    "partitionkey": "partition_key",
    "replyto": "reply_to",
    "replytosessionid": "reply_to_session_id",
    "scheduledenqueuetimeutc": "scheduled_for",
    "sequencenumber": "sequence_number",
    "sessionid": "session_id",
    "size": "size",
    "subject": "subject",
    "timetolive": "time_to_live",
    "to": "to",
}
_WRITABLE_TEXT = frozenset(
    {
        "content_type",
        "correlation_id",
        "message_id",
        "partition_key",
        "reply_to",
        "reply_to_session_id",
        "session_id",
        "subject",
        "to",
    }
)


def system_attribute(name: str) -> str:
    """The field of `Message` behind `sys.<name>`. Raises FilterInvalid if there is none."""
    attribute = _SYSTEM.get(name.lower())
    if attribute is None:
        raise FilterInvalid(f"There is no system property {name!r}: drop 'sys.' for one of your own.")
    return attribute


def system_reader(name: str) -> Reader:
    attribute = system_attribute(name)
    return lambda message: getattr(message, attribute)


def user_reader(name: str) -> Reader:
    return lambda message: user_property(message, name)


def user_property(message: Message, name: str) -> PropertyValue:
    """An application property by name in any case; None where there is none."""
    key = _user_key(message, name)
    return None if key is None else message.application_properties[key]


def has_user_property(message: Message, name: str) -> bool:
    return _user_key(message, name) is not None


def _user_key(message: Message, name: str) -> str | None:
    properties = message.application_properties
    if name in properties:
        return name
    wanted = name.lower()
    return next((key for key in properties if key.lower() == wanted), None)


def set_user_property(message: Message, name: str, value: PropertyValue) -> None:
    """Set or add; an existing number or text keeps its type where the value can be converted."""
    key = _user_key(message, name)
    properties = dict(message.application_properties)
    if key is None:
        properties[name] = value
    else:
        properties[key] = _converted(value, properties[key])
    message.application_properties = properties
    message.modified = True


def remove_user_property(message: Message, name: str) -> None:
    key = _user_key(message, name)
    if key is not None:
        message.application_properties = {
            other: value for other, value in message.application_properties.items() if other != key
        }
        message.modified = True


def system_writer(name: str) -> Callable[[Message, PropertyValue], None]:
    """Sets `sys.<name>`; None removes it. Raises FilterInvalid for one that cannot be set."""
    attribute = system_attribute(name)
    if attribute in _WRITABLE_TEXT:
        return lambda message, value: _write(message, attribute, None if value is None else str(value))
    if attribute == "time_to_live":
        return _write_time_to_live
    raise FilterInvalid(f"The system property {name!r} cannot be changed by an action.")


def _write(message: Message, attribute: str, value: Any) -> None:
    setattr(message, attribute, value)
    message.modified = True


def _write_time_to_live(message: Message, value: PropertyValue) -> None:
    if value is not None and not isinstance(value, timedelta):
        raise FilterFailed("sys.TimeToLive takes a duration: give it as a parameter.")
    _write(message, "time_to_live", value)


def _converted(value: PropertyValue, present: PropertyValue) -> PropertyValue:
    if isinstance(value, bool) or isinstance(present, bool) or value is None:
        return value
    if isinstance(present, str):
        return str(value)
    if isinstance(present, int) and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(present, float) and isinstance(value, int):
        return float(value)
    return value
