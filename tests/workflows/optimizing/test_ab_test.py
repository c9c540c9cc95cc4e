"""A/B tests: who gets which variant, and when one is the better."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from aos.workflows.optimizing.ab_test import ABTest, judge
from aos.workflows.optimizing.finished_run import FinishedRun
from aos.workflows.optimizing.welch import two_sided_p, welch
from aos.workflows.status import RunStatus

START = datetime(2026, 1, 1, tzinfo=UTC)


def ab(**more: Any) -> ABTest:
    return ABTest.model_validate({"name": "t", "variant_a": "x", "variant_b": "y", "started_at": START, **more})


def run(seconds: float, *, failed: bool = False, cost: float = 0.0) -> FinishedRun:
    status = RunStatus.FAILED if failed else RunStatus.COMPLETED
    end = START + timedelta(seconds=seconds)
    return FinishedRun(run_id="r", status=status, started_at=START, finished_at=end, cost=cost)


@pytest.mark.parametrize(
    ("t", "freedom", "p"),
    [
        (12.7062, 1, 0.05),
        (2.2622, 9, 0.05),
        (3.2498, 9, 0.01),
        (1.9600, 1e6, 0.05),
        (0.0, 5, 1.0),
        (1.0, 1, 0.5),
        (0.6870, 20, 0.5),
    ],
)
def test_students_distribution_is_that_of_the_tables(t: float, freedom: float, p: float) -> None:
    assert two_sided_p(t, freedom) == pytest.approx(p, rel=2e-3)
    assert two_sided_p(-t, freedom) == pytest.approx(p, rel=2e-3)


def test_welch_of_samples_that_can_be_worked_out_by_hand() -> None:
    found = welch([1, 2, 3, 4], [2, 4, 6, 8, 10])
    assert found is not None
    assert found.t == pytest.approx(-3.5 / math.sqrt(5 / 12 + 2))
    assert found.freedom == pytest.approx((5 / 12 + 2) ** 2 / ((5 / 12) ** 2 / 3 + 1))
    assert found.p == pytest.approx(2 * _beyond(-found.t, found.freedom), rel=1e-4)


def _beyond(t: float, freedom: float) -> float:
    """The chance of more than `t`, by adding up Student's density in small steps."""
    front = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    step = t / 10_000
    middles = ((number + 0.5) * step for number in range(10_000))
    return 0.5 - step * front * math.fsum((1 + x * x / freedom) ** (-(freedom + 1) / 2) for x in middles)


def test_welch_of_samples_without_variance() -> None:
    assert welch([1.0], [2.0, 3.0]) is None
    same, other = welch([1.0, 1.0], [1.0, 1.0]), welch([1.0, 1.0], [2.0, 2.0])
    assert same is not None
    assert other is not None
    assert (same.t, same.p) == (0.0, 1.0)
    assert (other.t, other.p) == (-math.inf, 0.0)


def test_a_key_has_one_variant_and_the_split_is_kept() -> None:
    test = ab(traffic_split=0.2)
    keys = [f"order-{number}" for number in range(5_000)]
    variants = [test.assign(key, START) for key in keys]
    assert variants == [test.assign(key, START + timedelta(hours=23)) for key in keys]
    assert variants.count("b") == pytest.approx(1_000, abs=120)
    assert variants != [ab(name="other", traffic_split=0.2).assign(key, START) for key in keys]
    more = [ab(traffic_split=0.5).assign(key, START) for key in keys]
    assert all(new == "b" for old, new in zip(variants, more, strict=True) if old == "b"), "more keys, none back"


@pytest.mark.parametrize(("split", "workflow"), [(0.0, "x"), (1.0, "y")])
def test_all_keys_get_one_variant(split: float, workflow: str) -> None:
    assert {ab(traffic_split=split).workflow(str(key), START) for key in range(200)} == {workflow}


def test_after_its_time_all_get_the_first() -> None:
    test = ab(traffic_split=1.0, hours=2)
    assert test.workflow("k", START + timedelta(hours=2)) == "x"
    assert test.workflow("k", START - timedelta(seconds=1)) == "x"


def test_the_better_mean_wins_and_chance_is_told() -> None:
    slow, fast = [run(10 + number % 3) for number in range(12)], [run(8 + number % 3) for number in range(15)]
    found = judge(ab(), slow, fast)
    assert (found.winner, found.significant, found.a.size, found.b.size) == ("b", True, 12, 15)
    assert found.difference == pytest.approx(-2)
    assert found.why.startswith("y has the better mean")
    mixed = judge(ab(), [run(number) for number in range(1, 41)], [run(number + 1) for number in range(1, 41)])
    assert (mixed.winner, mixed.significant) == ("a", False)
    assert "may well be chance" in mixed.why


def test_few_values_and_equal_means_have_no_winner() -> None:
    assert judge(ab(), [run(1)] * 9, [run(2)] * 50).winner is None
    assert judge(ab(), [], []).a.mean is None
    assert judge(ab(), [run(1)] * 10, [run(1)] * 10).winner is None


def test_success_and_cost_as_metrics() -> None:
    often, seldom = [run(1, failed=n % 2 == 0) for n in range(40)], [run(1, failed=n == 0) for n in range(40)]
    found = judge(ab(metric="success"), often, seldom)
    assert (found.winner, found.a.mean, found.significant) == ("b", 0.5, True)
    cheap, dear = [run(1, cost=n % 2) for n in range(20)], [run(1, cost=5 + n % 2) for n in range(20)]
    assert judge(ab(metric="cost"), cheap, dear).winner == "a"
    assert judge(ab(metric="seconds"), often, seldom).a.size == 20, "only completed runs took their time"


def test_a_split_is_a_share() -> None:
    with pytest.raises(ValidationError):
        ab(traffic_split=1.5)
