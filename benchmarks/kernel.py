"""What the kernel itself costs: turns over stores in memory, warm, with the stores' own share measured apart."""

from __future__ import annotations

import asyncio
import time

from aos.functions.garbage import collect_less_often
from aos.kernel.ports import Entity, Insert, Replace, Value
from aos.testing import MemoryTableStore
from benchmarks._report import heading, line
from benchmarks._world import DURABLE, deliveries, kernel

TURNS = 4_000
AGENTS = 50


async def turns() -> float:
    """CPU seconds a turn of one message, for agents in turn, all warm and with a full window of deduplication."""
    running = kernel()
    names = [f"talker:{number}" for number in range(AGENTS)]
    for name in names:
        await running.deliver(deliveries(name, 0, 300))
    work = [
        delivery
        for batch in zip(*(deliveries(n, 1_000, TURNS // AGENTS) for n in names), strict=True)
        for delivery in batch
    ]
    started = time.process_time()
    for delivery in work:
        await running.deliver([delivery])
    return (time.process_time() - started) / len(work)


async def batch(size: int) -> float:
    """CPU seconds a message, in turns of `size` messages."""
    running = kernel()
    await running.deliver(deliveries("talker:1", 0, 300))
    work = [deliveries("talker:1", 1_000 + size * number, size) for number in range(TURNS // size)]
    started = time.process_time()
    for messages in work:
        await running.deliver(messages)
    return (time.process_time() - started) / TURNS


async def store() -> float:
    """CPU seconds the store in memory takes for what a turn commits."""
    tables = MemoryTableStore()
    values: dict[str, Value] = {"state": "x" * 1_200, "recent": b"x" * 4_608, "control": "x" * 120, "chain": "x" * 64}
    entry: dict[str, Value] = {"body": "x" * 1_400, "previous": "x" * 64, "hash": "x" * 64}
    (etag,) = await tables.commit("agents", [Insert(Entity("a", "head", dict(values)))])
    started = time.process_time()
    for number in range(TURNS):
        head, journal = Entity("a", "head", dict(values)), Entity("a", f"j:{number:016d}", dict(entry))
        etag = (await tables.commit("agents", [Replace(head, etag or ""), Insert(journal)]))[0]
    return (time.process_time() - started) / TURNS


async def measure() -> None:
    collect_less_often()
    heading("The kernel, over stores in memory (CPU time: nothing here waits; garbage as in a worker)", durable=DURABLE)
    a_turn, in_store = min([await turns() for _ in range(3)]), min([await store() for _ in range(3)])
    line("turn of one message", f"{a_turn * 1e6:,.0f} µs")
    line("turns a second, one core", f"{1 / a_turn:,.0f}", "at least 5,000")
    line("of that, the store in memory", f"{in_store * 1e6:,.0f} µs")
    a_message = await batch(32)
    line("message, in turns of 32", f"{a_message * 1e6:,.0f} µs, {1 / a_message:,.0f} a second")


if __name__ == "__main__":
    asyncio.run(measure())
