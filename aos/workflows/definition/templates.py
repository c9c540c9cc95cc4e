"""`${{ }}` in JSON: finds the expressions in it, and fills in their values.

A text that is one expression becomes its value with its type; expressions amid other text become text. `$${{` stands
for `${{` itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from aos.workflows.definition.expressions import ExpressionError, evaluate

OPEN, CLOSE, ESCAPED = "${{", "}}", "$${{"
Place = tuple[str | int, ...]
"""The keys and numbers that lead to something in JSON."""
_QUOTES = "\"'"
_NESTING = {"{": 1, "}": -1}


def render(value: Any, context: Mapping[str, Any], *, where: str = "") -> Any:
    """JSON with the values of its expressions in their places; a new value where anything was filled in.

    Args:
        value: JSON, with templates in its texts. Keys are left as they are.
        context: As for `evaluate`.
        where: What it belongs to, for errors.

    Raises:
        ExpressionError: an expression cannot be read or has no value.
    """
    if isinstance(value, str):
        return _render_text(value, context, where)
    if isinstance(value, dict):
        return {key: render(part, context, where=f"{where}.{key}" if where else key) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [render(part, context, where=f"{where}[{place}]") for place, part in enumerate(value)]
    return value


def templates_in(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """The texts in JSON that hold expressions, each with the keys that lead to it."""
    if isinstance(value, str):
        if OPEN in value:
            yield place, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from templates_in(part, (*place, key))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from templates_in(part, (*place, number))


def expression_of(text: str) -> str:
    """The expression of a field that holds one, with or without `${{ }}` around it.

    Raises:
        ExpressionError: there is other text around it.
    """
    parts = split(text)
    if len(parts) == 1:
        return parts[0][1]
    if any(is_expression for is_expression, _ in parts):
        raise ExpressionError(
            f"{text!r} is more than one expression. Write it as one, without `${{{{ }}}}`.", code="expression_syntax"
        )
    return text


def is_true(condition: str | bool | None, context: Mapping[str, Any], *, where: str = "") -> bool:
    """Whether a condition holds; one that is left out does. Raises `ExpressionError`."""
    if condition is None or isinstance(condition, bool):
        return condition is not False
    return bool(evaluate(expression_of(condition), context, where=where))


@lru_cache(maxsize=4_096)
def split(text: str) -> tuple[tuple[bool, str], ...]:
    """The parts of a text in order: whether it is an expression, and it. Raises `ExpressionError`."""
    if OPEN not in text:
        return ((False, text),)
    parts: list[tuple[bool, str]] = []
    plain, place = "", 0
    while place < len(text):
        if text.startswith(ESCAPED, place):
            plain, place = plain + OPEN, place + len(ESCAPED)
        elif text.startswith(OPEN, place):
            end = _end(text, place + len(OPEN))
            parts += [(False, plain)] if plain else []
            parts.append((True, text[place + len(OPEN) : end].strip()))
            plain, place = "", end + len(CLOSE)
        else:
            until = text.find("$", place + 1)
            until = len(text) if until < 0 else until
            plain, place = plain + text[place:until], until
    return tuple(parts + ([(False, plain)] if plain else []))


def _end(text: str, start: int) -> int:
    """Where the expression ends: at the first `}}` outside of quotes and brackets."""
    quote, depth, place = "", 0, start
    while place < len(text):
        letter = text[place]
        if quote:
            place += letter == "\\"
            quote = "" if letter == quote else quote
        elif depth == 0 and text.startswith(CLOSE, place):
            return place
        elif letter in _QUOTES:
            quote = letter
        else:
            depth += _NESTING.get(letter, 0)
        place += 1
    shown = text[start - len(OPEN) : start + 40]
    raise ExpressionError(f"`{shown}` has no end. Put `}}}}` behind the expression.", code="expression_syntax")


def _render_text(text: str, context: Mapping[str, Any], where: str) -> Any:
    parts = split(text)
    if len(parts) == 1:
        is_expression, part = parts[0]
        return evaluate(part, context, where=where) if is_expression else part
    return "".join(_as_text(evaluate(part, context, where=where)) if is_ else part for is_, part in parts)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
