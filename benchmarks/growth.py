"""What age costs: the same turn of one agent at turn 1, 1,000, 10,000 and 100,000 of its life."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from dataclasses import dataclass

from aos.kernel.kernel import Kernel
from aos.kernel.meter import metered
from benchmarks._report import heading, line
from benchmarks._world import DURABLE, deliveries, kernel

AGENT = "talker:old"
WINDOW = 200
CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One turn at some age: median seconds, and the operations and bytes of each."""

    microseconds: float
    operations: float
    written: float
    read: float


async def sample(running: Kernel, first: int) -> Sample:
    seconds = []
    with metered() as usage:
        for delivery in deliveries(AGENT, first, WINDOW):
            started = time.perf_counter()
            await running.deliver([delivery])
            seconds.append(time.perf_counter() - started)
    return Sample(
        statistics.median(seconds) * 1e6,
        usage.storage_operations / WINDOW,
        usage.bytes_written / WINDOW,
        usage.bytes_read / WINDOW,
    )


async def measure(oldest: int) -> None:
    heading("Growth: one agent with a conversation, by age", durable=DURABLE)
    running = kernel()
    turn = 0
    for age in (0, 1_000, 10_000, 100_000):
        if age > oldest:
            break
        while turn < age:
            for delivery in deliveries(AGENT, turn, min(CHUNK, age - turn)):
                await running.deliver([delivery])
            turn += min(CHUNK, age - turn)
        found = await sample(running, turn)
        turn += WINDOW
        line(
            f"turns {age + 1:,} to {age + WINDOW:,}",
            f"{found.microseconds:,.0f} µs",
        )
        line("", f"{found.operations:.2f} ops, {found.written:,.0f} B out, {found.read:,.0f} B in")
    print("\n  The window of deduplication (256 messages, 4.6 KB) fills during the first 256 turns; then bytes stay.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=100_000, help="how old the agent is to become (default 100,000)")
    asyncio.run(measure(parser.parse_args().turns))
