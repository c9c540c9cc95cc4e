"""The steps of a workflow in numbers, over many runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict

from aos.agents.work import WORK
from aos.workflows.definition.graph import Graph
from aos.workflows.definition.usage import steps_used
from aos.workflows.optimizing.finished_run import FinishedRun
from aos.workflows.status import StepStatus


class StepFigures(BaseModel):
    """One step.

    Attributes:
        runs: In how many runs it was done, or failed.
        mean_seconds, longest_seconds, late_seconds: How long it took where it was completed; `late` is the 95th
            percentile.
        failures: Share of those runs in which it failed.
        attempts: Mean number of attempts.
        wait_seconds: Mean time between the end of what it needs and its beginning.
        mean_cost: US dollars.
    """

    model_config = ConfigDict(frozen=True)

    runs: int
    mean_seconds: float
    late_seconds: float
    longest_seconds: float
    failures: float
    attempts: float
    wait_seconds: float
    mean_cost: float


def figures_of(graph: Graph, runs: Sequence[FinishedRun]) -> dict[str, StepFigures]:
    """Each step that was done in any of the runs, by id."""
    found = {}
    for place, step in enumerate(graph.steps):
        begun = [(run, run.steps[step.id]) for run in runs if step.id in run.steps]
        ended = [(run, each) for run, each in begun if each.seconds is not None and each.status in _ENDED]
        if not ended:
            continue
        took = [each.seconds or 0.0 for _, each in ended if each.status is StepStatus.COMPLETED]
        needs = [graph.steps[need].id for need in graph.needs[place]]
        found[step.id] = StepFigures(
            runs=len(ended),
            mean_seconds=fmean(took) if took else 0.0,
            late_seconds=percentile(took, 0.95),
            longest_seconds=max(took, default=0.0),
            failures=sum(each.status is StepStatus.FAILED for _, each in ended) / len(ended),
            attempts=fmean(each.attempts for _, each in ended),
            wait_seconds=fmean(_waited(run, step.id, needs) for run, _ in ended),
            mean_cost=fmean(each.cost for _, each in ended),
        )
    return found


def unused_needs(graph: Graph, place: int) -> frozenset[int]:
    """Steps that a step waits for without using what they came to; gates such as approvals are not among them."""
    step = graph.steps[place]
    if step.agent is not None and step.message == WORK:
        # Such an agent is given the results of all the steps it needs.
        return frozenset()
    used = steps_used(step)
    return frozenset(
        need for need in graph.needs[place] if graph.steps[need].id not in used and graph.steps[need].kind != "wait"
    )


def longest_path(graph: Graph, seconds: Mapping[str, float], dropped: Mapping[int, frozenset[int]]) -> float:
    """Seconds from the first step to the last where each takes as long as is said, without the `dropped` needs."""
    ends: dict[int, float] = {}
    for place in _in_order(graph):
        needs = set(graph.needs[place]) - dropped.get(place, frozenset())
        before = max((ends[need] for need in needs), default=0.0)
        ends[place] = before + seconds.get(graph.steps[place].id, 0.0)
    return max(ends.values())


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed (nearest rank); 0 where there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


_ENDED = (StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.COMPENSATED)


def _waited(run: FinishedRun, step: str, needs: Sequence[str]) -> float:
    ends = [each.finished_at for need in needs if (each := run.steps.get(need)) and each.finished_at]
    begun = run.steps[step].started_at
    return max(0.0, (begun - max([run.started_at, *ends])).total_seconds()) if begun else 0.0


def _in_order(graph: Graph) -> list[int]:
    """Places, each behind those it needs."""
    missing = [len(set(needs)) for needs in graph.needs]
    ready = [place for place, count in enumerate(missing) if not count]
    for place in ready:
        for follower in graph.needed_by[place]:
            missing[follower] -= 1
            if not missing[follower]:
                ready.append(follower)
    return ready
