"""How large the table service takes an entity to be, and what it refuses to store at all.

Sizes are those of https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from aos.kernel.errors import InvalidInput, PayloadTooLarge
from aos.kernel.ports import Delete, Entity, Operation, Value

MAX_ENTITY = 1024 * 1024
MAX_PROPERTY = 64 * 1024
MAX_PROPERTIES = 252
MAX_KEY_UNITS = 512
FIRST_YEAR = 1601

_INT64 = 2**63
_RESERVED = frozenset({"PartitionKey", "RowKey", "Timestamp"})
_ENVELOPE = 1_200
"""Bytes a transaction's request spends on each operation besides its entity."""

_name_sizes: dict[str, int] = {}


def check_key(key: str) -> None:
    """Raises `InvalidInput` for a partition or row key that is too long."""
    if len(key) * 2 > MAX_KEY_UNITS and _units(key) > MAX_KEY_UNITS:
        raise InvalidInput(f"Key {key[:40]!r}... is too long: at most {MAX_KEY_UNITS} UTF-16 units. Use a digest.")


def measure(entity: Entity) -> tuple[dict[str, Value], int]:
    """A copy of an entity's values as they are stored, and its size in bytes.

    Raises:
        PayloadTooLarge: a property is over 64 KiB, or all together over 1 MiB.
        InvalidInput: there are more than 252 properties, or one has a name or value that cannot be stored.
    """
    values = dict(entity.values)
    if len(values) > MAX_PROPERTIES:
        raise InvalidInput(f"An entity has at most {MAX_PROPERTIES} properties, not {len(values)}. Keep some as JSON.")
    size = 4 + 2 * (_units(entity.partition) + _units(entity.row))
    for name, value in values.items():
        size += _name_sizes.get(name) or _name_size(name)
        # The usual kinds first, and without a call: this runs for every property that is written.
        if isinstance(value, str):
            length = 2 * (len(value) if value.isascii() else _units(value))
            if length > MAX_PROPERTY:
                raise _too_large(name, length)
            size += 4 + length
        elif isinstance(value, bool):
            size += 1
        elif isinstance(value, int) and -_INT64 <= value < _INT64:
            size += 8
        else:
            size += _size(name, value, values)
    if size > MAX_ENTITY:
        raise PayloadTooLarge(
            f"Row {entity.row!r} of {entity.partition!r} has {size} bytes; an entity has at most {MAX_ENTITY}. "
            "Keep large values in blobs."
        )
    return values, size


def request_bytes(operations: Sequence[Operation]) -> int:
    """Bytes of the request that carries a transaction: JSON, binary values in base 64."""
    total = 0
    for operation in operations:
        total += _ENVELOPE
        if not isinstance(operation, Delete):
            total += sum(len(name) + 48 + _encoded(value) for name, value in operation.entity.values.items())
    return total


def _encoded(value: Value) -> int:
    if isinstance(value, bytes):
        return -(-len(value) // 3) * 4
    return len(json.dumps(value)) if isinstance(value, str) else 30


def _size(name: str, value: Value, values: dict[str, Value]) -> int:
    """Bytes of a less usual value; a time is put into `values` as it is stored."""
    if isinstance(value, float):
        return 8
    if isinstance(value, int):
        raise InvalidInput(f"Property {name!r} is {value}: a whole number must fit 64 bits. Store it as text.")
    if isinstance(value, bytes):
        if len(value) > MAX_PROPERTY:
            raise _too_large(name, len(value))
        return 4 + len(value)
    if isinstance(value, datetime):
        if value.tzinfo is None or value.year < FIRST_YEAR:
            raise InvalidInput(f"Property {name!r} must be a time with a zone, not before {FIRST_YEAR}: {value}.")
        values[name] = value.astimezone(UTC)
        return 8
    raise InvalidInput(f"Property {name!r} is of type {type(value).__name__}, which a table cannot hold.")


def _name_size(name: str) -> int:
    if name in _RESERVED or not name.isidentifier() or len(name) > 255:
        raise InvalidInput(f"{name[:40]!r} cannot name a property: use letters, digits and _, at most 255.")
    size = _name_sizes[name] = 8 + 2 * len(name)
    return size


def _units(text: str) -> int:
    """UTF-16 units of a text."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode("utf-16-le")) // 2
    except UnicodeEncodeError as error:
        raise InvalidInput("A key or value holds a lone surrogate, which is not text. Remove it.") from error


def _too_large(name: str, size: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"Property {name!r} has {size} bytes; one property has at most {MAX_PROPERTY} (a string: half as many "
        "UTF-16 units). Split it, or keep it in a blob."
    )
