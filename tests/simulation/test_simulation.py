"""The guarantees under faults at every await. A seed that fails names the command that replays it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from aos.testing.simulation import WORKLOADS, Trouble, simulate
from aos.testing.simulation.campaign import Totals, campaign
from aos.testing.simulation.summary import failure

RUNS = 40
SLICE = 10


@pytest.mark.parametrize("first", range(0, RUNS, SLICE))
@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_promise_is_kept(workload: str, first: int) -> None:
    totals = campaign([WORKLOADS[workload]], range(first, first + SLICE))
    assert not totals.failures, "\n".join(failure(report) for report in totals.failures)
    assert totals.messages > 10 * SLICE


def test_every_kind_of_fault_strikes() -> None:
    totals = Totals()
    for seed in range(60):
        totals.add(simulate(list(WORKLOADS.values())[seed % len(WORKLOADS)], 1_000 + seed))
    assert not totals.failures
    assert {trouble for trouble in Trouble if totals.troubles[trouble] == 0} == set()


@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_same_seed_is_the_same_run(workload: str) -> None:
    first, again, other = (simulate(WORKLOADS[workload], seed) for seed in (7, 7, 8))
    assert first.digest == again.digest
    assert first.trace == again.trace
    assert first.digest != other.digest


def test_the_same_seed_is_the_same_run_in_another_process() -> None:
    expected = simulate(WORKLOADS["requests"], 11).digest
    shown = subprocess.run(
        [sys.executable, "-m", "aos.testing.simulation", "--workload", "requests", "--seed", "11"],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert expected in shown
