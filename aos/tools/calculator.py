"""A calculator: arithmetic on numbers, read as a syntax tree and never executed."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable

from aos.kernel.errors import InvalidInput
from aos.tools.declaration import tool

_LONGEST = 500
_LARGEST = 1e300
_LARGEST_POWER = 1_000

Number = int | float

_OPERATORS: dict[type[ast.AST], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "log": math.log,
    "max": max,
    "min": min,
    "round": round,
    "sqrt": math.sqrt,
}
_CONSTANTS: dict[str, Number] = {"pi": math.pi, "e": math.e}


@tool(effect="read")
async def calculator(expression: str) -> int | float:
    """Work out an arithmetic expression.

    Args:
        expression: Numbers with + - * / // % ** and brackets; abs, ceil, floor, log, max, min, round, sqrt; pi and e.
    """
    return evaluate(expression)


def evaluate(expression: str) -> Number:
    """The value of an arithmetic expression.

    Raises:
        InvalidInput: it is none, or its value is out of reach.
    """
    if len(expression) > _LONGEST:
        raise InvalidInput(f"The expression has more than {_LONGEST} characters. Split it.")
    try:
        return _value(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ArithmeticError, TypeError, RecursionError, MemoryError) as error:
        raise InvalidInput(f"{expression!r} cannot be worked out: {error}.") from error


def _value(node: ast.expr) -> Number:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return _bounded(node.value)
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Pow) and abs(right) > _LARGEST_POWER:
            raise ValueError(f"the power is above {_LARGEST_POWER}")
        return _bounded(_OPERATORS[type(node.op)](left, right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        function = _FUNCTIONS.get(node.func.id)
        if function is not None:
            return _bounded(function(*(_value(argument) for argument in node.args)))
    raise ValueError(f"it holds something other than arithmetic ({type(node).__name__})")


def _bounded(value: Number) -> Number:
    # A root of a negative number is complex; nothing here is.
    if isinstance(value, complex) or not abs(value) < _LARGEST:
        raise ValueError("a value is out of range")
    return value
