"""Weighs options by criteria, and says why one was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from aos.kernel.errors import InvalidInput


class Option(BaseModel):
    """One thing that could be done. `merits` are 0..1 by criterion; a missing one counts as 0.

    `reason` says what speaks for or against it, for people.
    """

    name: str
    merits: dict[str, float]
    reason: str = ""


class Alternative(BaseModel):
    """An option with the score it got, 0..1."""

    option: str
    score: float
    reason: str


class Decision(BaseModel):
    """What was chosen, why, and what else there was.

    Attributes:
        question: What was to be decided.
        selected: Name of the chosen option.
        score: Its weighted mean, 0..1.
        confidence: 0..1: how far it is ahead of the next best, half of it being plain trust in a clear winner.
        rationale: In a sentence.
        alternatives: All options, best first, the chosen one included.
    """

    question: str
    selected: str
    score: float
    confidence: float
    rationale: str
    alternatives: list[Alternative] = Field(default_factory=list)


def weigh(question: str, options: Sequence[Option], weights: Mapping[str, float]) -> Decision:
    """Choose the option with the highest weighted mean of its merits; the earlier one where two are equal.

    Args:
        question: What is to be decided.
        options: At least one.
        weights: How much each criterion matters; at least one above zero.

    Raises:
        InvalidInput: there is nothing to choose from, or nothing to choose by.
    """
    total = sum(weights.values())
    if not options:
        raise InvalidInput("There is no option to choose from. Give at least one.")
    if total <= 0 or any(weight < 0 for weight in weights.values()):
        raise InvalidInput("The criteria have no weight. Give each zero or more, and one more than zero.")
    scored = [(_score(option, weights, total), option) for option in options]
    ranked = sorted(scored, key=lambda item: -item[0])
    best_score, best = ranked[0]
    lead = best_score - ranked[1][0] if len(ranked) > 1 else 1.0
    return Decision(
        question=question,
        selected=best.name,
        score=round(best_score, 4),
        confidence=round(min(1.0, 0.5 + lead), 4),
        rationale=_rationale(best, best_score, ranked[1] if len(ranked) > 1 else None, weights),
        alternatives=[
            Alternative(option=option.name, score=round(score, 4), reason=option.reason) for score, option in ranked
        ],
    )


def _score(option: Option, weights: Mapping[str, float], total: float) -> float:
    for criterion, merit in option.merits.items():
        if not 0 <= merit <= 1:
            raise InvalidInput(f"Merit {criterion!r} of option {option.name!r} is {merit}; it must be from 0 to 1.")
    return sum(weight * option.merits.get(name, 0.0) for name, weight in weights.items()) / total


def _rationale(best: Option, score: float, second: tuple[float, Option] | None, weights: Mapping[str, float]) -> str:
    strongest = max(weights, key=lambda name: weights[name] * best.merits.get(name, 0.0))
    text = f"{best.name!r} scores {score:.2f}, most of it for {strongest}"
    if second is not None:
        text += f", against {second[0]:.2f} of {second[1].name!r}"
    return f"{text}. {best.reason}".strip()


def as_record(decision: Decision) -> dict[str, Any]:
    """The decision in the form `Turn.decide` takes, without the question and the choice."""
    return {
        "rationale": decision.rationale,
        "alternatives": [alternative.model_dump() for alternative in decision.alternatives],
        "confidence": decision.confidence,
    }
