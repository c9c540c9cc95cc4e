"""Evaluates an expression that was read, with `simpleeval`: keys instead of attributes, and bounded operators."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from simpleeval import EvalWithCompoundTypes, InvalidExpression, IterableTooLong

from aos.workflows.definition.expression_functions import Functions, TooMuch, arithmetic, number, power
from aos.workflows.definition.expressions import CONSTANTS, Expression, ExpressionError, nearest, path_of

_SHOWN_KEYS = 12


class _Missing(Exception):
    """A key or name that is not there."""


def value_of(expression: Expression, context: Mapping[str, Any]) -> Any:
    """The expression's value. Raises `ExpressionError`."""
    functions = Functions()
    evaluator = _Evaluator(functions, {**CONSTANTS, **context})
    shown = f"`{expression.text}`"
    try:
        value = evaluator.eval(expression.text, previously_parsed=expression.tree)
        return _as_json(value, functions) if expression.makes else _scalar(value)
    except _Missing as error:
        raise ExpressionError(f"{shown}: {error}", code="expression_name") from error
    except (TooMuch, IterableTooLong, RecursionError, OverflowError) as error:
        raise ExpressionError(f"{shown}: {error}", code="expression_limit") from error
    except InvalidExpression as error:
        raise ExpressionError(f"{shown}: {error}", code="expression_forbidden") from error
    except ZeroDivisionError as error:
        raise ExpressionError(f"{shown}: a division by zero. Test for it with `x / y if y else 0`.") from error
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise ExpressionError(f"{shown}: the values do not fit: {error}.") from error


class _Evaluator(EvalWithCompoundTypes):  # type: ignore[misc]  # the library has no annotations
    """Knows keys only: `a.b["c"][0]` never is an attribute of a Python object."""

    def __init__(self, functions: Functions, names: Mapping[str, Any]) -> None:
        super().__init__(_operators(functions), functions.table(), names)
        self._bounds = functions

    def _check_disallowed_items(self, item: Any) -> None:
        """Nothing to look for: all values are JSON. The library's search would go through all of them at each node."""

    def _eval_name(self, node: ast.Name) -> Any:
        if node.id in self.names:
            return self.names[node.id]
        there = [name for name in self.names if name not in CONSTANTS]
        raise _Missing(f"there is no {node.id!r} here. {nearest(node.id, there, none=_has(there))}")

    def _eval_attribute(self, node: ast.Attribute) -> Any:
        return self._at_keys(node)

    def _eval_subscript(self, node: ast.Subscript) -> Any:
        if path_of(node)[1]:
            return self._at_keys(node)
        value, key = self._eval(node.value), self._eval(node.slice)
        if isinstance(key, slice):
            self._bounds.charge(value)
            return value[key]
        return _below(value, key, "it")

    def _at_keys(self, node: ast.expr) -> Any:
        base, keys = path_of(node)
        value = self._eval(base)
        for place, key in enumerate(keys):
            value = _below(value, key, _shown(base, keys[:place]))
        return value


def _below(value: Any, key: Any, shown: str) -> Any:
    if isinstance(value, Mapping) and isinstance(key, str):
        if key in value:
            return value[key]
        there = [str(name) for name in value]
        raise _Missing(f"there is no {key!r} in {shown}. {nearest(key, there, none=_has(there))}")
    if isinstance(value, list | tuple | str) and isinstance(key, int) and not isinstance(key, bool):
        if -len(value) <= key < len(value):
            return value[key]
        raise _Missing(f"there is no item {key} in {shown}, which has {len(value)}.")
    if value is None:
        raise _Missing(f"{shown} is null, so there is no {key!r} in it. Test for it with `get({shown}, {key!r})`.")
    raise _Missing(f"{shown} is neither an object nor a list, so there is no {key!r} in it.")


def _has(there: list[str]) -> str:
    return f"It has {', '.join(there[:_SHOWN_KEYS])}." if there else "It is empty."


def _shown(base: ast.expr, keys: list[str | int]) -> str:
    start = base.id if isinstance(base, ast.Name) else "it"
    return start + "".join(f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]" for key in keys)


def _operators(functions: Functions) -> dict[type, Callable[..., Any]]:
    return {
        ast.Add: functions.add,
        ast.Sub: arithmetic(operator.sub),
        ast.Mult: arithmetic(operator.mul),
        ast.Div: arithmetic(operator.truediv),
        ast.FloorDiv: arithmetic(operator.floordiv),
        ast.Mod: arithmetic(operator.mod),
        ast.Pow: power,
        ast.Not: operator.not_,
        ast.USub: lambda value: -number(value),
        ast.UAdd: number,
        ast.Eq: functions.compared(operator.eq),
        ast.NotEq: functions.compared(operator.ne),
        ast.Lt: functions.compared(operator.lt),
        ast.LtE: functions.compared(operator.le),
        ast.Gt: functions.compared(operator.gt),
        ast.GtE: functions.compared(operator.ge),
        ast.In: functions.within,
        ast.NotIn: lambda part, whole: not functions.within(part, whole),
        ast.Is: functions.compared(operator.eq),
        ast.IsNot: functions.compared(operator.ne),
    }


def _scalar(value: Any) -> Any:
    return number(value) if isinstance(value, int | float) else value


def _as_json(value: Any, functions: Functions) -> Any:
    """What was made, with lists for tuples and without what JSON cannot say."""
    functions.charge_all(value)
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("keys of objects are texts")
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return _scalar(value)
