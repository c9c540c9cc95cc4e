"""Advice on a workflow from its latest runs: five techniques, each with the numbers it rests on.

It is advice to people: whether two steps may be swapped depends on what they do, which numbers do not tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict

from aos.workflows.definition.graph import Graph
from aos.workflows.optimizing.figures import StepFigures, figures_of
from aos.workflows.optimizing.finished_run import FinishedRun
from aos.workflows.optimizing.recommendation import Recommendation
from aos.workflows.optimizing.techniques import TECHNIQUES
from aos.workflows.status import RunStatus

LATEST_RUNS = 100
LEAST_RUNS = 10


class Advice(BaseModel):
    """What is to be said of a workflow.

    Attributes:
        runs: How many were looked at.
        enough: Whether these are enough for recommendations.
        failures: Share of runs that were not completed.
        mean_seconds, mean_cost: Of completed runs.
    """

    model_config = ConfigDict(frozen=True)

    workflow: str
    version: str
    runs: int
    enough: bool
    failures: float = 0.0
    mean_seconds: float = 0.0
    mean_cost: float = 0.0
    steps: dict[str, StepFigures] = {}
    recommendations: list[Recommendation] = []


def advise(graph: Graph, runs: Sequence[FinishedRun]) -> Advice:
    """Look at the latest runs of one version of a workflow, newest first; at most a hundred, at least ten."""
    latest = list(runs[:LATEST_RUNS])
    workflow = graph.workflow
    if len(latest) < LEAST_RUNS:
        return Advice(workflow=workflow.name, version=workflow.version, runs=len(latest), enough=False)
    completed = [run for run in latest if run.status is RunStatus.COMPLETED]
    figures = figures_of(graph, latest)
    found = [each for technique in TECHNIQUES for each in technique(graph, latest, figures)]
    return Advice(
        workflow=workflow.name,
        version=workflow.version,
        runs=len(latest),
        enough=True,
        failures=1 - len(completed) / len(latest),
        mean_seconds=fmean(run.seconds for run in completed) if completed else 0.0,
        mean_cost=fmean(run.cost for run in completed) if completed else 0.0,
        steps=figures,
        recommendations=sorted(found, key=lambda each: -(each.saves_seconds or 0.0)),
    )
