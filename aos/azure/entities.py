"""Entities between the port and the Tables SDK: types that survive the way, and limits checked before it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aos.azure.keys import decode_key, encode_key, utf16_units
from aos.kernel.errors import InvalidInput, PayloadTooLarge
from aos.kernel.ports import Delete, Entity, Operation, Value

MAX_OPERATIONS = 100
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
MAX_ENTITY_BYTES = 1024 * 1024
MAX_PROPERTY_BYTES = 64 * 1024
MAX_PROPERTIES = 252
MAX_NAME = 255
_INT64 = "Edm.Int64"
_RESERVED = frozenset({"PartitionKey", "RowKey", "Timestamp"})
_ENVELOPE_BYTES = 1_200
"""What surrounds one operation in a transaction: boundaries, headers, address; without its keys."""


def to_service(entity: Entity) -> dict[str, Any]:
    """The entity as the SDK takes it.

    Raises:
        InvalidInput: a name or value that the service cannot hold.
        PayloadTooLarge: over a limit of the service.
    """
    _check_names(entity.values)
    keys = {"PartitionKey": encode_key(entity.partition), "RowKey": encode_key(entity.row)}
    size = 4 + 2 * sum(utf16_units(key, "key") for key in keys.values())
    properties: dict[str, Any] = {}
    for name, value in entity.values.items():
        size += 8 + 2 * len(name) + _size(name, value)
        # All whole numbers have one type, so that filters find a counter at any height.
        properties[name] = (value, _INT64) if _is_whole(value) else value
    if size > MAX_ENTITY_BYTES:
        raise PayloadTooLarge(
            f"Row {entity.row!r} has {size} bytes; a row may have {MAX_ENTITY_BYTES}. Put the data into a blob.",
            details={"size": size, "limit": MAX_ENTITY_BYTES},
        )
    return keys | properties


def from_service(found: Mapping[str, Any], etag: str | None) -> Entity:
    """The port's entity for one of the SDK's."""
    values = {name: _plain(value) for name, value in found.items() if name not in _RESERVED}
    return Entity(decode_key(found["PartitionKey"]), decode_key(found["RowKey"]), values, etag)


def check_transaction(operations: Sequence[Operation]) -> list[dict[str, Any]]:
    """Check what the service would refuse, and convert.

    Returns:
        For each operation the SDK's entity; for a delete, its keys alone.

    Raises:
        InvalidInput: no operations or over 100, several partitions, or a row that appears twice.
        PayloadTooLarge: over a limit of the service.
    """
    if not 1 <= len(operations) <= MAX_OPERATIONS:
        raise InvalidInput(f"A transaction has 1 to {MAX_OPERATIONS} operations, not {len(operations)}. Split it.")
    keys = [_key(operation) for operation in operations]
    if len({partition for partition, _ in keys}) > 1:
        raise InvalidInput("A transaction cannot leave its partition. Commit one for each.")
    if len(set(keys)) < len(keys):
        row = next(key for key in keys if keys.count(key) > 1)[1]
        raise InvalidInput(f"Row {row!r} appears twice in a transaction. Keep its last state only.")
    bodies = [_body(operation) for operation in operations]
    size = sum(_ENVELOPE_BYTES + _wire_size(body) for body in bodies)
    if len(operations) > 1 and size > MAX_TRANSACTION_BYTES:
        raise PayloadTooLarge(
            f"The transaction has {size} bytes; it may have {MAX_TRANSACTION_BYTES}. Put large values into blobs.",
            details={"size": size, "limit": MAX_TRANSACTION_BYTES},
        )
    return bodies


def _key(operation: Operation) -> tuple[str, str]:
    if isinstance(operation, Delete):
        return operation.partition, operation.row
    return operation.entity.partition, operation.entity.row


def _body(operation: Operation) -> dict[str, Any]:
    if isinstance(operation, Delete):
        return {"PartitionKey": encode_key(operation.partition), "RowKey": encode_key(operation.row)}
    return to_service(operation.entity)


def _check_names(values: Mapping[str, Value]) -> None:
    if len(values) > MAX_PROPERTIES:
        raise InvalidInput(f"A row may have {MAX_PROPERTIES} properties, not {len(values)}. Put them into one as JSON.")
    for name in values:
        if name in _RESERVED or len(name) > MAX_NAME or not name.isidentifier():
            raise InvalidInput(
                f"{name[:40]!r} cannot name a property. Use letters, digits and _, at most {MAX_NAME}, "
                f"and not {', '.join(sorted(_RESERVED))}."
            )


def _size(name: str, value: Value) -> int:
    """Bytes that the service counts for a value."""
    if isinstance(value, str):
        return 4 + _fitting(name, 2 * utf16_units(value, f"value of {name!r}"))
    if isinstance(value, bytes):
        return 4 + _fitting(name, len(value))
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidInput(f"The time in {name!r} has no time zone. Give it in UTC.")
        if value.year < 1601:
            raise InvalidInput(f"The time in {name!r} is before 1601, the first year that a table can hold.")
        return 8
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise InvalidInput(f"The number in {name!r} does not fit 64 bits. Store it as text.")
        return 8
    if isinstance(value, float):
        return 8
    raise InvalidInput(
        f"The value of {name!r} is a {type(value).__name__}. Use str, int, float, bool, bytes or datetime."
    )


def _fitting(name: str, size: int) -> int:
    if size > MAX_PROPERTY_BYTES:
        raise PayloadTooLarge(
            f"Property {name!r} has {size} bytes; it may have {MAX_PROPERTY_BYTES}. Put the data into a blob.",
            details={"property": name, "size": size, "limit": MAX_PROPERTY_BYTES},
        )
    return size


def _wire_size(body: Mapping[str, Any]) -> int:
    """Bytes of an entity as JSON in a transaction, its keys in the address counted too."""
    size = 6 * (len(body["PartitionKey"]) + len(body["RowKey"]))
    for name, value in body.items():
        size += len(name) + 48
        if isinstance(value, str):
            size += len(json.dumps(value))
        elif isinstance(value, bytes):
            size += math.ceil(len(value) / 3) * 4
    return size


def _is_whole(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _plain(value: Any) -> Value:
    """Undo the SDK's own types: tuples for 64-bit numbers, a subclass of datetime."""
    if isinstance(value, tuple):
        return _plain(value[0])
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.timetz())
    if isinstance(value, str | int | float | bytes):
        return value
    return str(value)
