"""What the examiners share: unpack the code base, examine it, remember what was found, say what changed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, Field

from agents.review.messages import Changes, Examined, SourceParameters
from aos.agents import Agent, Turn, on
from aos.agents.work import WORK, Work
from aos.kernel.ports import BlobStore
from aos.storage.artifacts import Artifacts
from aos.tools.review.finding import Domain, compare

if TYPE_CHECKING:
    from aos.tools.review.examine import Examination

MAX_TARGETS = 50
"""Targets an examiner remembers; the one seen longest ago is forgotten first."""


class Remembered(BaseModel):
    """What an examiner knows of a target: the findings of the last run (labels by fingerprint), and its score."""

    runs: int = 0
    findings: dict[str, str] = Field(default_factory=dict)
    score: float = 0.0


class ReviewerState(BaseModel):
    targets: dict[str, Remembered] = Field(default_factory=dict)
    reviews: int = 0


class Reviewer(Agent[ReviewerState]):
    """An agent that examines one domain of a code base with the tools for it."""

    domain: ClassVar[Domain]

    @on(WORK)
    async def review(self, turn: Turn, state: ReviewerState, work: Work) -> Examined:
        """Examine the packed code base that the task brought."""
        source = SourceParameters.model_validate(work.parameters).source
        examined = await turn.step("examine", lambda: self._examine(turn.blobs, source))
        note = await self._note(turn, examined["artifact"])
        known = state.targets.pop(work.target, None)
        comparison = compare(known.findings if known else None, examined["findings"])
        state.targets[work.target] = Remembered(
            runs=(known.runs if known else 0) + 1, findings=examined["findings"], score=examined["score"]
        )
        while len(state.targets) > MAX_TARGETS:
            state.targets.pop(next(iter(state.targets)))
        state.reviews += 1
        stored = await Artifacts(turn.blobs).put(
            f"{self.domain}-comparison.json", comparison.model_dump_json().encode(), "application/json"
        )
        turn.record("examined", target=work.target, counts=examined["counts"], tools=examined["tools"])
        changes = Changes(
            first_run=comparison.first,
            new=0 if comparison.first else len(comparison.new),
            fixed=len(comparison.fixed),
            still_there=len(comparison.still_there),
        )
        return Examined(
            domain=self.domain,
            summary=_summary(examined, changes),
            examination=examined["artifact"],
            score=examined["score"],
            counts=examined["counts"],
            changes=changes,
            comparison=stored.id,
            note=note,
        )

    async def _note(self, turn: Turn, examination: str) -> str:
        if not turn.can_think:
            return ""
        from agents.review.counsel import priorities
        from aos.tools.review.examine import Examination

        found = Examination.model_validate_json(await Artifacts(turn.blobs).get(examination))
        return await priorities(turn, self.purpose, found)

    async def _examine(self, blobs: BlobStore, source: str) -> dict[str, Any]:
        from aos.tools.review.archive import unpack
        from aos.tools.review.examine import examine
        from aos.tools.review.score import score_of
        from aos.tools.review.source_tree import SourceTree

        artifacts = Artifacts(blobs)
        packed = await artifacts.get(source)
        with tempfile.TemporaryDirectory(prefix="aos-review-") as folder:
            root = Path(folder) / "source"
            await unpack(packed, root)
            tree = await SourceTree.open(root)
            found: Examination = await examine(self.domain, tree)
        name = f"{self.domain}-examination.json"
        stored = await artifacts.put(name, found.model_dump_json().encode(), "application/json")
        return {
            "artifact": stored.id,
            "score": score_of(found),
            "counts": {severity: count for severity, count in found.counts.items() if count},
            "findings": found.known,
            "tools": [tool.name for tool in found.tools],
        }


def _summary(examined: dict[str, Any], changes: Changes) -> str:
    counts = ", ".join(f"{count} {severity}" for severity, count in examined["counts"].items()) or "nothing"
    text = f"found {counts}; score {examined['score']:.2f}"
    if changes.first_run:
        return text
    return f"{text}; since the last run {changes.new} new, {changes.fixed} fixed, {changes.still_there} still there"
