"""The chief technology officer: weighs what the examiners found, puts the decision on record, and reports."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from agents.cto.judgement import Judgement, judge
from agents.cto.weighing import decide
from agents.review.messages import Changes, Examined, Verdict
from aos.agents import LeadershipAgent, Turn, on
from aos.agents.work import WORK, Work
from aos.governance.decision import Decision, as_record
from aos.storage.artifacts import Artifacts

MAX_TARGETS = 100


class PastDecision(BaseModel):
    """What was decided about a target the last time."""

    decision: str
    score: float
    task_id: str


class CtoState(BaseModel):
    decisions: dict[str, PastDecision] = Field(default_factory=dict)
    decided: int = 0


class ChiefTechnologyOfficer(LeadershipAgent[CtoState]):
    """Decides what should happen to a reviewed code base."""

    type = "cto"
    name = "Chief technology officer"
    role = "CTO"
    purpose = "Keep what the company builds secure, maintainable and understandable, and getting better"
    capabilities = ("decision", "code review", "technology")

    @on(WORK)
    async def weigh(self, turn: Turn, state: CtoState, work: Work) -> Verdict:
        """Weigh the examiners' results, decide, and write the report."""
        reviews = {name: Examined.model_validate(result) for name, result in work.results.items()}
        judgement = await judge(turn, self.purpose, work.target, reviews)
        decision = decide(work.target, reviews, judgement.choice if judgement else None)
        turn.decide(
            decision.question,
            decision.selected,
            **as_record(decision),
            evidence=_evidence(reviews, judgement),
        )
        report = await self._report(turn, work, reviews, decision)
        past = state.decisions.pop(work.target, None)
        score = round(sum(review.score for review in reviews.values()) / len(reviews), 4)
        state.decisions[work.target] = PastDecision(decision=decision.selected, score=score, task_id=work.task_id)
        while len(state.decisions) > MAX_TARGETS:
            state.decisions.pop(next(iter(state.decisions)))
        state.decided += 1
        return Verdict(
            summary=_summary(decision, score, past),
            decision=decision.selected,
            rationale=decision.rationale,
            confidence=decision.confidence,
            score=score,
            counts=_counts(reviews),
            changes=_changes(reviews),
            report=report,
        )

    async def _report(self, turn: Turn, work: Work, reviews: dict[str, Examined], decision: Decision) -> dict[str, str]:
        from aos.tools.review.examine import Examination
        from aos.tools.review.finding import Comparison, merged
        from aos.tools.review.markdown import to_markdown
        from aos.tools.review.report import build_report

        artifacts = Artifacts(turn.blobs)
        examinations, comparisons = [], []
        for review in reviews.values():
            examinations.append(Examination.model_validate_json(await artifacts.get(review.examination)))
            comparisons.append(Comparison.model_validate_json(await artifacts.get(review.comparison)))
        verdict = {"selected": decision.selected, **as_record(decision)}
        notes = {review.domain: review.note for review in reviews.values() if review.note}
        report = build_report(work.target, examinations, merged(comparisons), verdict, turn.now, notes)
        data = await artifacts.put("report.json", report.model_dump_json(indent=2).encode(), "application/json")
        text = await artifacts.put("report.md", to_markdown(report).encode(), "text/markdown; charset=utf-8")
        return {"json": data.id, "markdown": text.id}


def _evidence(reviews: dict[str, Examined], judgement: Judgement | None) -> list[dict[str, Any]]:
    evidence = [
        {"source": name, "type": "examination", "content": review.summary, "artifact": review.examination}
        for name, review in reviews.items()
    ]
    if judgement is not None:
        evidence.append({"source": "model", "type": "judgement", **judgement.model_dump()})
    return evidence


def _summary(decision: Decision, score: float, past: PastDecision | None) -> str:
    text = f"{decision.selected} (score {score:.2f}, confidence {decision.confidence:.2f})"
    if past is None:
        return text
    return f"{text}; last time: {past.decision} (score {past.score:.2f})"


def _counts(reviews: dict[str, Examined]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for review in reviews.values():
        for severity, count in review.counts.items():
            counts[severity] = counts.get(severity, 0) + count
    return counts


def _changes(reviews: dict[str, Examined]) -> Changes:
    parts = [review.changes for review in reviews.values()]
    return Changes(
        first_run=all(part.first_run for part in parts),
        new=sum(part.new for part in parts),
        fixed=sum(part.fixed for part in parts),
        still_there=sum(part.still_there for part in parts),
    )
