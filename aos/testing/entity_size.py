"""How large the table service takes an entity to be, and what it refuses to store at all.

The formula is that of the service's documentation: 4 bytes, two for each UTF-16 unit of the keys and of each property
name, 8 more a property, and its value. https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from aos.kernel.errors import InvalidInput, PayloadTooLarge
from aos.kernel.ports import Delete, Entity, Operation, Value

MAX_ENTITY = 1024 * 1024
MAX_PROPERTY = 64 * 1024
MAX_PROPERTIES = 252
MAX_KEY_UNITS = 512

_INT32 = 2**31
_INT64 = 2**63
_RESERVED = frozenset({"PartitionKey", "RowKey", "Timestamp"})
_OPERATION_HEADERS = 700
"""Bytes a transaction's request spends on each operation besides its entity."""

_known_names: set[str] = set()


def check_key(key: str) -> None:
    """Raise for a partition or row key that is too long."""
    if len(key) * 2 > MAX_KEY_UNITS and _units(key) > MAX_KEY_UNITS:
        raise PayloadTooLarge(f"A key has at most {MAX_KEY_UNITS} UTF-16 units; {key[:40]!r}... has {_units(key)}.")


def check_entity(entity: Entity) -> int:
    """The size of an entity in bytes.

    Raises:
        PayloadTooLarge: it has a property over 64 KiB, more than 252 of them, or more than 1 MiB together.
        InvalidInput: a property's name or value is of a kind that cannot be stored.
    """
    values = entity.values
    if len(values) > MAX_PROPERTIES:
        raise PayloadTooLarge(f"An entity has at most {MAX_PROPERTIES} properties, not {len(values)}.")
    size = 4 + 2 * (_units(entity.partition) + _units(entity.row))
    for name, value in values.items():
        if name not in _known_names:
            _check_name(name)
        if type(value) is str:
            length = 2 * (len(value) if value.isascii() else _units(value))
            if length > MAX_PROPERTY:
                raise _too_large(name, length)
            length += 4
        else:
            length = _size(name, value)
        size += 8 + 2 * len(name) + length
    if size > MAX_ENTITY:
        raise PayloadTooLarge(
            f"Row {entity.row!r} of {entity.partition!r} has {size} bytes; an entity has at most {MAX_ENTITY}. "
            "Keep large values in blobs."
        )
    return size


def transaction_bytes(operations: Sequence[Operation]) -> int:
    """Bytes of the request that carries a transaction: JSON, binary values in base 64."""
    total = 0
    for operation in operations:
        total += _OPERATION_HEADERS
        if not isinstance(operation, Delete):
            total += sum(len(name) + 32 + _encoded(value) for name, value in operation.entity.values.items())
    return total


def _encoded(value: Value) -> int:
    if isinstance(value, bytes):
        return -(-len(value) // 3) * 4
    return len(json.dumps(value)) if isinstance(value, str) else 30


def _size(name: str, value: Value) -> int:
    """Bytes of a value that is no plain string."""
    if isinstance(value, bool):
        return 1
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise InvalidInput(f"Property {name!r} is {value}: a whole number must fit 64 bits.")
        return 4 if -_INT32 <= value < _INT32 else 8
    if isinstance(value, float):
        return 8
    if isinstance(value, bytes):
        if len(value) > MAX_PROPERTY:
            raise _too_large(name, len(value))
        return 4 + len(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidInput(f"Property {name!r} is a time without a zone: make it UTC.")
        return 8
    raise InvalidInput(f"Property {name!r} is of type {type(value).__name__}, which a table cannot hold.")


def _check_name(name: str) -> None:
    if name in _RESERVED or not name.isidentifier() or len(name) > 255:
        raise InvalidInput(f"{name!r} cannot name a property: use letters, digits and _, at most 255.")
    _known_names.add(name)


def _units(text: str) -> int:
    """UTF-16 units of a text."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _too_large(name: str, size: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"Property {name!r} has {size} bytes; one property has at most {MAX_PROPERTY} (a string: half as many "
        "UTF-16 units). Split it, or keep it in a blob."
    )
