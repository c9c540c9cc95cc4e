"""Alignment with a purpose: how far words go, and what a model adds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from aos.agents import LeadershipAgent, NoState, PurposeDrivenAgent, Turn, on
from aos.agents.alignment import by_words
from aos.agents.purpose import Purpose
from aos.agents.similarity import Statements, statements, text_of, words_of
from aos.llm.errors import AuthenticationFailed, StructureInvalid
from tests.harness import MemorySystem
from tests.llm.scripted import Stage, said, stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("CEO", "Set the company's vision for the next decade"),
        ("CEO", "Approve the strategic plan to grow abroad"),
        ("CFO", "Assess the financial risks of the loan"),
        ("CFO", "Check that the reports comply: compliance with IFRS"),
        ("CTO", "Review the architecture of the payment service for security"),
        ("CTO", "Pick a new technology for search"),
        ("CMO", "Run a campaign to strengthen our brand with customers"),
        ("COO", "Make the shipping process more efficient"),
        ("CHRO", "Develop talents within the engineering culture"),
    ],
)
def test_words_tell_what_serves_a_role_from_what_serves_none(role: str, action: str) -> None:
    purpose = LeadershipAgent[NoState](role.lower(), role=role).whole_purpose
    assert by_words(purpose, action, now=NOW).aligned
    for other in ("Order sandwiches for lunch", "Water the plants", "weather.report rain 12 mm"):
        assert not by_words(purpose, other, now=NOW).aligned


def test_the_score_grows_with_what_is_shared_and_is_one_for_the_same_words() -> None:
    compared = Statements(["See that customers pay their invoices", "No invoice is overdue"])
    scores = [
        compared.compare(text).score
        for text in (
            "Plant a tree",
            "A customer called about the weather",
            "Customers paying invoices",
            "invoice overdue",
        )
    ]
    assert scores == sorted(scores)
    assert scores[0] == 0.0
    assert scores[-1] == pytest.approx(1.0)


def test_active_goals_count_as_part_of_the_purpose() -> None:
    purpose = Purpose("Lead the company")
    assert not by_words(purpose, "Plant trees", now=NOW).aligned
    judged = by_words(purpose, "Plant trees", goals=("Plant a thousand trees",), now=NOW)
    assert judged.aligned
    assert "it shares 'plant', 'trees' with 'Plant a thousand trees'" in judged.reasoning


def test_words_are_found_in_names_and_values_of_json_within_a_limit() -> None:
    value = {"orderPlaced": ["by a customer", {"number_of": 7}], "x": None}
    assert words_of(text_of(value, 1_000)) == ["order", "placed", "customer", "number"]
    assert len(text_of({"a" * 50: ["b" * 50] * 50}, 60)) <= 62


def test_texts_without_meaning_match_nothing() -> None:
    assert statements(("the and of",)).compare("the and of").score == 0.0
    assert statements(()).compare("anything").score == 0.0


class Weigher(PurposeDrivenAgent[NoState]):
    type = "weigher"
    purpose = "Keep the sea clean"

    @on("judge")
    async def judge(self, turn: Turn, state: NoState, action: str) -> dict[str, Any]:
        return await self.evaluate_purpose_alignment(action, turn)

    @on("decide")
    async def decide(self, turn: Turn, state: NoState, options: list[str]) -> dict[str, Any]:
        return await self.make_purpose_driven_decision(turn, {"options": options})


async def judged(scene: Stage | None, message_type: str, data: Any) -> tuple[Any, MemorySystem]:
    agent = Weigher()
    world = MemorySystem(agent)
    world.registry.surroundings.find_router = lambda: scene.router if scene else None
    return (await agent.handle_event({"type": message_type, "data": data}))["result"], world


def judgement(score: float, reasoning: str) -> Any:
    return said(json.dumps({"score": score, "reasoning": reasoning}))


async def test_with_a_model_its_judgement_and_its_reason_are_taken_and_paid_for_in_the_turn() -> None:
    scene = stage(a=[judgement(0.9, "Nets kill fish and are waste.")])
    result, world = await judged(scene, "judge", "Collect ghost nets")
    assert (result["method"], result["aligned"], result["alignment_score"]) == ("model", True, 0.9)
    assert result["reasoning"] == "Action aligns with purpose: Nets kill fish and are waste."
    asked = json.loads(scene.script.seen[0].request.messages[-1].text)
    assert (asked["purpose"], asked["action"]) == ("Keep the sea clean", "Collect ghost nets")
    [entry] = await world.system.directory.journal("weigher")
    assert entry.usage["model_calls"] == 1


async def test_options_are_chosen_by_the_models_judgement() -> None:
    scene = stage(a=[judgement(0.1, "No."), judgement(0.8, "Yes.")])
    result, _ = await judged(scene, "decide", ["Paint the sea", "Collect ghost nets"])
    assert (result["selected_option"], result["alignment_score"]) == ("Collect ghost nets", 0.8)


@pytest.mark.parametrize("play", [AuthenticationFailed("no"), StructureInvalid("no JSON")])
async def test_where_no_model_judges_words_are_compared_and_that_is_said(play: Any) -> None:
    result, _ = await judged(stage(a=[play] * 9, b=[play] * 9, c=[play] * 9), "judge", "Clean the sea")
    assert (result["method"], result["aligned"]) == ("lexical", True)
    assert "words alone were compared" in result["reasoning"]
