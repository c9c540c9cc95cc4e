"""AMQP bytes to Python values, trusting nothing: sizes, counts and nesting are checked before they are believed."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct, error
from typing import Any
from uuid import UUID

from aos.local.servicebus.amqp.errors import DecodeFault
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

MAX_DEPTH = 32
MAX_COUNT = 65_536

_u16 = Struct(">H").unpack_from
_i16 = Struct(">h").unpack_from
_u32 = Struct(">I").unpack_from
_i32 = Struct(">i").unpack_from
_u64 = Struct(">Q").unpack_from
_i64 = Struct(">q").unpack_from
_f32 = Struct(">f").unpack_from
_f64 = Struct(">d").unpack_from
_i8 = Struct(">b").unpack_from

_Read = Callable[[bytes, int, int], tuple[Any, int]]

# Built by `aos.local.servicebus.amqp.performatives`: what becomes of a described list the protocol defines.
COMPOSITES: dict[Any, Callable[[list[Any]], Any]] = {}


def decode(data: bytes, position: int = 0) -> tuple[Any, int]:
    """One value, and where the next begins.

    Raises:
        DecodeFault: the bytes are cut short, or are not a value.
    """
    try:
        return _READERS[data[position]](data, position + 1, 0)
    except (IndexError, error):
        raise DecodeFault("a value is cut short") from None
    except (UnicodeDecodeError, ValueError, OverflowError) as problem:
        raise DecodeFault(f"a value cannot be read: {problem}") from None
    except TypeError:
        raise DecodeFault("a value has a wrong type or a key that cannot be one") from None


def skip(data: bytes, position: int) -> int:
    """Where the value after the one at `position` begins, without reading either.

    Raises:
        DecodeFault: the value runs past the end.
    """
    try:
        end = _after(data, position, 0)
    except (IndexError, error):
        raise DecodeFault("a value is cut short") from None
    if end > len(data):
        raise DecodeFault("a value is cut short")
    return end


def _after(data: bytes, position: int, depth: int) -> int:
    code = data[position]
    position += 1
    if code == 0:
        if depth >= MAX_DEPTH:
            raise DecodeFault("values are nested too deeply")
        return _after(data, _after(data, position, depth + 1), depth + 1)
    kind = code >> 4
    if kind in _WIDTHS:
        return position + _WIDTHS[kind]
    if kind in (0xA, 0xC, 0xE):
        return position + 1 + data[position]
    if kind in (0xB, 0xD, 0xF):
        return position + 4 + int(_u32(data, position)[0])
    raise DecodeFault(f"{code:#04x} is not a format code")


_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}


def _unknown(data: bytes, position: int, _: int) -> tuple[Any, int]:
    raise DecodeFault(f"{data[position - 1]:#04x} is not a format code")


def _constant(value: Any) -> _Read:
    def read(_: bytes, position: int, __: int) -> tuple[Any, int]:
        return value, position

    return read


def _empty_list(_: bytes, position: int, __: int) -> tuple[list[Any], int]:
    return [], position


def _one_byte(kind: Callable[[int], Any]) -> _Read:
    def read(data: bytes, position: int, _: int) -> tuple[Any, int]:
        return kind(data[position]), position + 1

    return read


def _boolean(data: bytes, position: int, _: int) -> tuple[bool, int]:
    value = data[position]
    if value > 1:
        raise DecodeFault(f"{value} is not a boolean")
    return value == 1, position + 1


def _number(unpack: Callable[[bytes, int], tuple[Any, ...]], width: int, kind: Callable[[Any], Any]) -> _Read:
    def read(data: bytes, position: int, _: int) -> tuple[Any, int]:
        return kind(unpack(data, position)[0]), position + width

    return read


def _long(data: bytes, position: int, _: int) -> tuple[int, int]:
    return _i64(data, position)[0], position + 8


def _long_small(data: bytes, position: int, _: int) -> tuple[int, int]:
    return _i8(data, position)[0], position + 1


def _char(data: bytes, position: int, _: int) -> tuple[Char, int]:
    return Char(chr(_u32(data, position)[0])), position + 4


def _take(data: bytes, position: int, size: int) -> tuple[bytes, int]:
    end = position + size
    if end > len(data):
        raise DecodeFault("a value is cut short")
    return data[position:end], end


def _decimal(width: int) -> _Read:
    def read(data: bytes, position: int, _: int) -> tuple[Decimal, int]:
        raw, end = _take(data, position, width)
        return Decimal(raw), end

    return read


def _uuid(data: bytes, position: int, _: int) -> tuple[UUID, int]:
    raw, end = _take(data, position, 16)
    return UUID(bytes=raw), end


def _short_text(kind: Callable[[bytes], Any]) -> _Read:
    def read(data: bytes, position: int, _: int) -> tuple[Any, int]:
        raw, end = _take(data, position + 1, data[position])
        return kind(raw), end

    return read


def _long_text(kind: Callable[[bytes], Any]) -> _Read:
    def read(data: bytes, position: int, _: int) -> tuple[Any, int]:
        raw, end = _take(data, position + 4, _u32(data, position)[0])
        return kind(raw), end

    return read


def _text(raw: bytes) -> str:
    return raw.decode()


def _symbol(raw: bytes) -> Symbol:
    return Symbol(raw.decode("ascii"))


def _extent(data: bytes, position: int, width: int, depth: int) -> tuple[int, int, int]:
    """Where a compound's items begin, how many there are, and where they must end."""
    if depth >= MAX_DEPTH:
        raise DecodeFault(f"values are nested more than {MAX_DEPTH} deep")
    if width == 1:
        size, count = data[position], data[position + 1]
    else:
        size, count = _u32(data, position)[0], _u32(data, position + 4)[0]
    end = position + width + size
    if end > len(data) or size < width:
        raise DecodeFault("a list, map or array is cut short")
    if count > MAX_COUNT:
        raise DecodeFault(f"{count} items are more than the {MAX_COUNT} allowed")
    return position + 2 * width, count, end


def _read_list(width: int) -> _Read:
    def read(data: bytes, position: int, depth: int) -> tuple[list[Any], int]:
        position, count, end = _extent(data, position, width, depth)
        depth += 1
        items: list[Any] = []
        for _ in range(count):
            item, position = _READERS[data[position]](data, position + 1, depth)
            items.append(item)
        if position != end:
            raise DecodeFault("a list is not as long as it says")
        return items, end

    return read


def _read_map(width: int) -> _Read:
    def read(data: bytes, position: int, depth: int) -> tuple[dict[Any, Any], int]:
        position, count, end = _extent(data, position, width, depth)
        if count % 2:
            raise DecodeFault("a map has a key without a value")
        depth += 1
        items: dict[Any, Any] = {}
        for _ in range(count // 2):
            key, position = _READERS[data[position]](data, position + 1, depth)
            items[key], position = _READERS[data[position]](data, position + 1, depth)
        if position != end:
            raise DecodeFault("a map is not as long as it says")
        return items, end

    return read


def _read_array(width: int) -> _Read:
    def read(data: bytes, position: int, depth: int) -> tuple[Array, int]:
        position, count, end = _extent(data, position, width, depth)
        descriptor = None
        code = data[position]
        position += 1
        if code == 0:
            descriptor, position = _READERS[data[position]](data, position + 1, depth + 1)
            code = data[position]
            position += 1
        reader = _READERS[code]
        items = Array(code, descriptor=descriptor)
        for _ in range(count):
            item, position = reader(data, position, depth + 1)
            items.append(item)
        if position != end:
            raise DecodeFault("an array is not as long as it says")
        return items, end

    return read


def _described(data: bytes, position: int, depth: int) -> tuple[Any, int]:
    if depth >= MAX_DEPTH:
        raise DecodeFault(f"values are nested more than {MAX_DEPTH} deep")
    descriptor, position = _READERS[data[position]](data, position + 1, depth + 1)
    value, position = _READERS[data[position]](data, position + 1, depth + 1)
    composite = COMPOSITES.get(descriptor)
    if composite is None:
        return Described(descriptor, value), position
    if not isinstance(value, list):
        raise DecodeFault("a composite value is not a list")
    return composite(value), position


_READERS: list[_Read] = [_unknown] * 256
for _code, _reader in {
    0x00: _described,
    0x40: _constant(None),
    0x41: _constant(True),
    0x42: _constant(False),
    0x43: _constant(UInt(0)),
    0x44: _constant(ULong(0)),
    0x45: _empty_list,
    0x50: _one_byte(UByte),
    0x51: _number(_i8, 1, Byte),
    0x52: _one_byte(UInt),
    0x53: _one_byte(ULong),
    0x54: _number(_i8, 1, Int),
    0x55: _long_small,
    0x56: _boolean,
    0x60: _number(_u16, 2, UShort),
    0x61: _number(_i16, 2, Short),
    0x70: _number(_u32, 4, UInt),
    0x71: _number(_i32, 4, Int),
    0x72: _number(_f32, 4, Float),
    0x73: _char,
    0x74: _decimal(4),
    0x80: _number(_u64, 8, ULong),
    0x81: _long,
    0x82: _number(_f64, 8, float),
    0x83: _number(_i64, 8, Timestamp),
    0x84: _decimal(8),
    0x94: _decimal(16),
    0x98: _uuid,
    0xA0: _short_text(bytes),
    0xA1: _short_text(_text),
    0xA3: _short_text(_symbol),
    0xB0: _long_text(bytes),
    0xB1: _long_text(_text),
    0xB3: _long_text(_symbol),
    0xC0: _read_list(1),
    0xC1: _read_map(1),
    0xD0: _read_list(4),
    0xD1: _read_map(4),
    0xE0: _read_array(1),
    0xF0: _read_array(4),
}.items():
    _READERS[_code] = _reader
