"""Templates: `${{ }}` in JSON."""

from __future__ import annotations

from typing import Any

import pytest

from aos.workflows.definition.expressions import ExpressionError
from aos.workflows.definition.templates import expression_of, is_true, render

CONTEXT: dict[str, Any] = {"inputs": {"a": 3, "who": "Ann", "list": [1, 2]}}


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        ("${{ inputs.a }}", 3),
        ("${{inputs.list}}", [1, 2]),
        ("to ${{ inputs.who }}: ${{ inputs.list }}", "to Ann: [1, 2]"),
        ({"x": ["${{ inputs.a }}", 1, None]}, {"x": [3, 1, None]}),
        ("$${{ inputs.a }}", "${{ inputs.a }}"),
        ("5 $ and ${ x }} {{ y }}", "5 $ and ${ x }} {{ y }}"),
        ("${{ '}}' }}", "}}"),
        ("${{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("${{ 'it\\'s }}' }}!", "it's }}!"),
        ("$", "$"),
        ("a$b$", "a$b$"),
    ],
)
def test_values_take_the_place_of_expressions(value: Any, rendered: Any) -> None:
    assert render(value, CONTEXT) == rendered


def test_an_error_says_where_the_template_is() -> None:
    with pytest.raises(ExpressionError, match=r"Step 'pay', with\.lines\[1\]\.to: `inputs\.b`"):
        render({"lines": [1, {"to": "${{ inputs.b }}"}]}, CONTEXT, where="Step 'pay', with")


def test_an_expression_without_end_is_refused() -> None:
    with pytest.raises(ExpressionError, match="has no end"):
        render("${{ inputs.a }", CONTEXT)


def test_a_field_that_is_an_expression_needs_no_braces() -> None:
    assert expression_of("inputs.a > 1") == "inputs.a > 1"
    assert expression_of("${{ inputs.a > 1 }}") == "inputs.a > 1"
    with pytest.raises(ExpressionError, match="more than one expression"):
        expression_of("${{ inputs.a }} > 1")


@pytest.mark.parametrize(
    ("condition", "holds"),
    [(None, True), (True, True), (False, False), ("inputs.a > 2", True), ("${{ inputs.a > 3 }}", False)],
)
def test_conditions(condition: str | bool | None, holds: bool) -> None:
    assert is_true(condition, CONTEXT) is holds
