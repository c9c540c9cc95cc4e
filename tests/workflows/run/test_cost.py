"""What a step costs does not grow with the run: neither with its size, nor with how much of it is done."""

from __future__ import annotations

from typing import Any

import pytest

from aos.agents import Agent, NoState, Turn, on
from aos.kernel.meter import process_total
from tests.workflows.run.office import Office

FIRST, WINDOW = 300, 100
"""By then the windows of deduplication are full."""


class Probe(Agent[NoState]):
    """Does steps, and looks at each what everything has cost so far."""

    type = "probe"

    def __init__(self) -> None:
        super().__init__()
        self.samples: list[tuple[int, int, int]] = []

    @on("work.do")
    async def do(self, turn: Turn, _: NoState, work: dict[str, Any]) -> int:
        total = process_total
        self.samples.append((total.storage_operations, total.bytes_written, total.bytes_read))
        return len(self.samples)

    def cost(self, first: int) -> tuple[float, float, float]:
        """Operations, bytes written and bytes read of a step, on average over a window."""
        before, after = self.samples[first], self.samples[first + WINDOW]
        operations, written, read = ((b - a) / WINDOW for a, b in zip(before, after, strict=True))
        return operations, written, read


def chain(count: int) -> list[dict[str, Any]]:
    return [{"id": f"s{n}", "agent": "probe", "needs": [f"s{n - 1}"] if n else []} for n in range(count)]


def wide(count: int) -> list[dict[str, Any]]:
    return [{"id": f"s{n}", "agent": "probe"} for n in range(count)]


def items(count: int) -> list[dict[str, Any]]:
    return [
        {"id": "all", "map": {"over": list(range(count)), "step": {"agent": "probe", "with": {"n": "${{ item }}"}}}}
    ]


@pytest.mark.parametrize("shape", [chain, wide, items])
async def test_a_step_costs_the_same_early_and_late_in_small_and_large_runs(shape: Any) -> None:
    found = []
    for size in (FIRST + WINDOW + 20, 800):
        probe = Probe()
        office = Office(probe)
        run_id = await office.begin(shape(size), concurrency=5)
        await office.settle()
        assert (await office.workflows.result(run_id))["status"] == "completed"
        assert len(probe.samples) == size
        found += [probe.cost(first) for first in sorted({FIRST, size - WINDOW - 20})]
    for amounts in zip(*found, strict=True):
        # The list of runs is brought up to date a hundred times in a run, however many steps it has.
        assert max(amounts) <= 1.1 * min(amounts), found
    operations = found[-1][0]
    assert operations <= (3.3 if shape is items else 2.3)


async def test_the_head_of_a_run_does_not_grow_with_what_was_done() -> None:
    office = Office(Probe())
    sizes = []
    for size in (100, 800):
        run_id = await office.begin(chain(size))
        await office.settle()
        sizes.append(len(str(await office.state(f"workflow:{run_id}"))))
    assert sizes[1] < sizes[0] + 100


async def test_joining_many_steps_reads_them_in_one_go() -> None:
    office = Office(Probe())
    join = {"id": "join", "agent": "probe", "needs": [f"s{n}" for n in range(200)]}
    run_id = await office.begin([*wide(200), join], outputs={"first": "${{ steps.s0.output }}"})
    await office.settle()
    assert (await office.workflows.status(run_id))["steps"]["s199"]["status"] == "completed"
    entries = await office.system.kernel.journal.entries(f"workflow:{run_id}", limit=1_000)
    assert max(entry.usage["storage_operations"] for entry in entries) <= 4
