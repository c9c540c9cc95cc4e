from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from aos.governance.decision_engine import HISTORY, DecisionEngine, EngineSettings, Principle
from aos.governance.decision_tree import Branch, Leaf
from aos.kernel.errors import InvalidInput, SettingInvalid

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TREE = Branch(
    criterion="amount",
    operator=">",
    value=1_000,
    then=Leaf(action="escalate"),
    otherwise=Branch(
        criterion="known", operator="==", value=True, then=Leaf(action="approve"), otherwise=Leaf(action="reject")
    ),
)


def engine(**settings: Any) -> DecisionEngine:
    return DecisionEngine(EngineSettings(**settings), clock=lambda: NOW)


@pytest.mark.parametrize(
    ("evidence", "action"),
    [
        ({"amount": 5_000, "known": True}, "escalate"),
        ({"amount": 10, "known": True}, "approve"),
        ({"amount": 1_000, "known": False}, "reject"),
        ({"amount": "much"}, "reject"),
        ({}, "reject"),
    ],
)
def test_the_tree_leads_to_an_action(evidence: dict[str, Any], action: str) -> None:
    decided = engine(decision_tree=TREE)
    assert decided.decide("cfo", evidence).action == action
    assert decided.decide("cfo", evidence, options=["reject", "approve", "escalate"]).views["tree"][action] == 1.0


def test_without_settings_it_approves() -> None:
    decision = engine().decide("cfo", {}, context={"for": "lunch"})
    assert (decision.decision_id, decision.agent_id, decision.action) == ("decision_1", "cfo", "approve")
    assert (decision.timestamp, decision.context) == (NOW, {"for": "lunch"})
    assert (decision.score, decision.confidence) == ({"approve": 1.0}, 1.0)


def test_principles_add_up_weighted_and_clamped_and_may_concern_some_actions_only() -> None:
    principles = (
        Principle(name="return", criterion="gain", weight=0.5),
        Principle(name="caution", criterion="risk", weight=-1.0, actions=frozenset({"buy"})),
    )
    decision = engine(principles=principles).decide(
        "cfo", {"risk": 0.4, "buy": {"gain": 1.0}, "wait": {"gain": 0.6}}, options=["buy", "wait"]
    )
    assert decision.views["principles"] == {"buy": 0.1, "wait": 0.3}
    assert decision.action == "wait"
    many = engine(principles=principles).decide("cfo", {"gain": 9}, options=["wait"])
    assert many.views["principles"] == {"wait": 1.0}


def test_evidence_counts_its_numbers_up_to_ten_and_no_truths_or_words() -> None:
    decision = engine().decide("a", {"x": {"n": 4, "ok": True, "w": "9"}, "y": {"n": 25}}, options=["x", "y"])
    assert decision.views["evidence"] == {"x": 0.4, "y": 1.0}


@pytest.mark.parametrize(("scoring", "score"), [("weighted", 0.65), ("max", 1.0), ("min", 0.3)])
def test_the_views_are_blended_as_set_and_their_agreement_is_the_confidence(scoring: str, score: float) -> None:
    decision = engine(scoring=scoring).decide("a", {"n": 3}, options=["approve", "reject"])
    assert decision.views == {"tree": {"approve": 1.0, "reject": 0.0}, "evidence": {"approve": 0.3, "reject": 0.3}}
    assert decision.score["approve"] == score
    assert decision.confidence == pytest.approx(1 - 0.35**2)


def test_views_can_weigh_differently_or_not_at_all() -> None:
    weighted = engine(weights={"tree": 3.0, "evidence": 1.0}).decide("a", {"n": 3}, options=["approve", "reject"])
    assert weighted.score["approve"] == 0.825
    assert engine(weights={}).decide("a", {"n": 3}, options=["approve"]).score == {"approve": 0.65}


def test_it_says_why_and_can_go_on_record() -> None:
    decision = engine(decision_tree=TREE).decide("cfo", {"amount": 5, "known": True}, options=["approve", "reject"])
    assert (
        "'approve' scores 0.75 (weighted of tree 1.00, evidence 0.50), against 0.25 of 'reject'" in decision.reasoning
    )
    assert "amount > 1000: no; known == True: yes" in decision.reasoning
    record = decision.as_record()
    assert [each["option"] for each in record["alternatives"]] == ["approve", "reject"]
    assert record["alternatives"][1]["reason"] == "tree 0.00, evidence 0.50"


def test_of_equal_options_the_earlier_is_chosen_and_the_same_evidence_gives_the_same_choice() -> None:
    decided = engine()
    assert [decided.decide("a", {"n": 1}, options=["y", "x"]).action for _ in range(3)] == ["y", "y", "y"]


def test_the_history_is_bounded_and_ids_go_on() -> None:
    decided = engine()
    for _ in range(HISTORY + 5):
        decided.decide("a", {})
    assert len(decided.history) == HISTORY
    assert (decided.history[0].decision_id, decided.history[-1].decision_id) == (
        "decision_6",
        f"decision_{HISTORY + 5}",
    )


def test_it_is_read_from_json_and_what_it_cannot_be_is_named() -> None:
    settings: dict[str, Any] = {
        "principles": [{"name": "p", "criterion": "c", "weight": 0.5}],
        "decision_tree": TREE.model_dump(),
    }
    decided = DecisionEngine.from_json(json.dumps(settings), clock=lambda: NOW)
    assert decided.decide("a", {"amount": 2_000}).action == "escalate"
    settings["decision_tree"] = {**TREE.model_dump(), "operator": "<"}
    with pytest.raises(SettingInvalid, match=r"decision_tree.*operator"):
        DecisionEngine.from_json(json.dumps(settings), clock=lambda: NOW)
    with pytest.raises(SettingInvalid, match="not JSON"):
        DecisionEngine.from_json("{", clock=lambda: NOW)


def test_options_must_be_told_apart() -> None:
    with pytest.raises(InvalidInput, match="name of its own"):
        engine().decide("a", {}, options=["x", "x"])
