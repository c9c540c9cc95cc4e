"""A/B tests: which variant a run gets, and which of two did better."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import fmean, stdev
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aos.workflows.optimizing.finished_run import FinishedRun
from aos.workflows.optimizing.welch import welch
from aos.workflows.status import RunStatus

LEAST_SAMPLES = 10
"""Of each variant, before one is called the winner."""
Metric = Literal["seconds", "cost", "success"]
Variant = Literal["a", "b"]


class ABTest(BaseModel):
    """A comparison of two workflows, `name` or `name@version`.

    Attributes:
        name: Which comparison it is; the same key gets other variants in another one.
        variant_a, variant_b: The two.
        traffic_split: Share of the keys (0..1) that get `variant_b`.
        metric: What counts: `seconds` or `cost` of completed runs, the less the better, or `success`, the share of
            runs that were completed.
        hours: For how long keys are shared out; after that all get `variant_a`.
        started_at: Since when (with a zone).
        significance: The winner is `significant` where chance would bring such a difference more rarely than this.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    variant_a: str = Field(min_length=1)
    variant_b: str = Field(min_length=1)
    traffic_split: float = Field(default=0.5, ge=0, le=1)
    metric: Metric = "seconds"
    hours: float = Field(default=24.0, gt=0)
    started_at: datetime
    significance: float = Field(default=0.05, gt=0, lt=1)

    def assign(self, key: str, now: datetime) -> Variant:
        """The variant of a key, always the same while the test goes on; no store is asked."""
        if now < self.started_at or now - self.started_at >= timedelta(hours=self.hours):
            return "a"
        digest = hashlib.sha256(f"{self.name}\n{key}".encode()).digest()
        return "b" if int.from_bytes(digest[:8]) < self.traffic_split * 2**64 else "a"

    def workflow(self, key: str, now: datetime) -> str:
        """What to start for a key."""
        return self.variant_a if self.assign(key, now) == "a" else self.variant_b


class Sample(BaseModel):
    """The values of one variant; `deviation` is the sample's standard deviation."""

    model_config = ConfigDict(frozen=True)

    workflow: str
    size: int
    mean: float | None
    deviation: float | None


class ABResult(BaseModel):
    """What came of a test.

    Attributes:
        winner: The variant with the better mean; None while there are too few values, or where the means are equal.
        difference: Mean of `b` less that of `a`.
        p: Chance of such a difference between equals, by Welch's t-test; None while there are too few values.
        significant: Whether `p` is below the test's `significance`.
        why: In words.
    """

    model_config = ConfigDict(frozen=True)

    test: str
    metric: Metric
    a: Sample
    b: Sample
    winner: Variant | None = None
    difference: float | None = None
    p: float | None = None
    significant: bool = False
    why: str


def judge(test: ABTest, runs_a: Sequence[FinishedRun], runs_b: Sequence[FinishedRun]) -> ABResult:
    """Compare what the runs of both variants came to."""
    a, b = _values(test.metric, runs_a), _values(test.metric, runs_b)
    shown: dict[str, Any] = {
        "test": test.name,
        "metric": test.metric,
        "a": _sample(test.variant_a, a),
        "b": _sample(test.variant_b, b),
    }
    found = welch(a, b)
    if found is None or min(len(a), len(b)) < LEAST_SAMPLES:
        why = f"There are {len(a)} and {len(b)} values; {LEAST_SAMPLES} of each are needed."
        return ABResult(**shown, why=why)
    difference = fmean(b) - fmean(a)
    if difference == 0:
        return ABResult(**shown, difference=0.0, p=found.p, why="The means are equal.")
    winner: Variant = "b" if (difference > 0) is (test.metric == "success") else "a"
    significant = found.p < test.significance
    named = test.variant_a if winner == "a" else test.variant_b
    chance = f"by chance such a difference comes with probability {found.p:.3g}"
    why = f"{named} has the better mean; {chance}{'' if significant else ', so this may well be chance'}."
    return ABResult(**shown, winner=winner, difference=difference, p=found.p, significant=significant, why=why)


def _values(metric: Metric, runs: Sequence[FinishedRun]) -> list[float]:
    if metric == "success":
        return [float(run.status is RunStatus.COMPLETED) for run in runs]
    return [run.seconds if metric == "seconds" else run.cost for run in runs if run.status is RunStatus.COMPLETED]


def _sample(workflow: str, values: Sequence[float]) -> Sample:
    return Sample(
        workflow=workflow,
        size=len(values),
        mean=fmean(values) if values else None,
        deviation=stdev(values) if len(values) > 1 else None,
    )
