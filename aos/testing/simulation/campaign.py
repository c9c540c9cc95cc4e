"""Many runs, one after the other, and what they add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from aos.testing.simulation.run import Report, simulate
from aos.testing.simulation.trouble import Trouble
from aos.testing.simulation.workload import Workload


@dataclass(slots=True)
class Totals:
    """Sums over runs. `failures` are the reports with problems."""

    runs: Counter[str] = field(default_factory=Counter)
    turns: int = 0
    messages: int = 0
    seconds: float = 0.0
    troubles: Counter[Trouble] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)
    failures: list[Report] = field(default_factory=list)

    def add(self, report: Report) -> None:
        self.runs[report.workload] += 1
        self.turns += report.turns
        self.messages += report.messages
        self.seconds += report.seconds
        self.troubles += report.troubles
        self.checked += report.checked
        self.windows += report.windows
        if report.problems:
            self.failures.append(report)


def campaign(
    workloads: Iterable[type[Workload]],
    seeds: Iterable[int],
    *,
    on_report: Callable[[Report], object] | None = None,
    stop_after: int = 5,
) -> Totals:
    """Run seeds over workloads in turn: each seed runs one of them.

    Args:
        workloads: What the agents do.
        seeds: Numbers of the runs.
        on_report: Called after each.
        stop_after: Failures after which to stop.
    """
    totals = Totals()
    for workload, seed in _pairs(list(workloads), seeds):
        report = simulate(workload, seed)
        totals.add(report)
        if on_report is not None:
            on_report(report)
        if len(totals.failures) >= stop_after:
            break
    return totals


def _pairs(workloads: list[type[Workload]], seeds: Iterable[int]) -> Iterator[tuple[type[Workload], int]]:
    for seed in seeds:
        yield workloads[seed % len(workloads)], seed
