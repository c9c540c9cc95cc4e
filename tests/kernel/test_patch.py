import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aos.kernel import patch

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, json_values)
def test_applying_the_difference_gives_the_other_value(before: Any, after: Any) -> None:
    result = patch.apply(copy.deepcopy(before), patch.diff(before, after))
    assert result == after
    assert repr(result) == repr(after) or not isinstance(after, bool | int | float)


def test_only_what_changed_is_kept() -> None:
    before = {"a": 1, "b": {"c": [1, 2, 3], "d": "x"}, "gone": True}
    after = {"a": 1, "b": {"c": [1, 2, 3, 4], "d": "y"}, "new": None}
    assert patch.diff(before, after) == [
        ["del", ["gone"]],
        ["add", ["b", "c"], [4]],
        ["set", ["b", "d"], "y"],
        ["set", ["new"], None],
    ]


def test_true_and_one_are_different() -> None:
    assert patch.diff({"a": 1}, {"a": True}) == [["set", ["a"], True]]


def test_a_list_that_moved_on_is_kept_whole() -> None:
    before, after = {"last": [1, 2, 3, 4]}, {"last": [2, 3, 4, 5]}
    assert patch.diff(before, after) == [["set", ["last"], [2, 3, 4, 5]]]
