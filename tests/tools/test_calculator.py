"""The calculator works out arithmetic and nothing else."""

from __future__ import annotations

import pytest

from aos.kernel.errors import InvalidInput
from aos.tools.calculator import calculator, evaluate


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * (4 - 1)", 11),
        ("-2 ** 2", -4),
        ("7 // 2 + 7 % 2", 4),
        ("round(sqrt(2), 3)", 1.414),
        ("max(1, pi)", 3.141592653589793),
    ],
)
def test_arithmetic(expression: str, value: float) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "1 +",
        "1 / 0",
        "True + 1",
        "'a' * 9",
        "2 ** 1001",
        "10 ** 999",
        "9 ** 9 ** 9",
        "(-8) ** 0.5",
        "__import__('os').system('true')",
        "().__class__",
        "[1 for _ in range(9)]",
        "round(1, ndigits=2)",
        "exec(1)",
        "x",
        "(" * 300 + "1" + ")" * 300,
        "1" * 501,
    ],
)
def test_anything_else_is_refused(expression: str) -> None:
    with pytest.raises(InvalidInput):
        evaluate(expression)


def test_it_is_a_read_tool_of_one_argument() -> None:
    assert (calculator.effect, list(calculator.parameters["properties"])) == ("read", ["expression"])
