"""The functions expressions may call, and the operators that are bounded: none can do more work than is left."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

FUNCTIONS: Mapping[str, str] = {
    "len": "length of a text, list or object",
    "min": "least of a list, or of its arguments",
    "max": "greatest of a list, or of its arguments",
    "sum": "sum of a list of numbers",
    "round": "round(x, digits=0)",
    "abs": "a number without its sign",
    "str": "as text; lists and objects as JSON",
    "int": "as a whole number",
    "float": "as a number",
    "bool": "true or false",
    "any": "whether one of a list is true",
    "all": "whether all of a list are true",
    "sorted": "sorted(list, by=None, reverse=false); `by` is a key of its objects",
    "keys": "keys of an object",
    "values": "values of an object",
    "get": "get(object or list, key, default=null)",
    "contains": "contains(text, list or object, part)",
    "startswith": "startswith(text, part)",
    "endswith": "endswith(text, part)",
    "lower": "in lower case",
    "upper": "in upper case",
    "strip": "without blanks at its ends",
    "split": "split(text, separator)",
    "join": "join(list, separator)",
}
"""Each with what it gives."""

WORK = 2_000_000
"""Items and characters that one evaluation may go through or make."""
LARGEST = 10**300
_DIGITS = 15


class TooMuch(Exception):
    """An evaluation came to its bounds."""


class Functions:
    """The functions and operators of one evaluation, with the work that is left to it."""

    def __init__(self) -> None:
        self._left = WORK

    def table(self) -> dict[str, Callable[..., Any]]:
        return {name: getattr(self, f"_{name}") for name in FUNCTIONS}

    def charge(self, *values: Any) -> None:
        """Count work; a text, list or object counts by its length."""
        for value in values:
            self._left -= len(value) if isinstance(value, str | list | dict | tuple) else 1
        if self._left < 0:
            raise TooMuch("it goes through too much. Do it in a step of its own.")

    def add(self, left: Any, right: Any) -> Any:
        """Numbers, two texts, or two lists."""
        if type(left) in (str, list) or type(right) in (str, list):
            if type(left) is not type(right):
                raise TypeError(f"{_kind(left)} and {_kind(right)} cannot be added")
            self.charge(left, right)
            return left + right
        return number(number(left) + number(right))

    def within(self, part: Any, whole: Any) -> bool:
        """`part in whole`."""
        self._charge_comparison(part, whole)
        return part in whole

    def compared(self, operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
        """A comparison that counts what it goes through."""

        def compare(left: Any, right: Any) -> bool:
            self._charge_comparison(left, right)
            return bool(operation(left, right))

        return compare

    def _charge_comparison(self, left: Any, right: Any) -> None:
        """Lists and objects are compared through and through."""
        if isinstance(left, list | dict) and isinstance(right, list | dict):
            self.charge_all(left)
        self.charge(left, right)

    def _len(self, value: Any) -> int:
        return len(value)

    def _min(self, *values: Any) -> Any:
        return min(self._several(values))

    def _max(self, *values: Any) -> Any:
        return max(self._several(values))

    def _sum(self, values: list[Any]) -> Any:
        self.charge(values)
        return number(sum(number(value) for value in values))

    def _round(self, value: Any, digits: int = 0) -> Any:
        if abs(digits) > _DIGITS:
            raise ValueError(f"digits are at most {_DIGITS}")
        return round(number(value), digits) if digits else round(number(value))

    def _abs(self, value: Any) -> Any:
        return abs(number(value))

    def _str(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        self.charge_all(value)
        return json.dumps(value, ensure_ascii=False)

    def _int(self, value: Any) -> int:
        self.charge(value)
        return int(value)

    def _float(self, value: Any) -> float:
        self.charge(value)
        return float(value)

    def _bool(self, value: Any) -> bool:
        return bool(value)

    def _any(self, values: list[Any]) -> bool:
        self.charge(values)
        return any(values)

    def _all(self, values: list[Any]) -> bool:
        self.charge(values)
        return all(values)

    def _sorted(self, values: list[Any], by: str | None = None, reverse: bool = False) -> list[Any]:
        self.charge(values, values)
        key = None if by is None else lambda value: value[by]
        return sorted(values, key=key, reverse=reverse)

    def _keys(self, value: dict[str, Any]) -> list[str]:
        self.charge(value)
        return list(value.keys())

    def _values(self, value: dict[str, Any]) -> list[Any]:
        self.charge(value)
        return list(value.values())

    def _get(self, value: Any, key: str | int, default: Any = None) -> Any:
        if isinstance(value, dict):
            return value.get(key, default)
        if isinstance(value, list) and isinstance(key, int):
            return value[key] if -len(value) <= key < len(value) else default
        return default

    def _contains(self, whole: Any, part: Any) -> bool:
        return self.within(part, whole)

    def _startswith(self, text: str, part: str) -> bool:
        return text.startswith(part)

    def _endswith(self, text: str, part: str) -> bool:
        return text.endswith(part)

    def _lower(self, text: str) -> str:
        self.charge(text)
        return text.lower()

    def _upper(self, text: str) -> str:
        self.charge(text)
        return text.upper()

    def _strip(self, text: str) -> str:
        self.charge(text)
        return text.strip()

    def _split(self, text: str, separator: str) -> list[str]:
        self.charge(text)
        return text.split(separator)

    def _join(self, values: list[Any], separator: str) -> str:
        texts = [self._str(value) for value in values]
        self.charge(values, *texts)
        self._left -= len(separator) * len(texts)
        self.charge()
        return separator.join(texts)

    def _several(self, values: tuple[Any, ...]) -> Any:
        several = values[0] if len(values) == 1 else values
        self.charge(several)
        return several

    def charge_all(self, value: Any) -> None:
        """Count all that is in a value, shared parts as often as they would be written."""
        rest = [value]
        while rest:
            part = rest.pop()
            self.charge(part)
            if isinstance(part, dict):
                self.charge(*part)
                rest.extend(part.values())
            elif isinstance(part, list | tuple):
                rest.extend(part)


def number(value: Any) -> Any:
    """The number, if it is one and within bounds."""
    if not isinstance(value, int | float):
        raise TypeError(f"{_kind(value)} is not a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise TooMuch("a number is out of bounds.")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise TooMuch("a number is out of bounds.")
    return value


def power(left: Any, right: Any) -> Any:
    """`left ** right`, where it is a number in bounds."""
    base, exponent = number(left), number(right)
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * max(exponent, 0) > 1_100:
        raise TooMuch("a number is out of bounds.")
    return number(base**exponent)


def arithmetic(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """An operator on numbers only, with a result in bounds."""
    return lambda left, right: number(operation(number(left), number(right)))


def _kind(value: Any) -> str:
    names = {str: "a text", list: "a list", dict: "an object", type(None): "null", int: "a number", float: "a number"}
    return names.get(type(value), type(value).__name__)
