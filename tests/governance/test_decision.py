from __future__ import annotations

import pytest

from aos.governance.decision import Option, as_record, weigh
from aos.kernel.errors import InvalidInput

CHEAP = Option(name="cheap", merits={"cost": 1.0, "quality": 0.2}, reason="It costs little.")
GOOD = Option(name="good", merits={"cost": 0.3, "quality": 0.9})


def test_the_option_with_the_highest_weighted_mean_is_chosen_and_all_are_on_record() -> None:
    decision = weigh("Which?", [CHEAP, GOOD], {"cost": 1, "quality": 3})
    assert decision.selected == "good"
    assert decision.score == pytest.approx(0.75)
    assert decision.confidence == pytest.approx(0.5 + 0.75 - 0.4)
    assert [alternative.option for alternative in decision.alternatives] == ["good", "cheap"]
    assert "quality" in decision.rationale
    assert as_record(decision)["confidence"] == decision.confidence


def test_other_weights_other_choice() -> None:
    assert weigh("Which?", [CHEAP, GOOD], {"cost": 1}).selected == "cheap"


def test_of_two_equal_options_the_first_is_chosen_without_much_confidence() -> None:
    twin = CHEAP.model_copy(update={"name": "twin"})
    decision = weigh("Which?", [CHEAP, twin], {"cost": 1})
    assert (decision.selected, decision.confidence) == ("cheap", 0.5)


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        ([], {"a": 1.0}),
        ([GOOD], {}),
        ([GOOD], {"a": -1.0, "b": 2.0}),
        ([Option(name="x", merits={"a": 2})], {"a": 1.0}),
    ],
)
def test_what_cannot_be_weighed_is_refused(options: list[Option], weights: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        weigh("Which?", options, weights)
