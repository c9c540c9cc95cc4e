"""Expressions over JSON, as in `${{ inputs.amount > 100 }}`: what they may hold, which names they use, what they give.

They are read as Python's syntax and evaluated by `simpleeval`, without attributes other than keys, without functions
other than those of `expression_functions`, and within bounds of length, depth, size and work.
"""

from __future__ import annotations

import ast
import json
import keyword
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.expression_functions import FUNCTIONS

MAX_LENGTH = 2_000
MAX_DEPTH = 40
ROOTS = ("inputs", "steps", "item", "index", "last", "event", "run")
"""Names there can be, besides what a map calls its items."""
CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}

Path = tuple[str | int, ...]
"""A name and the keys below it: `("steps", "check", "output", "total")`."""

_ALLOWED: tuple[type[ast.AST], ...] = (
    *(ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Store, ast.Attribute, ast.Subscript, ast.Slice),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow),
    *(ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BoolOp, ast.And, ast.Or, ast.IfExp),
    *(ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot),
    *(ast.Call, ast.keyword, ast.List, ast.Tuple, ast.Dict, ast.ListComp, ast.GeneratorExp, ast.comprehension),
)

_WORD_AS_KEY = re.compile(
    r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?<=[\w\])])\.(?P<word>""" + "|".join(keyword.kwlist) + r")\b"
)
"""A key such as `inputs.from`, which is a word of Python's own; texts in quotes come first, and are left alone."""


class ExpressionError(InvalidInput):
    """An expression that cannot be read, or has no value.

    `code` is `expression_syntax`, `expression_forbidden` (it holds what expressions may not), `expression_name` (a
    name or key is not there), `expression_value` (the values do not fit what is done with them), or
    `expression_limit` (too long, too deep, too large, too much work).
    """

    code = "expression_value"


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that was read.

    Attributes:
        names: The names it uses, each with the keys below it as far as they are written out.
        makes: Whether it makes lists or objects, rather than picking what is there.
    """

    text: str
    tree: ast.expr
    names: frozenset[Path]
    makes: bool


@lru_cache(maxsize=4_096)
def parse(text: str) -> Expression:
    """Read an expression, without `${{ }}`. Raises `ExpressionError`."""
    shown = text.strip()
    if len(shown) > MAX_LENGTH:
        raise ExpressionError(
            f"An expression is longer than {MAX_LENGTH:,} characters: {shown[:40]} ... Split it over steps.",
            code="expression_limit",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(_WORD_AS_KEY.sub(_bracketed, shown), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        problem = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ExpressionError(
            f"`{shown}` is not an expression: {problem}. Write such as `steps.check.output.total > 100`; a key that is "
            'not a plain word stands in brackets: `inputs["unit-price"]`.',
            code="expression_syntax",
        ) from error
    _check(tree, shown)
    makes = any(isinstance(node, ast.List | ast.Tuple | ast.Dict | ast.ListComp) for node in ast.walk(tree))
    return Expression(shown, tree, frozenset(_names(tree, frozenset())), makes)


def names_of(text: str) -> frozenset[Path]:
    """The names an expression uses, for checks before anything runs. Raises `ExpressionError`."""
    return parse(text).names


def evaluate(text: str, context: Mapping[str, Any], *, where: str = "") -> Any:
    """The value of an expression, as JSON.

    Args:
        text: The expression, without `${{ }}`.
        context: The names of `ROOTS` that there are, with JSON below them.
        where: What it belongs to, for the error: `Step 'pay', `when``.

    Raises:
        ExpressionError: it cannot be read or has no value; the message names `where`, the expression and the remedy.
    """
    from aos.workflows.definition.evaluator import value_of

    try:
        return value_of(parse(text), context)
    except ExpressionError as error:
        if not where:
            raise
        raise ExpressionError(f"{where}: {error.message}", code=error.code, details=error.details) from error


def below(expression: str, key: str | int) -> str:
    """The expression of what is under a key: `steps.check` below `steps`, `steps["to-do"]` where it must be."""
    # Python makes one letter of several in names beyond ASCII (NFKC), and keys of JSON stay as they are.
    if isinstance(key, str) and key.isascii() and key.isidentifier() and not key.startswith("__"):
        return f"{expression}.{key}"
    return f"{expression}[{json.dumps(key, ensure_ascii=False)}]"


def nearest(name: str, known: list[str], *, none: str = "") -> str:
    """A sentence with the known name most like this one, else `none`."""
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else none


def path_of(node: ast.expr) -> tuple[ast.expr, list[str | int]]:
    """What a chain of `.key` and `["key"]` starts from, and the keys."""
    keys: list[str | int] = []
    while True:
        if isinstance(node, ast.Attribute):
            keys.append(node.attr)
        elif isinstance(node, ast.Subscript) and (key := _constant_key(node.slice)) is not None:
            keys.append(key)
        else:
            return node, keys[::-1]
        node = node.value


def _constant_key(node: ast.expr) -> str | int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _constant_key(node.operand)
        return -inner if isinstance(inner, int) else None
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int) and not isinstance(node.value, bool):
        return node.value
    return None


def _bracketed(found: re.Match[str]) -> str:
    word = found["word"]
    return f'["{word}"]' if word else found[0]


def _check(tree: ast.expr, text: str) -> None:
    """Refuse what expressions may not hold. Walks level by level, so that depth is bounded before anything recurses."""
    level: list[tuple[ast.AST, bool]] = [(tree, False)]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ExpressionError(
                f"`{text[:80]}` is nested more than {MAX_DEPTH} deep. Split it over steps.", code="expression_limit"
            )
        for node, within in level:
            problem = _problem(node, within)
            if problem is not None:
                raise ExpressionError(f"`{text}`: {problem}", code="expression_forbidden")
        level = [
            (child, within or isinstance(node, ast.ListComp | ast.GeneratorExp))
            for node, within in level
            for child in ast.iter_child_nodes(node)
        ]


def _problem(node: ast.AST, within: bool) -> str | None:
    if not isinstance(node, _ALLOWED):
        return f"{type(node).__name__} cannot be part of an expression. docs/workflows.md lists what can."
    if isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | None):
        return f"{node.value!r} is not JSON."
    if isinstance(node, ast.Attribute) and node.attr.startswith("__"):
        return f"`.{node.attr}` is not a key; write `[{node.attr!r}]` if it is one."
    if isinstance(node, ast.Call):
        return _call_problem(node)
    if isinstance(node, ast.Dict) and None in node.keys:
        return "`**` cannot be part of an expression."
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        return _comprehension_problem(node, within)
    return None


def _call_problem(node: ast.Call) -> str | None:
    if not isinstance(node.func, ast.Name):
        return "only functions can be called, not methods: `lower(x)`, not `x.lower()`."
    if node.func.id not in FUNCTIONS:
        near = nearest(node.func.id, list(FUNCTIONS), none=f"There are {', '.join(FUNCTIONS)}.")
        return f"there is no function {node.func.id!r}. {near}"
    if any(keyword.arg is None for keyword in node.keywords):
        return "`**` cannot be part of an expression."
    return None


def _comprehension_problem(node: ast.ListComp | ast.GeneratorExp, within: bool) -> str | None:
    if within or len(node.generators) > 1:
        return "one `for` cannot be inside another. Do it in two steps."
    target = node.generators[0].target
    if node.generators[0].is_async or not isinstance(target, ast.Name):
        return "`for` takes one plain name: `[x.price for x in inputs.lines]`."
    return None


def _names(node: ast.AST, local: frozenset[str]) -> Iterator[Path]:
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        generator = node.generators[0]
        assert isinstance(generator.target, ast.Name)  # noqa: S101  # `_check` saw to it
        yield from _names(generator.iter, local)
        inner = local | {generator.target.id}
        for part in (node.elt, *generator.ifs):
            yield from _names(part, inner)
        return
    if isinstance(node, ast.Call):
        for part in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield from _names(part, local)
        return
    if isinstance(node, ast.Attribute | ast.Subscript | ast.Name):
        base, keys = path_of(node)
        if isinstance(base, ast.Name):
            if base.id not in local and base.id not in CONSTANTS:
                yield (base.id, *keys)
            return
    for child in ast.iter_child_nodes(node):
        yield from _names(child, local)
