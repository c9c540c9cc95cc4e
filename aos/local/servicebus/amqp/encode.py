"""Python values to AMQP bytes, always in the shortest form."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from struct import Struct
from typing import Any
from uuid import UUID

from aos.local.servicebus.amqp.types import (
    Array,
    Byte,
    Char,
    Decimal,
    Described,
    Float,
    Int,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

_U16 = Struct(">BH").pack
_I16 = Struct(">Bh").pack
_U32 = Struct(">BI").pack
_I32 = Struct(">Bi").pack
_U64 = Struct(">BQ").pack
_I64 = Struct(">Bq").pack
_F32 = Struct(">Bf").pack
_F64 = Struct(">Bd").pack
_BYTE = Struct(">Bb").pack
_SIZED = Struct(">BI").pack
_COMPOUND = Struct(">BII").pack

_Write = Callable[[bytearray, Any], None]


def encode(value: Any) -> bytes:
    """One value with its format code.

    Raises:
        TypeError: the value has no AMQP type.
        OverflowError: a number outside of what its type can hold.
    """
    out = bytearray()
    write(out, value)
    return bytes(out)


def write(out: bytearray, value: Any) -> None:
    """Append one value with its format code."""
    writer = _WRITERS.get(value.__class__)
    if writer is None:
        writer = _inherited(value)
    writer(out, value)


def write_described_list(out: bytearray, code: int, fields: Iterable[Any]) -> None:
    """Append a composite value: its descriptor and all of its fields, absent ones as null."""
    out += b"\x00\x53"
    out.append(code)
    body = bytearray()
    count = 0
    for field in fields:
        count += 1
        if field is None:
            body.append(0x40)
        else:
            write(body, field)
    _write_compound(out, 0xC0, 0xD0, count, body)


def _inherited(value: Any) -> _Write:
    for kind, writer in _FALLBACKS:
        if isinstance(value, kind):
            return writer
    encoder = getattr(value, "write_to", None)
    if encoder is None:
        raise TypeError(f"{type(value).__name__} has no AMQP type")
    return _write_self


def _write_self(out: bytearray, value: Any) -> None:
    value.write_to(out)


def _in_range(value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise OverflowError(f"{value} is outside of {low}..{high}")


def _null(out: bytearray, _: Any) -> None:
    out.append(0x40)


def _bool(out: bytearray, value: bool) -> None:
    out.append(0x41 if value else 0x42)


def _ubyte(out: bytearray, value: int) -> None:
    _in_range(value, 0, 0xFF)
    out += bytes((0x50, value))


def _ushort(out: bytearray, value: int) -> None:
    _in_range(value, 0, 0xFFFF)
    out += _U16(0x60, value)


def write_uint(out: bytearray, value: int) -> None:
    if value == 0:
        out.append(0x43)
    elif 0 < value <= 0xFF:
        out += bytes((0x52, value))
    else:
        _in_range(value, 0, 0xFFFFFFFF)
        out += _U32(0x70, value)


def _ulong(out: bytearray, value: int) -> None:
    if value == 0:
        out.append(0x44)
    elif 0 < value <= 0xFF:
        out += bytes((0x53, value))
    else:
        _in_range(value, 0, 0xFFFFFFFFFFFFFFFF)
        out += _U64(0x80, value)


def _byte(out: bytearray, value: int) -> None:
    _in_range(value, -0x80, 0x7F)
    out += _BYTE(0x51, value)


def _short(out: bytearray, value: int) -> None:
    _in_range(value, -0x8000, 0x7FFF)
    out += _I16(0x61, value)


def _int(out: bytearray, value: int) -> None:
    if -0x80 <= value <= 0x7F:
        out += _BYTE(0x54, value)
    else:
        _in_range(value, -0x80000000, 0x7FFFFFFF)
        out += _I32(0x71, value)


def _long(out: bytearray, value: int) -> None:
    if -0x80 <= value <= 0x7F:
        out += _BYTE(0x55, value)
    else:
        _in_range(value, -0x8000000000000000, 0x7FFFFFFFFFFFFFFF)
        out += _I64(0x81, value)


def _timestamp(out: bytearray, value: int) -> None:
    _in_range(value, -0x8000000000000000, 0x7FFFFFFFFFFFFFFF)
    out += _I64(0x83, value)


def _datetime(out: bytearray, value: datetime) -> None:
    out += _I64(0x83, Timestamp.of(value))


def _float(out: bytearray, value: float) -> None:
    out += _F32(0x72, value)


def _double(out: bytearray, value: float) -> None:
    out += _F64(0x82, value)


def _char(out: bytearray, value: str) -> None:
    out += _U32(0x73, ord(value))


def _decimal(out: bytearray, value: Decimal) -> None:
    out.append({4: 0x74, 8: 0x84, 16: 0x94}[len(value.raw)])
    out += value.raw


def _uuid(out: bytearray, value: UUID) -> None:
    out.append(0x98)
    out += value.bytes


def _variable(out: bytearray, small: int, data: bytes) -> None:
    size = len(data)
    out += bytes((small, size)) if size <= 0xFF else _SIZED(small + 0x10, size)
    out += data


def _binary(out: bytearray, value: bytes) -> None:
    _variable(out, 0xA0, value)


def _string(out: bytearray, value: str) -> None:
    _variable(out, 0xA1, value.encode())


def _symbol(out: bytearray, value: str) -> None:
    _variable(out, 0xA3, value.encode("ascii"))


def _write_compound(out: bytearray, small: int, large: int, count: int, body: bytearray) -> None:
    size = len(body)
    if size < 0xFF and count <= 0xFF:
        out += bytes((small, size + 1, count))
    else:
        out += _COMPOUND(large, size + 4, count)
    out += body


def _list(out: bytearray, value: list[Any] | tuple[Any, ...]) -> None:
    if not value:
        out.append(0x45)
        return
    body = bytearray()
    for item in value:
        write(body, item)
    _write_compound(out, 0xC0, 0xD0, len(value), body)


def _map(out: bytearray, value: dict[Any, Any]) -> None:
    body = bytearray()
    for key, item in value.items():
        write(body, key)
        write(body, item)
    _write_compound(out, 0xC1, 0xD1, 2 * len(value), body)


def _described(out: bytearray, value: Described) -> None:
    out.append(0)
    write(out, value.descriptor)
    write(out, value.value)


def _array(out: bytearray, value: Array) -> None:
    body = bytearray()
    if value.descriptor is not None:
        body.append(0)
        write(body, value.descriptor)
    body.append(value.code)
    try:
        element = _ELEMENTS[value.code]
    except KeyError:
        raise TypeError(f"arrays of format code {value.code:#04x} are not encoded") from None
    for item in value:
        element(body, item)
    _write_compound(out, 0xE0, 0xF0, len(value), body)


def _fixed(layout: str) -> _Write:
    pack = Struct(layout).pack

    def element(out: bytearray, value: Any) -> None:
        out += pack(value)

    return element


def _element_char(out: bytearray, value: str) -> None:
    out += ord(value).to_bytes(4, "big")


def _element_uuid(out: bytearray, value: UUID) -> None:
    out += value.bytes


def _element_raw(out: bytearray, value: Decimal) -> None:
    out += value.raw


def _element_sized(width: int, encoding: str | None) -> _Write:
    def element(out: bytearray, value: Any) -> None:
        data = value if encoding is None else value.encode(encoding)
        out += len(data).to_bytes(width, "big")
        out += data

    return element


def _element_nothing(_: bytearray, __: Any) -> None:
    """True, false, zero and null have no bytes of their own in an array."""


def _element_compound(width: int, *, pairs: bool) -> _Write:
    def element(out: bytearray, value: Any) -> None:
        body = bytearray()
        items = [part for pair in value.items() for part in pair] if pairs else value
        for item in items:
            write(body, item)
        out += (len(body) + width).to_bytes(width, "big")
        out += len(items).to_bytes(width, "big")
        out += body

    return element


_ELEMENTS: dict[int, _Write] = {
    0x40: _element_nothing,
    0x41: _element_nothing,
    0x42: _element_nothing,
    0x43: _element_nothing,
    0x44: _element_nothing,
    0x45: _element_nothing,
    0x50: _fixed(">B"),
    0x51: _fixed(">b"),
    0x52: _fixed(">B"),
    0x53: _fixed(">B"),
    0x54: _fixed(">b"),
    0x55: _fixed(">b"),
    0x56: _fixed(">?"),
    0x60: _fixed(">H"),
    0x61: _fixed(">h"),
    0x70: _fixed(">I"),
    0x71: _fixed(">i"),
    0x72: _fixed(">f"),
    0x73: _element_char,
    0x74: _element_raw,
    0x80: _fixed(">Q"),
    0x81: _fixed(">q"),
    0x82: _fixed(">d"),
    0x83: _fixed(">q"),
    0x84: _element_raw,
    0x94: _element_raw,
    0x98: _element_uuid,
    0xA0: _element_sized(1, None),
    0xA1: _element_sized(1, "utf-8"),
    0xA3: _element_sized(1, "ascii"),
    0xB0: _element_sized(4, None),
    0xB1: _element_sized(4, "utf-8"),
    0xB3: _element_sized(4, "ascii"),
    0xC0: _element_compound(1, pairs=False),
    0xC1: _element_compound(1, pairs=True),
    0xD0: _element_compound(4, pairs=False),
    0xD1: _element_compound(4, pairs=True),
}

_WRITERS: dict[type, _Write] = {
    type(None): _null,
    bool: _bool,
    int: _long,
    float: _double,
    str: _string,
    bytes: _binary,
    bytearray: _binary,
    UUID: _uuid,
    datetime: _datetime,
    list: _list,
    tuple: _list,
    dict: _map,
    Symbol: _symbol,
    Char: _char,
    UByte: _ubyte,
    UShort: _ushort,
    UInt: write_uint,
    ULong: _ulong,
    Byte: _byte,
    Short: _short,
    Int: _int,
    Timestamp: _timestamp,
    Float: _float,
    Decimal: _decimal,
    Described: _described,
    Array: _array,
}

_FALLBACKS: tuple[tuple[type, _Write], ...] = (
    (Symbol, _symbol),
    (str, _string),
    (bool, _bool),
    (int, _long),
    (float, _double),
    (dict, _map),
    (list, _list),
    (memoryview, lambda out, value: _binary(out, bytes(value))),
    (datetime, _datetime),
)
