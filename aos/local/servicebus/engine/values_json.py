"""Property values as JSON and back, types kept."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from aos.local.servicebus.engine.message import PropertyValue

_WRITE: dict[type, tuple[str, Callable[[Any], Any]]] = {
    bytes: ("bytes", lambda value: b64encode(value).decode("ascii")),
    datetime: ("datetime", datetime.isoformat),
    timedelta: ("seconds", timedelta.total_seconds),
    UUID: ("uuid", str),
    Decimal: ("decimal", str),
    # JSON has no infinities and no NaN.
    float: ("float", repr),
}
_READ: dict[str, Callable[[Any], PropertyValue]] = {
    "bytes": b64decode,
    "datetime": datetime.fromisoformat,
    "seconds": lambda value: timedelta(seconds=value),
    "uuid": UUID,
    "decimal": Decimal,
    "float": float,
}


def value_to_json(value: PropertyValue) -> Any:
    """Text, whole numbers, booleans and None as they are; the rest as `[type, text]`."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    name, write = next(entry for cls, entry in _WRITE.items() if isinstance(value, cls))
    return [name, write(value)]


def value_from_json(value: Any) -> PropertyValue:
    if isinstance(value, list):
        name, text = value
        return _READ[name](text)
    return cast("PropertyValue", value)
