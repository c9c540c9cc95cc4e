from __future__ import annotations

import pytest

from aos.tools.review.examine import Examination
from aos.tools.review.score import density, score, score_of


def test_nothing_found_is_a_full_score() -> None:
    assert score({}, 0) == score({"low": 0}, 10_000) == 1.0


def test_findings_weigh_by_severity_and_size() -> None:
    assert density({"medium": 2, "low": 4, "info": 10}, 2_000) == pytest.approx(5.5)
    assert score({"low": 20}, 1_000) == 0.5
    assert score({"low": 40}, 2_000) == 0.5
    assert score({"low": 40}, 1_000) == 0.25
    assert score({"low": 1}, 10) == score({"low": 1}, 1_000)


def test_one_grave_finding_is_not_hidden_by_a_large_tree() -> None:
    assert score({"critical": 1}, 1_000_000) == 0.5
    assert score({"high": 1}, 1_000_000) == 0.85


def test_every_graver_finding_costs_more() -> None:
    scores = [score({severity: 3}, 5_000) for severity in ("info", "low", "medium", "high", "critical")]

    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 5


def test_an_examination_is_scored_by_all_of_its_findings() -> None:
    assert score_of(Examination(domain="code", lines=1_000, counts={"low": 20})) == 0.5
