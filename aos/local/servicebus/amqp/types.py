"""AMQP's primitive types as Python values that remember their wire type, so that a value travels on unchanged.

Python's own types stand for the commonest: `None`, `bool`, `int` (long), `float` (double), `str` (string),
`bytes` (binary), `uuid.UUID`, `datetime` (timestamp, on the way out), `list`, `dict` (map).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Symbol(str):
    """A name out of a fixed vocabulary, in ASCII."""

    __slots__ = ()


class Char(str):
    """One Unicode character."""

    __slots__ = ()


class UByte(int):
    __slots__ = ()


class UShort(int):
    __slots__ = ()


class UInt(int):
    __slots__ = ()


class ULong(int):
    __slots__ = ()


class Byte(int):
    __slots__ = ()


class Short(int):
    __slots__ = ()


class Int(int):
    __slots__ = ()


class Timestamp(int):
    """Milliseconds since 1970 in UTC. The wire can hold times that `datetime` cannot."""

    __slots__ = ()

    @classmethod
    def of(cls, moment: datetime) -> Timestamp:
        return cls((moment - _EPOCH) // timedelta(milliseconds=1))

    def datetime(self) -> datetime:
        """The moment, held to what `datetime` can say."""
        try:
            return _EPOCH + timedelta(milliseconds=self)
        except OverflowError:
            return datetime.max.replace(tzinfo=UTC) if self > 0 else datetime.min.replace(tzinfo=UTC)


class Float(float):
    """A number in single precision."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Decimal:
    """A decimal number, kept as its 4, 8 or 16 bytes."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Described:
    """A value with a descriptor that is not one of the protocol's own."""

    descriptor: Any
    value: Any


class Array(list[Any]):
    """Values of one wire type; `code` is the format code of all of them.

    Args:
        code: A fixed or variable width code, such as 0x98 for uuid or 0x81 for long.
        items: The values.
    """

    __slots__ = ("code", "descriptor")

    def __init__(self, code: int, items: Any = (), descriptor: Any = None) -> None:
        super().__init__(items)
        self.code = code
        self.descriptor = descriptor

    def __repr__(self) -> str:
        return f"Array({self.code:#04x}, {list(self)!r})"
