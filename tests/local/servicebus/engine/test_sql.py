from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aos.local.servicebus.engine import FilterFailed, FilterInvalid, Message
from aos.local.servicebus.engine.sql import compile_action, compile_condition

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def message(**properties: Any) -> Message:
    return Message(subject="order", to="t", time_to_live=timedelta(hours=1), application_properties=properties)


def holds(expression: str, parameters: dict[str, Any] | None = None, **properties: Any) -> bool:
    return compile_condition(expression, parameters)(message(**properties))


@pytest.mark.parametrize(
    "expression",
    [
        "1 = 1",
        "n = 5",
        "N = 5.0",
        "n <> 6 AND n != 6",
        "n > 4 and n >= 5 and n < 6 and n <= 5",
        "5 = n",
        "n = -(-5)",
        "n + 1 = 6 AND n - 1 = 4 AND n * 2 = 10 AND n % 3 = 2",
        "7 / 2 = 3 AND -7 / 2 = -3 AND -7 % 2 = -1 AND 7 % -2 = 1",
        "7.0 / 2 = 3.5",
        "-7.5 % 2 = -1.5",
        "1 + 2 * 3 = 7 AND (1 + 2) * 3 = 9",
        "2 - 1 - 1 = 0 AND 8 / 4 / 2 = 1",
        "1.5E2 = 150 AND .5 = 0.5 AND 2. = 2",
        "+n = 5 AND - -n = 5",
        "s = 'it''s'",
        "s <> 'IT''S'",
        "s + '!' = 'it''s!'",
        "b = TRUE AND b <> false",
        "nothing IS NULL AND absent IS NULL",
        "n IS NOT NULL AND sys.Label IS NOT NULL",
        "sys.MessageId IS NULL",
        "EXISTS(n) AND EXISTS(nothing) AND NOT EXISTS(absent)",
        "EXISTS(sys.Label) AND NOT EXISTS(sys.MessageId)",
        "n IN (1, 5) AND n NOT IN (1, 2)",
        "s IN ('x', 'it''s') AND n + 1 IN (6)",
        "s LIKE 'it%' AND s LIKE '%s' AND s LIKE '_t_s' AND s NOT LIKE 'IT%' AND s LIKE '%'",
        "percent LIKE '50\\%' ESCAPE '\\' AND percent NOT LIKE '50!%x' ESCAPE '!'",
        '[odd name] = 1 AND [br]]acket] = 2 AND "quo""te" = 3 AND [and] = 4',
        "user.n = 5 AND USER.[odd name] = 1",
        "Sys.label = 'order' AND sys.[Label] = 'order' AND sys.Subject = 'order'",
        "property('n') = 5 AND p('N') = 5 AND p('o' + 'dd name') = 1",
        "newid() <> newid()",
        "NOT n = 6 AND NOT (n = 6 OR n = 7)",
        "NOT NOT n = 5",
        "n = 6 OR n = 5 AND s = 'it''s'",
        "((n)) = ((5))",
        "n=5AND s='it''s'",
        "n\n=\t5",
        "ümlaut_1 = 9",
        "d = 1.5 AND d + 1 = 2.5",
        "when >= when",
    ],
)
def test_what_holds(expression: str) -> None:
    properties: dict[str, Any] = {
        "n": 5,
        "s": "it's",
        "b": True,
        "nothing": None,
        "percent": "50%",
        "odd name": 1,
        "br]acket": 2,
        'quo"te': 3,
        "and": 4,
        "ümlaut_1": 9,
        "d": Decimal("1.5"),
        "when": MOMENT,
    }
    assert holds(expression, **properties)


@pytest.mark.parametrize(
    "expression",
    [
        "n = 6",
        "n = '5'",
        "n > 'a'",
        "b = 1",
        "b > FALSE",
        "b = 'true'",
        "s LIKE 'it'",
        "s LIKE ''",
        "n LIKE '5'",
        "s IN ('its')",
        "n NOT IN (5)",
        "n IS NULL",
        "NOT 1 = 1",
        # Unknown is neither true nor false, and stays so under NOT.
        "absent = 1",
        "NOT absent = 1",
        "absent <> 1",
        "absent = absent",
        "nothing = NULL",
        "n = NULL",
        "absent IN (1)",
        "absent NOT IN (1)",
        "absent LIKE '%'",
        "absent NOT LIKE '%'",
        "absent + 1 = 1",
        "-absent = 1",
        "absent = 1 AND n = 5",
        "absent = 1 OR n = 6",
        "NOT (absent = 1 OR n = 6)",
    ],
)
def test_what_does_not_hold(expression: str) -> None:
    assert not holds(expression, n=5, s="it's", b=True, nothing=None)


def test_unknown_gives_way_to_what_is_certain() -> None:
    assert holds("absent = 1 OR n = 5", n=5)
    assert holds("NOT (absent = 1 AND n = 6)", n=5)


def test_parameters_stand_for_values() -> None:
    assert holds("n > @least AND s = @Text", {"@least": 4, "text": "x"}, n=5, s="x")
    assert holds("sys.TimeToLive = @hour AND id = @id", {"hour": timedelta(hours=1), "id": UUID(int=1)}, id=UUID(int=1))
    with pytest.raises(FilterInvalid, match="@missing"):
        compile_condition("n = @missing")


@pytest.mark.parametrize(
    ("expression", "where"),
    [
        ("", "position 1"),
        ("n", "needs a comparison"),
        ("n =", "the end"),
        ("= 1", "position 1"),
        ("n = 1 OR", "the end"),
        ("n = 1 n = 2", "'n' at position 7"),
        ("n == 1", "'=' at position 4"),
        ("(n = 1", "expected ')'"),
        ("n = 1)", "')' at position 6"),
        ("n = (m = 1)", "cannot be used as a value"),
        ("(n = 1) = (m = 1)", "expected the end"),
        ("(n = 1) + 1 = 2", "cannot be used as a value"),
        ("1 IS NULL", "needs a property"),
        ("n IS 1", "expected NULL"),
        ("n NOT = 1", "IN or LIKE"),
        ("n IN ()", "expected a value"),
        ("n IN (1", "expected ')'"),
        ("EXISTS(1)", "property name"),
        ("EXISTS n", "expected '('"),
        ("sys.Nope = 1", "no system property 'Nope'"),
        ("a.b = 1", "'a' is not a scope"),
        ("[sys].Label = 1", "'sys' is not a scope"),
        ("n = 'open", 'Unexpected "\'"'),
        ("n = #", "'#' at position 5"),
        ("n = 9223372036854775808", "64 bits"),
        ("length(n) = 1", "newid(), property(name) or p(name)"),
        ("and = 1", "expected a property name"),
        ("_n = 1", "Unexpected '_'"),
        ("n AND m", "needs a comparison"),
        ("(" * 41 + "n = 1" + ")" * 41, "40 deep"),
        ("NOT " * 41 + "n = 1", "40 deep"),
        ("n = " + "-" * 41 + "1", "40 deep"),
        ("n = 1 OR " * 200 + "n = 1", "1024 characters"),
    ],
)
def test_errors_say_where(expression: str, where: str) -> None:
    with pytest.raises(FilterInvalid) as caught:
        compile_condition(expression)
    assert where in caught.value.message


@pytest.mark.parametrize(
    "expression",
    [
        "n / 0 = 1",
        "n % 0 = 1",
        "1.0 / 0.0 = 1",
        "s - 1 = 1",
        "-s = 1",
        "9223372036854775807 + n = 1",
        "s LIKE 'x' ESCAPE 'xy'",
        "p(1) = 1",
        "1e308 * 10 % 3 = 1",
    ],
)
def test_what_cannot_be_evaluated_fails_the_message(expression: str) -> None:
    with pytest.raises(FilterFailed):
        holds(expression, n=5, s="x")


def test_a_pattern_full_of_wildcards_is_quick() -> None:
    assert not holds("s LIKE '" + "%a" * 400 + "b'", s="a" * 30_000)


def applied(expression: str, parameters: dict[str, Any] | None = None, **properties: Any) -> Message:
    changed = message(**properties)
    compile_action(expression, parameters)(changed)
    return changed


def test_actions_set_and_remove() -> None:
    changed = applied("SET a = 1; SET B = a + n, REMOVE n SET user.[x y] = @p;", {"p": b"\0"}, n=4, b=2.5)
    assert dict(changed.application_properties) == {"b": 5.0, "a": 1, "x y": b"\0"}
    assert changed.modified


def test_actions_change_system_properties() -> None:
    changed = applied("SET sys.To = 12; REMOVE sys.Label; SET sys.TimeToLive = @t", {"t": timedelta(1)})
    assert (changed.to, changed.subject, changed.time_to_live) == ("12", None, timedelta(1))


def test_actions_keep_the_type_of_what_is_there() -> None:
    changed = applied("SET i = i / 2.0; SET f = 1; SET s = 5; SET b = 1", i=8, f=2.5, s="x", b=True)
    assert [(key, value) for key, value in changed.application_properties.items()] == [
        ("i", 4),
        ("f", 1.0),
        ("s", "5"),
        ("b", 1),
    ]
    assert isinstance(changed.application_properties["f"], float)


def test_removing_what_is_not_there_changes_nothing() -> None:
    assert not applied("REMOVE absent").modified
    assert applied("SET a = absent").application_properties == {"a": None}


@pytest.mark.parametrize(
    "expression",
    ["", "n = 1", "SET n", "SET n = ", "SET n = (m = 1)", "REMOVE 1", "SET sys.SequenceNumber = 1", "SET sys.Nope = 1"],
)
def test_impossible_actions_are_refused(expression: str) -> None:
    with pytest.raises(FilterInvalid):
        compile_action(expression)


def test_an_action_may_fail_for_a_message() -> None:
    with pytest.raises(FilterFailed):
        applied("SET sys.TimeToLive = 'an hour'")


# Properties

names = st.sampled_from(["a", "b", "c", "missing"])
values = st.none() | st.booleans() | st.integers(-100, 100) | st.sampled_from(["", "x", "xy", "it's", "50%"])


def literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


# A condition as text together with what it means: a function of the properties to True, False or None.
Meaning = Any


def comparison(name: str, symbol: str, value: Any) -> tuple[str, Meaning]:
    tests: dict[str, Any] = {
        "=": lambda a, b: a == b,
        "<>": lambda a, b: a != b,
        "<": lambda a, b: a < b,
        ">=": lambda a, b: a >= b,
    }

    def meaning(properties: dict[str, Any]) -> bool | None:
        left = properties.get(name)
        if left is None or value is None or type(left) is not type(value):
            return None
        if isinstance(left, bool) and symbol not in {"=", "<>"}:
            return None
        return bool(tests[symbol](left, value))

    return f"{name} {symbol} {literal(value)}", meaning


def null_test(name: str, negated: bool) -> tuple[str, Meaning]:
    return f"{name} IS {'NOT ' if negated else ''}NULL", lambda p: (p.get(name) is None) is not negated


def negation(inner: tuple[str, Meaning]) -> tuple[str, Meaning]:
    def meaning(properties: dict[str, Any]) -> bool | None:
        value = inner[1](properties)
        return None if value is None else not value

    return f"NOT ({inner[0]})", meaning


def junction(word: str, one: tuple[str, Meaning], other: tuple[str, Meaning]) -> tuple[str, Meaning]:
    decisive = word == "OR"

    def meaning(properties: dict[str, Any]) -> bool | None:
        both = (one[1](properties), other[1](properties))
        if decisive in both:
            return decisive
        return None if None in both else not decisive

    return f"({one[0]}) {word} ({other[0]})", meaning


conditions = st.recursive(
    st.builds(comparison, names, st.sampled_from(["=", "<>", "<", ">="]), values)
    | st.builds(null_test, names, st.booleans()),
    lambda inner: st.builds(negation, inner) | st.builds(junction, st.sampled_from(["AND", "OR"]), inner, inner),
    max_leaves=8,
)


@given(conditions, st.fixed_dictionaries({}, optional=dict.fromkeys("abc", values)))
def test_conditions_mean_what_three_valued_logic_says(
    condition: tuple[str, Meaning], properties: dict[str, Any]
) -> None:
    text, meaning = condition
    if len(text) <= 1024:
        assert holds(text, **properties) is (meaning(properties) is True)


@given(st.text(alphabet="ab%_'!", max_size=8), st.text(alphabet="ab%_!", max_size=6))
def test_like_agrees_with_a_plain_matcher(value: str, pattern: str) -> None:
    def matches(rest: str, left: str) -> bool:
        if not left:
            return not rest
        if left[0] == "!":
            wanted = left[1] if len(left) > 1 else "!"
            return rest[:1] == wanted and matches(rest[1:], left[2:])
        if left[0] == "%":
            return any(matches(rest[start:], left[1:]) for start in range(len(rest) + 1))
        return bool(rest) and left[0] in {"_", rest[0]} and matches(rest[1:], left[1:])

    expression = f"s LIKE {literal(pattern)} ESCAPE '!'"
    assert holds(expression, s=value) is matches(value, pattern)


@given(st.integers(-50, 50), st.integers(-50, 50).filter(bool))
def test_division_and_remainder_belong_together(left: int, right: int) -> None:
    assert holds("l / r * r + l % r = l", l=left, r=right)


TOKENS = st.sampled_from(
    re.findall(
        r"\[x y\]|\S+",
        "a sys.Label user.b [x y] 'text' 1 2.5 @p = <> != < <= > >= + - * / % ( ) , . ; AND OR NOT IN LIKE ESCAPE "
        "IS NULL EXISTS TRUE FALSE SET REMOVE newid() p( property(",
    )
)


@settings(max_examples=400)
@given(st.lists(TOKENS, max_size=14).map(" ".join) | st.text(max_size=40))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    for compile_text in (compile_condition, compile_action):
        try:
            run = compile_text(text, {"p": 1})
        except FilterInvalid:
            continue
        # A message may fail a sound expression: a division by zero, a text that is to be subtracted.
        with contextlib.suppress(FilterFailed):
            run(message(a=1, b="x"))
