"""How the CTO weighs a review: what speaks for accepting the code base, for accepting it with conditions, for not.

The merits are stated, not guessed: they come from the domains' scores and the gravest findings alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from agents.review.messages import Examined
from aos.governance.decision import Decision, Option, weigh

WEIGHTS: Mapping[str, float] = {"security": 0.45, "code": 0.3, "documentation": 0.15, "progress": 0.1}
"""What matters to the CTO's purpose, and how much."""

ACCEPT = "accept"
CONDITIONS = "accept with conditions"
REWORK = "send back for rework"


JUDGEMENT_WEIGHT = 0.2
"""What a model's judgement counts beside the rest, which adds up to 1."""


def decide(target: str, reviews: Mapping[str, Examined], judged: str | None = None) -> Decision:
    """Choose what to do about a reviewed code base; `judged` is what a model would choose, where one was asked."""
    progress = _progress(reviews)
    critical = [domain for domain, review in reviews.items() if review.counts.get("critical")]
    options = [
        Option(
            name=ACCEPT,
            merits={domain: _clean(review) for domain, review in reviews.items()} | {"progress": progress},
            reason=_accept_reason(reviews),
        ),
        Option(
            name=CONDITIONS,
            merits=dict.fromkeys(reviews, 0.7) | dict.fromkeys(critical, 0.35) | {"progress": 0.7},
            reason="What is grave can be named and mended one by one.",
        ),
        Option(
            name=REWORK,
            merits={domain: _grave(review) for domain, review in reviews.items()} | {"progress": 1 - progress},
            reason=_rework_reason(reviews),
        ),
    ]
    weights = dict(WEIGHTS)
    if judged is not None:
        weights["judgement"] = JUDGEMENT_WEIGHT
        for option in options:
            option.merits["judgement"] = float(option.name == judged)
    return weigh(f"What should happen to {target}?", options, weights)


def _clean(review: Examined) -> float:
    """The domain's score, or little where something grave was found."""
    return min(review.score, 0.3) if _grave_count(review) else review.score


def _grave(review: Examined) -> float:
    """How much of the domain speaks for rework: all of it where something is critical."""
    return 0.95 if review.counts.get("critical") else round(0.8 * (1 - review.score), 4)


def _progress(reviews: Mapping[str, Examined]) -> float:
    """1 where more was fixed than is new since the last run, 0 the other way round, a half where nothing is known."""
    new = sum(review.changes.new for review in reviews.values())
    fixed = sum(review.changes.fixed for review in reviews.values())
    return fixed / (new + fixed) if new + fixed else 0.5


def _grave_count(review: Examined) -> int:
    return review.counts.get("critical", 0) + review.counts.get("high", 0)


def _accept_reason(reviews: Mapping[str, Examined]) -> str:
    grave = sum(map(_grave_count, reviews.values()))
    return f"{grave} findings are critical or high." if grave else "Nothing critical or high was found."


def _rework_reason(reviews: Mapping[str, Examined]) -> str:
    weakest = min(reviews.values(), key=lambda review: review.score)
    return f"The weakest domain is {weakest.domain}, with a score of {weakest.score:.2f}."
