"""What the protocol's composite values have in common: typed fields in a fixed order, behind a descriptor.

Decoding checks every field's type and whether it may be absent. Encoding writes every field, absent ones as
null: some clients index field lists without looking.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from aos.local.servicebus.amqp.decode import COMPOSITES
from aos.local.servicebus.amqp.encode import write_described_list
from aos.local.servicebus.amqp.errors import DecodeFault
from aos.local.servicebus.amqp.types import Symbol, UByte, UInt, ULong, UShort

_NUMBERS: dict[str, tuple[type[int], int]] = {
    "uint": (UInt, 0xFFFFFFFF),
    "ushort": (UShort, 0xFFFF),
    "ubyte": (UByte, 0xFF),
    "ulong": (ULong, 0xFFFFFFFFFFFFFFFF),
}
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "symbol": (str,),
    "binary": (bytes,),
    "boolean": (bool,),
    "map": (dict,),
    "symbols": (str, list),
    "timestamp": (int,),
    "any": (object,),
}


class Composite:
    """Base of all of them; a subclass is a dataclass whose fields are in wire order.

    Attributes:
        CODE: The descriptor.
        NAME: Its name in the specification.
        KINDS: One kind a field: a type's name, or the names of composites with `|` between them. A leading
            `!` marks a field that must be there.
    """

    __slots__ = ()
    CODE: ClassVar[int]
    NAME: ClassVar[str]
    KINDS: ClassVar[tuple[str, ...]]
    FIELDS: ClassVar[tuple[str, ...]]

    @classmethod
    def of(cls, values: list[Any]) -> Self:
        """From a decoded list, which may leave off fields at its end.

        Raises:
            DecodeFault: a field has the wrong type, or one that must be there is not.
        """
        kinds = cls.KINDS
        if len(values) > len(kinds):
            raise DecodeFault(f"{cls.NAME} has {len(kinds)} fields, not {len(values)}")
        for index, kind in enumerate(kinds):
            value = values[index] if index < len(values) else None
            if value is None:
                if kind[0] == "!":
                    raise DecodeFault(f"field {index} of {cls.NAME} is missing")
            elif not _fits(kind, value):
                raise DecodeFault(f"field {index} of {cls.NAME} is not a {kind.lstrip('!')}")
        return cls(*values)

    def write_to(self, out: bytearray) -> None:
        """Append the value's bytes."""
        write_described_list(out, self.CODE, self._typed())

    def _typed(self) -> list[Any]:
        values: list[Any] = []
        for kind, name in zip(self.KINDS, self.FIELDS, strict=True):
            value = getattr(self, name)
            if value is not None:
                number = _NUMBERS.get(kind.lstrip("!"))
                if number is not None:
                    value = number[0](value)
                elif kind.endswith("symbol"):
                    value = Symbol(value)
            values.append(value)
        return values


def _fits(kind: str, value: Any) -> bool:
    kind = kind.lstrip("!")
    number = _NUMBERS.get(kind)
    if number is not None:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= number[1]
    expected = _KINDS.get(kind)
    if expected is not None:
        return isinstance(value, expected)
    return isinstance(value, Composite) and value.NAME in kind.split("|")


def register(*kinds: type[Composite]) -> None:
    """Have the decoder make these of their described lists."""
    for kind in kinds:
        names = getattr(kind, "__dataclass_fields__", {})
        kind.FIELDS = tuple(names)
        COMPOSITES[ULong(kind.CODE)] = kind.of
        COMPOSITES[Symbol(f"amqp:{kind.NAME}:list")] = kind.of
