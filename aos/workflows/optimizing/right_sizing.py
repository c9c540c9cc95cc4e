"""Limits that runs reach, or come close to: steps at a time, time-outs, the budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from aos.workflows.definition.graph import Graph
from aos.workflows.optimizing.figures import StepFigures, percentile
from aos.workflows.optimizing.finished_run import FinishedRun
from aos.workflows.optimizing.recommendation import Recommendation
from aos.workflows.status import RunStatus

Figures = Mapping[str, StepFigures]

_WORTH = 0.05
"""Share of a run's time that steps must have waited for each other."""
_OFTEN = 0.1
_CLOSE = 0.8
_FAR = 20


def resource_right_sizing(graph: Graph, runs: Sequence[FinishedRun], figures: Figures) -> list[Recommendation]:
    """Limits that are reached, or nearly: steps at a time, time-outs, the budget."""
    return [*_concurrency(graph, runs, figures), *_timeouts(graph, figures), *_budget(graph, runs)]


def _concurrency(graph: Graph, runs: Sequence[FinishedRun], figures: Figures) -> list[Recommendation]:
    limit = graph.workflow.concurrency
    full = sum(_most_at_once(run) >= limit for run in runs)
    waits = sum(each.wait_seconds for each in figures.values())
    mean = fmean(run.seconds for run in runs)
    if full < _OFTEN * len(runs) or waits < _WORTH * mean:
        return []
    numbers = {"concurrency": limit, "runs_at_the_limit": full, "wait_seconds_of_all_steps": _short(waits)}
    what = f"{full} of {len(runs)} runs had {limit} steps at work, and others waited. Raise `concurrency`."
    return [Recommendation(technique="resource_right_sizing", what=what, numbers=numbers)]


def _timeouts(graph: Graph, figures: Figures) -> list[Recommendation]:
    found = []
    for step in graph.steps:
        figure = figures.get(step.id)
        if step.timeout is None or figure is None or not figure.longest_seconds:
            continue
        limit = step.timeout.total_seconds()
        numbers = {"timeout_seconds": limit, "late_seconds": _short(figure.late_seconds)}
        if figure.late_seconds >= _CLOSE * limit:
            what = f"{step.id!r} comes close to its time-out: one in twenty takes {figure.late_seconds:.3g} s or more. "
            what += f"Raise it to {2 * figure.late_seconds:.3g} s."
        elif figure.longest_seconds * _FAR <= limit:
            what = (
                f"{step.id!r} never took longer than {figure.longest_seconds:.3g} s. Lower its time-out, so that one "
            )
            what += f"that hangs is given up earlier: {3 * figure.longest_seconds:.3g} s would do."
        else:
            continue
        found.append(Recommendation(technique="resource_right_sizing", steps=[step.id], what=what, numbers=numbers))
    return found


def _budget(graph: Graph, runs: Sequence[FinishedRun]) -> list[Recommendation]:
    budget = graph.workflow.budget
    late = percentile([run.cost for run in runs if run.status is RunStatus.COMPLETED], 0.95)
    if budget is None or late < _CLOSE * budget:
        return []
    what = f"One run in twenty costs ${late:.4g} or more, and the budget is ${budget:.4g}. Raise it, or spend less."
    numbers = {"budget": budget, "late_cost": round(late, 6)}
    return [Recommendation(technique="resource_right_sizing", what=what, numbers=numbers)]


def _most_at_once(run: FinishedRun) -> int:
    changes: Counter[tuple[float, int]] = Counter()
    for step in run.steps.values():
        if step.started_at is not None and step.finished_at is not None and step.seconds:
            changes[step.started_at.timestamp(), 1] += 1
            changes[step.finished_at.timestamp(), -1] += 1
    most = now = 0
    for (_, change), count in sorted(changes.items()):
        now += change * count
        most = max(most, now)
    return most


def _short(seconds: float) -> float:
    return round(seconds, 3)
