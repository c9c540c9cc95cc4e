"""What a step of a workflow costs: chains, graphs that are wide, and maps, early and late in a run."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aos.agents import Agent, AgentRegistry, NoState, Turn, on
from aos.kernel.ambient import RandomIds, SystemClock
from aos.kernel.kernel import Delivery, Kernel
from aos.kernel.message import Message
from aos.kernel.meter import count, process_total
from aos.kernel.ports import OutboundMessage
from aos.testing import MemoryBlobStore, MemoryTableStore
from aos.workflows.definition.workflow import Workflow
from aos.workflows.definition.workflow_store import WorkflowStore
from aos.workflows.messages import START, StartRun
from aos.workflows.run.run_agent import RunAgent
from aos.workflows.run_index import RunIndex
from benchmarks._report import heading, line
from benchmarks._world import DURABLE

WINDOW = 200
FIRST = 300
"""By then the windows of deduplication are full."""
CONCURRENCY = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """Sums so far, at one step."""

    seconds: float
    operations: int
    written: int
    read: int


class Doer(Agent[NoState]):
    """Does steps, and looks at each what everything has cost so far."""

    type = "doer"

    def __init__(self) -> None:
        super().__init__()
        self.samples: list[Sample] = []

    @on("work.do")
    async def do(self, turn: Turn, _: NoState, work: dict[str, Any]) -> int:  # noqa: ARG002  # as handlers are
        total = process_total
        self.samples.append(
            Sample(time.perf_counter(), total.storage_operations, total.bytes_written, total.bytes_read)
        )
        return len(self.samples)


class Line:
    """A bus that keeps messages in a line."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()

    async def send(self, messages: Sequence[OutboundMessage]) -> None:
        count(bus_sends=len(messages))
        self.waiting.extend(message.body for message in messages)


def chain(size: int) -> list[Mapping[str, Any]]:
    return [{"id": f"s{n}", "agent": "doer", "needs": [f"s{n - 1}"] if n else []} for n in range(size)]


def wide(size: int) -> list[Mapping[str, Any]]:
    return [{"id": f"s{n}", "agent": "doer"} for n in range(size)]


def items(size: int) -> list[Mapping[str, Any]]:
    return [{"id": "all", "map": {"over": list(range(size)), "step": {"agent": "doer", "with": {"n": "${{ item }}"}}}}]


async def samples(steps: list[Mapping[str, Any]]) -> list[Sample]:
    """See one run through."""
    tables, blobs, clock, bus, doer = MemoryTableStore(), MemoryBlobStore(), SystemClock(), Line(), Doer()
    store = WorkflowStore(tables, blobs, clock)
    workflow = Workflow.from_json({"name": "bench", "steps": steps, "concurrency": CONCURRENCY})
    await store.put(workflow)
    kernel = Kernel(
        AgentRegistry([RunAgent(store), doer]),
        tables=tables,
        blobs=blobs,
        bus=bus,
        clock=clock,
        ids=RandomIds(),
        projections=(RunIndex(tables, clock),),
    )
    start = StartRun(definition=workflow.digest, name="bench").model_dump(mode="json")
    to = "workflow:20260101-000000-bench"
    message = Message(id="start", source="/bench", type=START, time=clock.now(), to=to, data=start)
    await kernel.deliver([Delivery(message.encode())])
    while bus.waiting:
        await kernel.deliver([Delivery(bus.waiting.popleft())])
    return doer.samples


def report(name: str, found: Sequence[Sample]) -> None:
    for first in (FIRST, len(found) - WINDOW - 1):
        before, after = found[first], found[first + WINDOW]
        rate = WINDOW / (after.seconds - before.seconds)
        operations = (after.operations - before.operations) / WINDOW
        written, read = (after.written - before.written) / WINDOW, (after.read - before.read) / WINDOW
        line(f"{name}, steps {first:,} to {first + WINDOW:,}", f"{rate:,.0f} steps/s")
        line("", f"{operations:.2f} ops, {written:,.0f} B out, {read:,.0f} B in")


async def measure(most_items: int) -> None:
    heading("Workflows: a step with its agent's turn", durable=DURABLE)
    report("chain of 10,000", await samples(chain(10_000)))
    report("10,000 side by side", await samples(wide(10_000)))
    report(f"map of {most_items:,}", await samples(items(most_items)))
    print("\n  A step is a turn of the run and one of the agent; an item reads its page of the list besides.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000, help="items of the map (default 10,000)")
    asyncio.run(measure(parser.parse_args().items))
