"""The report of a review, as data: what it holds and how it is put together. `markdown.py` writes it for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from aos.kernel.errors import InvalidInput
from aos.tools.review.examine import Examination
from aos.tools.review.finding import DOMAINS, SEVERITIES, Comparison, Domain, Severity
from aos.tools.review.score import score_of


class Alternative(BaseModel):
    """An option that was weighed, with its score from 0 to 1."""

    option: str
    score: float
    reason: str = ""


class Verdict(BaseModel):
    """The decision on the review: what was selected, why, among what, and how sure that is (0..1)."""

    selected: str
    rationale: str
    alternatives: list[Alternative] = Field(default_factory=list)
    confidence: float = Field(ge=0, le=1)


class Report(BaseModel):
    """A review, complete.

    Attributes:
        format: Name and version of this shape.
        target: What was reviewed, for people.
        made_at: When.
        summary: The outcome in a few sentences.
        verdict: The decision.
        scores: 0..1 by domain; `score.py` says how.
        counts: All findings by severity, over all domains.
        comparison: What changed since the last review of the same target.
        examinations: One a domain: code, security, documentation.
        notes: What else the reviewers have to say, by domain.
    """

    format: Literal["aos.review/1"] = "aos.review/1"
    target: str
    made_at: datetime
    summary: str
    verdict: Verdict
    scores: dict[Domain, float]
    counts: dict[Severity, int]
    comparison: Comparison
    examinations: list[Examination]
    notes: dict[Domain, str] = Field(default_factory=dict)


def build_report(
    target: str,
    examinations: Sequence[Examination],
    comparison: Comparison,
    decision: Mapping[str, Any],
    made_at: datetime,
    notes: Mapping[Domain, str] | None = None,
) -> Report:
    """Put a report together.

    Args:
        target: What was reviewed, for people.
        examinations: At most one a domain, in any order.
        comparison: With the last review.
        decision: `selected`, `rationale`, `alternatives` (each `option`, `score`, `reason`), `confidence`.
        made_at: When.
        notes: What reviewers add in words, by domain.

    Raises:
        InvalidInput: the decision lacks something, or a domain is there twice.
    """
    domains = [examination.domain for examination in examinations]
    if len(set(domains)) != len(domains):
        raise InvalidInput("A domain was examined twice. Give one examination for each.")
    try:
        verdict = Verdict.model_validate(dict(decision))
    except ValidationError as error:
        missing = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
        raise InvalidInput(f"The decision is not complete: check {missing}.") from error
    counts = {
        severity: sum(examination.counts.get(severity, 0) for examination in examinations) for severity in SEVERITIES
    }
    return Report(
        target=target,
        made_at=made_at,
        summary=_summary(target, examinations, counts, comparison, verdict),
        verdict=verdict,
        scores={examination.domain: score_of(examination) for examination in examinations},
        counts=counts,
        comparison=comparison,
        examinations=sorted(examinations, key=lambda examination: DOMAINS.index(examination.domain)),
        notes=dict(notes or {}),
    )


def _summary(
    target: str,
    examinations: Sequence[Examination],
    counts: Mapping[Severity, int],
    comparison: Comparison,
    verdict: Verdict,
) -> str:
    lines = max((examination.lines for examination in examinations), default=0)
    found = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count) or "none"
    parts = [
        f"{target} has {lines} lines of code and prose.",
        f"Findings: {sum(counts.values())} ({found})." if sum(counts.values()) else "There are no findings.",
    ]
    if not comparison.first:
        parts.append(
            f"Since the last review, {len(comparison.new)} are new, {len(comparison.fixed)} are fixed and"
            f" {len(comparison.still_there)} are still there."
        )
    parts.append(f"The verdict is: {verdict.selected}.")
    return " ".join(parts)
