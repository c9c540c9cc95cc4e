"""`python -m aos.testing.simulation`: run many seeds, or one again with its trace."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from aos.testing.simulation.campaign import campaign
from aos.testing.simulation.run import Report, simulate
from aos.testing.simulation.summary import failure, summary
from aos.testing.simulation.workloads import WORKLOADS


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 1 where a promise was broken."""
    options = _parser().parse_args(arguments)
    if options.seed is not None:
        return _again(options.workload or "transfers", options.seed)
    chosen = [WORKLOADS[options.workload]] if options.workload else list(WORKLOADS.values())
    seeds = range(options.first, options.first + options.seeds)
    totals = campaign(chosen, seeds, on_report=_tell)
    _write(summary(totals))
    return 1 if totals.failures else 0


def _again(workload: str, seed: int) -> int:
    report = simulate(WORKLOADS[workload], seed)
    _write("\n".join(report.trace))
    _write(f"\nThe same run has the digest {report.digest}.")
    _write(failure(report) if report.problems else "Every promise was kept.")
    return 1 if report.problems else 0


def _tell(report: Report) -> None:
    if report.problems:
        _write(failure(report))
    elif report.seed % 1_000 == 999:
        _write(f"{report.seed + 1:,} seeds")


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m aos.testing.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many runs (200)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--seed", type=int, help="run this one again, and show what happened")
    parser.add_argument("--workload", choices=sorted(WORKLOADS), help="only this one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
