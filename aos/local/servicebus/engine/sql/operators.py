"""Comparison, arithmetic and LIKE with the service's rules: what is unknown stays unknown.

Unknown and null are both None. Values of types that cannot be compared give unknown.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from aos.local.servicebus.engine.errors import FilterFailed
from aos.local.servicebus.engine.message import PropertyValue

_INT64 = range(-(2**63), 2**63)

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EQUALITY = (operator.eq, operator.ne)


def compare(test: Callable[[Any, Any], bool], left: PropertyValue, right: PropertyValue) -> bool | None:
    """The truth of a comparison, or None for unknown."""
    if left is None or right is None:
        return None
    if isinstance(left, bool) or isinstance(right, bool):
        same = isinstance(left, bool) and isinstance(right, bool) and test in _EQUALITY
        return test(left, right) if same else None
    if is_number(left) and is_number(right):
        return test(left, right)
    if isinstance(left, datetime) and isinstance(right, datetime):
        return test(_aware(left), _aware(right))
    if type(left) is not type(right):
        return None
    return test(left, right)


def is_number(value: PropertyValue) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def calculate(symbol: str, left: PropertyValue, right: PropertyValue) -> PropertyValue:
    """`left symbol right`: 64-bit integers and doubles as in C#; `+` also joins texts.

    Raises:
        FilterFailed: not numbers, division by zero, or out of range.
    """
    if left is None or right is None:
        return None
    if symbol == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if not is_number(left) or not is_number(right):
        raise FilterFailed(f"{symbol!r} needs numbers, not {left!r} and {right!r}.")
    try:
        return _arithmetic(symbol, left, right)
    except (ArithmeticError, ValueError) as error:
        raise FilterFailed(f"{left!r} {symbol} {right!r} cannot be calculated: {error}.") from error


def _arithmetic(symbol: str, left: Any, right: Any) -> PropertyValue:
    if isinstance(left, int) and isinstance(right, int):
        return _checked(_integers(symbol, left, right))
    left, right = float(left), float(right)
    if symbol == "+":
        return float(left + right)
    if symbol == "-":
        return float(left - right)
    if symbol == "*":
        return float(left * right)
    if symbol == "/":
        return float(left / right)
    # As in C#, the sign is that of the dividend.
    return float(left - right * int(left / right))


def _integers(symbol: str, left: int, right: int) -> int:
    if symbol == "+":
        return left + right
    if symbol == "-":
        return left - right
    if symbol == "*":
        return left * right
    quotient = abs(left) // abs(right)
    if (left < 0) != (right < 0):
        quotient = -quotient
    return quotient if symbol == "/" else left - right * quotient


def _checked(value: int) -> int:
    if value not in _INT64:
        raise OverflowError("the result does not fit in 64 bits")
    return value


def negate(value: PropertyValue) -> PropertyValue:
    return calculate("-", 0, value) if not isinstance(value, float) else -value


def like(value: PropertyValue, pattern: PropertyValue, escape: PropertyValue, has_escape: bool) -> bool | None:
    """`value LIKE pattern [ESCAPE escape]`."""
    if value is None or pattern is None or (has_escape and escape is None):
        return None
    if not isinstance(value, str) or not isinstance(pattern, str):
        return None
    if has_escape and (not isinstance(escape, str) or len(escape) != 1):
        raise FilterFailed(f"ESCAPE needs a text of one character, not {escape!r}.")
    return _Pattern.of(pattern, escape if isinstance(escape, str) else None).matches(value)


class _Pattern:
    """A LIKE pattern: segments between `%`, matched leftmost first, so that no pattern takes exponential time."""

    __slots__ = ("_segments",)

    def __init__(self, pattern: str, escape: str | None) -> None:
        segments = [""]
        characters = iter(pattern)
        for character in characters:
            if character == escape:
                segments[-1] += re.escape(next(characters, character))
            elif character == "%":
                segments.append("")
            else:
                segments[-1] += "." if character == "_" else re.escape(character)
        self._segments = [re.compile(segment, re.DOTALL) for segment in segments]

    @staticmethod
    @lru_cache(maxsize=512)
    def of(pattern: str, escape: str | None) -> _Pattern:
        return _Pattern(pattern, escape)

    def matches(self, value: str) -> bool:
        first, *others = self._segments
        if not others:
            return first.fullmatch(value) is not None
        match = first.match(value)
        for segment in others[:-1]:
            if match is None:
                return False
            match = segment.search(value, match.end())
        if match is None:
            return False
        tail = re.compile(others[-1].pattern + r"\Z", re.DOTALL)
        return tail.search(value, match.end()) is not None
