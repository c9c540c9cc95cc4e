"""Marks of steps: few bytes, whatever the size of the workflow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aos.workflows.run.marks import Mark, Marks


@given(st.lists(st.tuples(st.integers(0, 249), st.sampled_from(list(Mark))), max_size=60))
def test_marks_are_what_was_put_last(changes: list[tuple[int, Mark]]) -> None:
    stored = Marks.fresh(250)
    expected = [Mark.PENDING] * 250
    for place, mark in changes:
        Marks(stored)[place] = mark
        expected[place] = mark
    marks = Marks(stored)
    assert list(marks) == expected
    assert [marks[place] for place in range(250)] == expected
    for mark in Mark:
        places = [place for place, found in enumerate(expected) if found is mark]
        assert marks.places(mark) == places
        assert marks.first(mark) == (places[0] if places else None)
        assert marks.has(mark) == bool(places)


def test_a_change_touches_one_chunk() -> None:
    before = Marks.fresh(1_000)
    after = list(before)
    Marks(after)[555] = Mark.COMPLETED
    assert [number for number in range(10) if before[number] != after[number]] == [5]
    assert after[5] == ".55c.44"


def test_one_mark_takes_the_place_of_another() -> None:
    stored = Marks.fresh(150)
    Marks(stored)[3] = Mark.COMPLETED
    Marks(stored).replace(Mark.PENDING, Mark.SKIPPED)
    assert list(Marks(stored)).count(Mark.SKIPPED) == 149
