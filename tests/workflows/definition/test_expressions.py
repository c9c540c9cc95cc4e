"""Expressions: what they give, what they may not hold, and how far they may go."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aos.workflows.definition.expression_functions import FUNCTIONS
from aos.workflows.definition.expressions import ExpressionError, below, evaluate, names_of

CONTEXT: dict[str, Any] = {
    "inputs": {
        "amount": 3,
        "lines": [{"price": 2}, {"price": 5}],
        "from": "here",
        "text": "a text",
        "items": [1],
        "nothing": None,
    },
    "steps": {"to-do": {"output": {"total": 5}, "status": "completed", "error": None}},
    "run": {"id": "r1", "attempt": 1},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("inputs.amount + 1", 4),
        ("inputs.amount * 2 - 1 > 4 and not false", True),
        ('steps["to-do"].output.total', 5),
        ("steps['to-do'].error == null", True),
        ("steps['to-do'].error is None", True),
        ("[line.price for line in inputs.lines if line.price > 2]", [5]),
        ("any(line.price > 4 for line in inputs.lines)", True),
        ("sum([line.price for line in inputs.lines])", 7),
        ("sorted(inputs.lines, by='price', reverse=true)[0].price", 5),
        ("inputs.lines[-1].price", 5),
        ("inputs.lines[inputs.amount - 2].price", 5),
        ("inputs.lines[:1]", [{"price": 2}]),
        ('{"a": {"b": inputs.amount}}', {"a": {"b": 3}}),
        ("(1, 2)", [1, 2]),
        ("inputs.from + '.in'", "here.in"),
        ("inputs.items", [1]),
        ("'big' if inputs.amount > 2 else 'small'", "big"),
        ("get(inputs, 'absent', 7)", 7),
        ("get(inputs.nothing, 'x')", None),
        ("get(inputs.lines, 9, 'none')", "none"),
        ("contains(inputs.text, 'tex') and 'tex' in inputs.text", True),
        ("join(split('a,b', ','), '-')", "a-b"),
        ("upper(strip(' a ')) + lower('B')", "Ab"),
        ("str(inputs.lines[0])", '{"price": 2}'),
        ("round(2.567, 1)", 2.6),
        ("round(2.5)", 2),
        ("int('4') + float('0.5') + abs(-1)", 5.5),
        ("len(keys(inputs.lines[0])) + len(values(inputs.lines[0]))", 2),
        ("min(3, 1) + max([1, 2])", 3),
        ("all([]) and bool(1) and startswith('ab', 'a') and endswith('ab', 'b')", True),
        ("10 // 3 + 10 % 3 + 2 ** 3", 12),
        ("run.id", "r1"),
    ],
)
def test_what_an_expression_gives(text: str, value: Any) -> None:
    assert evaluate(text, CONTEXT) == value


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("inputs.amuont", "expression_name", "Did you mean 'amount'?"),
        ("inputs.lines[7]", "expression_name", "which has 2"),
        ("inputs.nothing.x", "expression_name", "get(inputs.nothing, 'x')"),
        ("inputs.amount.x", "expression_name", "neither an object nor a list"),
        ("imputs.amount", "expression_name", "Did you mean 'inputs'?"),
        ("len", "expression_name", "there is no 'len'"),
        ("1 +", "expression_syntax", "is not an expression"),
        ("", "expression_syntax", "is not an expression"),
        ("1; 2", "expression_syntax", "is not an expression"),
        ("x = 1", "expression_syntax", "is not an expression"),
        ("inputs.__class__", "expression_forbidden", "__class__"),
        ("inputs.text.upper()", "expression_forbidden", "not methods"),
        ("upr(inputs.text)", "expression_forbidden", "Did you mean 'upper'?"),
        ("open('x')", "expression_forbidden", "no function 'open'"),
        ("lambda: 1", "expression_forbidden", "Lambda"),
        ("f'{inputs}'", "expression_forbidden", "JoinedStr"),
        ("(x := 1)", "expression_forbidden", "NamedExpr"),
        ("{**inputs}", "expression_forbidden", "`**`"),
        ("max(**inputs)", "expression_forbidden", "`**`"),
        ("[*inputs.lines]", "expression_forbidden", "Starred"),
        ("b'x'", "expression_forbidden", "not JSON"),
        ("1j", "expression_forbidden", "not JSON"),
        ("[[y for y in inputs.lines] for x in inputs.lines]", "expression_forbidden", "two steps"),
        ("[1 for x in inputs.lines for y in inputs.lines]", "expression_forbidden", "two steps"),
        ("[1 for x, y in inputs.lines]", "expression_forbidden", "one plain name"),
        ("1 / 0", "expression_value", "division by zero"),
        ("inputs.text + 1", "expression_value", "a text and a number"),
        ("inputs.text * 2", "expression_value", "a text is not a number"),
        ("'%999999999d' % 1", "expression_value", "a text is not a number"),
        ("inputs.text < 1", "expression_value", "do not fit"),
        ("(-8) ** 0.5", "expression_value", "do not fit"),
        ("{1: 2}", "expression_value", "keys of objects are texts"),
        ("round(1, 99999999)", "expression_value", "digits"),
        ("sorted([1, 'a'])", "expression_value", "do not fit"),
        ("9 ** 9 ** 9", "expression_limit", "out of bounds"),
        ("1e308 * 10", "expression_limit", "out of bounds"),
        ("1 if inputs" + ".x" * 2_000, "expression_limit", "2,000 characters"),
        ("(" * 60 + "1" + ")" * 60 + " + " + "-" * 50 + "1", "expression_limit", "deep"),
    ],
)
def test_what_an_expression_may_not_hold(text: str, code: str, said: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        evaluate(text, CONTEXT, where="Step 'pay', when")
    assert refused.value.code == code
    assert said in refused.value.message
    assert refused.value.message.startswith("Step 'pay', when: ")
    assert not refused.value.retryable


@pytest.mark.parametrize(
    "text",
    [
        "[x for x in inputs.long if x in inputs.long]",
        "[sum(inputs.long) for x in inputs.long]",
        "[sorted(inputs.long) for x in inputs.long]",
        "[inputs.long + inputs.long for x in inputs.long]",
        "[str(inputs.long) for x in inputs.long]",
        "[inputs.long for x in inputs.long]",
        "[inputs.long == inputs.other for x in inputs.long]",
        "[inputs.long[:] for x in inputs.long]",
        "[inputs.long < inputs.other for x in inputs.long]",
        "[[inputs.long] == [inputs.other] for x in inputs.long]",
        "[[inputs.long] in inputs.long for x in inputs.long]",
        "join([inputs.wide for x in inputs.long], 'x')",
        "join(inputs.long, inputs.wide)",
        "[1 for x in inputs.too_long]",
    ],
)
def test_an_expression_that_would_take_long_is_refused(text: str) -> None:
    many: dict[str, Any] = {
        "long": list(range(5_000)),
        "other": list(range(5_000)),
        "wide": "x" * 100_000,
        "too_long": list(range(10_001)),
    }
    with pytest.raises(ExpressionError) as refused:
        evaluate(text, {"inputs": many})
    assert refused.value.code == "expression_limit"


def test_every_function_is_there() -> None:
    for name in FUNCTIONS:
        with pytest.raises(ExpressionError) as refused:
            evaluate(f"{name}(1, 2, 3, 4, 5, 6)" if name not in ("min", "max") else f"{name}(1, 'a')", {})
        assert refused.value.code == "expression_value", name


def test_the_names_an_expression_uses() -> None:
    text = "[x.price * inputs.rate for x in steps['to-do'].output.lines if x.ok] + [item, len(run.id), steps[inputs.a]]"
    assert names_of(text) == {
        ("inputs", "rate"),
        ("steps", "to-do", "output", "lines"),
        ("item",),
        ("run", "id"),
        ("steps",),
        ("inputs", "a"),
    }
    assert names_of("inputs.from.in[0][-1]") == {("inputs", "from", "in", 0, -1)}
    assert names_of("true and null == None") == frozenset()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(value=JSON, keys=st.lists(st.text(max_size=8) | st.integers(0, 3), max_size=5))
def test_whatever_is_in_json_can_be_reached(value: Any, keys: list[str | int]) -> None:
    """However keys are called, the expression of a place gives what is there."""
    expression, context = "inputs", value
    for key in reversed(keys):
        context = {key: context} if isinstance(key, str) else [context] * (key + 1)
    for key in keys:
        expression = below(expression, key)
    assert evaluate(expression, {"inputs": context}) == value
    assert names_of(expression) == {("inputs", *keys)}


@given(text=st.text(alphabet="abx .[](){}:,'\"0159+-*/%<>=!if elsforinot_", max_size=60))
@settings(max_examples=300)
def test_no_text_gives_anything_but_json_or_its_error(text: str) -> None:
    with suppress(ExpressionError):
        value = evaluate(text, {"a": {"b": [1, {"x": "0"}]}, "b": "text", "x": None})
        json.dumps(value, allow_nan=False)
