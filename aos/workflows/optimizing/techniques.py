"""The techniques: each looks at the runs of a workflow for one way in which it could do better."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from aos.workflows.definition.graph import Graph
from aos.workflows.optimizing.figures import StepFigures, longest_path, unused_needs
from aos.workflows.optimizing.finished_run import FinishedRun
from aos.workflows.optimizing.recommendation import Recommendation
from aos.workflows.optimizing.right_sizing import resource_right_sizing
from aos.workflows.optimizing.welch import welch
from aos.workflows.status import StepStatus

Figures = Mapping[str, StepFigures]
Technique = Callable[[Graph, Sequence[FinishedRun], Figures], list[Recommendation]]

_WORTH = 0.05
"""Share of a run's time from which on advice is worth giving."""
_OFTEN = 0.1
_REPEATED = 0.2
_LEAST_OF_EACH = 5
_CERTAIN = 0.05


def parallelization(graph: Graph, runs: Sequence[FinishedRun], figures: Figures) -> list[Recommendation]:  # noqa: ARG001
    """Steps that wait for others whose results they do not use."""
    seconds = {step: each.mean_seconds for step, each in figures.items()}
    before = longest_path(graph, seconds, {})
    found = []
    for place, step in enumerate(graph.steps):
        unused = unused_needs(graph, place)
        saved = before - longest_path(graph, seconds, {place: unused}) if unused else 0.0
        if not saved or saved < _WORTH * before:
            continue
        others = _named(graph, unused)
        found.append(
            Recommendation(
                technique="parallelization",
                steps=[step.id, *others],
                what=f"{step.id!r} uses nothing of {', '.join(others)}, and waits for it. Where the order does not "
                "matter for what they do, take the need away: they are then done at the same time.",
                numbers={"longest_path_seconds": _short(before), "without_the_need": _short(before - saved)},
                saves_seconds=_short(saved),
            )
        )
    return found


def caching(graph: Graph, runs: Sequence[FinishedRun], figures: Figures) -> list[Recommendation]:
    """Steps that came to the same for the same inputs of the run."""
    found = []
    for step in graph.steps:
        if step.kind == "wait" or step.id not in figures:
            continue
        outputs: dict[str, list[str | None]] = defaultdict(list)
        for run in runs:
            done = run.steps.get(step.id)
            if done is not None and done.status is StepStatus.COMPLETED:
                outputs[run.inputs].append(done.output)
        total = sum(map(len, outputs.values()))
        repeated = sum(len(values) - 1 for values in outputs.values())
        if not total or repeated < _REPEATED * total or any(len(set(values)) > 1 for values in outputs.values()):
            continue
        share, figure = repeated / total, figures[step.id]
        found.append(
            Recommendation(
                technique="caching",
                steps=[step.id],
                what=f"{step.id!r} came to the same whenever the run's inputs were the same, which was so in "
                f"{share:.0%} of runs. Where it does nothing else, keep what it came to.",
                numbers={"runs": total, "repeated": repeated, "different_inputs": len(outputs)},
                saves_seconds=_short(share * figure.mean_seconds),
                saves_cost=round(share * figure.mean_cost, 6),
            )
        )
    return found


def step_reordering(graph: Graph, runs: Sequence[FinishedRun], figures: Figures) -> list[Recommendation]:
    """Steps that fail often, and late: what was done before them was done for nothing."""
    found = []
    for place, step in enumerate(graph.steps):
        figure = figures.get(step.id)
        unused = unused_needs(graph, place)
        if figure is None or figure.failures < _OFTEN or not unused:
            continue
        used = {other for need in set(graph.needs[place]) - unused for other in graph.requirements(need)}
        idle = {other for need in unused for other in graph.requirements(need)} - used
        names = _named(graph, idle)
        failed = [run for run in runs if step.id in run.steps and run.steps[step.id].status is StepStatus.FAILED]
        seconds = fmean(sum(run.steps[name].seconds or 0.0 for name in names if name in run.steps) for run in failed)
        cost = fmean(sum(run.steps[name].cost for name in names if name in run.steps) for run in failed)
        found.append(
            Recommendation(
                technique="step_reordering",
                steps=[step.id, *names],
                what=f"{step.id!r} fails in {figure.failures:.0%} of runs, after {', '.join(names)}, of which it uses "
                "nothing. Do it first where that is possible: what follows is then not done for nothing.",
                numbers={"failed_runs": len(failed), "seconds_lost": _short(seconds), "cost_lost": round(cost, 6)},
                saves_seconds=_short(figure.failures * seconds),
                saves_cost=round(figure.failures * cost, 6),
            )
        )
    return found


def agent_selection(graph: Graph, runs: Sequence[FinishedRun], figures: Figures) -> list[Recommendation]:
    """Steps that several agents do, of which one is faster than the one that is asked most."""
    found = []
    for step in graph.steps:
        took: dict[str, list[float]] = defaultdict(list)
        for run in runs:
            done = run.steps.get(step.id)
            if done is not None and done.agent and done.seconds is not None and done.status is StepStatus.COMPLETED:
                took[done.agent].append(done.seconds)
        known = {agent: values for agent, values in took.items() if len(values) >= _LEAST_OF_EACH}
        if len(known) < 2:
            continue
        usual = max(known, key=lambda agent: len(known[agent]))
        fastest = min(known, key=lambda agent: fmean(known[agent]))
        compared = welch(known[usual], known[fastest])
        if usual == fastest or compared is None or compared.p >= _CERTAIN:
            continue
        share = len(took[usual]) / figures[step.id].runs
        saved = fmean(known[usual]) - fmean(known[fastest])
        found.append(
            Recommendation(
                technique="agent_selection",
                steps=[step.id],
                what=f"{fastest!r} does {step.id!r} in {fmean(known[fastest]):.3g} s on average, {usual!r}, which is "
                f"asked most, in {fmean(known[usual]):.3g} s. Ask the former, where its work is as good.",
                numbers={
                    "p": float(f"{compared.p:.3g}"),
                    "agents": {
                        agent: {"runs": len(values), "mean_seconds": _short(fmean(values))}
                        for agent, values in sorted(known.items())
                    },
                },
                saves_seconds=_short(share * saved),
            )
        )
    return found


TECHNIQUES: tuple[Technique, ...] = (
    parallelization,
    caching,
    step_reordering,
    agent_selection,
    resource_right_sizing,
)


def _named(graph: Graph, places: frozenset[int] | set[int]) -> list[str]:
    return [graph.steps[place].id for place in sorted(places)]


def _short(seconds: float) -> float:
    return round(seconds, 3)
