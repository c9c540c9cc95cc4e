"""What storage alone can do: transactions as a turn commits them, through the adapter to Azurite."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import psutil

from aos.azure.tables import AzureTableStore
from aos.kernel.ports import Entity, Insert, Replace, Value
from aos.local.azurite import Azurite
from benchmarks._report import heading, line
from benchmarks._stack import PROJECT

TRANSACTIONS = 600
HEAD: dict[str, Value] = {"state": "x" * 1_200, "recent": b"x" * 4_608, "control": "x" * 120, "chain": "x" * 64}
ENTRY: dict[str, Value] = {"body": "x" * 1_400, "previous": "x" * 64, "hash": "x" * 64, "turn": "x" * 36}


async def turns(store: AzureTableStore, agent: str, count: int) -> None:
    """Commits of one agent, one after another: its head replaced, a journal entry added."""
    etag: str | None = None
    for number in range(count):
        head, entry = Entity(agent, "head", HEAD), Entity(agent, f"j:{number:016d}", ENTRY)
        first = Replace(head, etag) if etag else Insert(head)
        etag = (await store.commit("agents", [first, Insert(entry)]))[0]


async def measure() -> None:
    heading("Azurite alone: transactions of a head of 6 KB and a journal entry", durable="nothing: data in memory")
    with tempfile.TemporaryDirectory(prefix="aos-bench-") as home:
        async with Azurite.start(home=Path(home), tools=PROJECT / ".aos") as azurite:
            store = AzureTableStore.from_connection_string(azurite.connection_string)
            (node,) = (child for child in psutil.Process().children() if "azurite" in " ".join(child.cmdline()))
            try:
                await turns(store, "warm", 50)
                for agents in (1, 32):
                    before, own = node.cpu_times(), time.process_time()
                    started = time.perf_counter()
                    await asyncio.gather(
                        *(turns(store, f"{agents}-{number}", TRANSACTIONS // agents) for number in range(agents))
                    )
                    seconds = time.perf_counter() - started
                    count = TRANSACTIONS // agents * agents
                    after = node.cpu_times()
                    spent = (after.user + after.system - before.user - before.system) / count
                    mine = (time.process_time() - own) / count
                    line(f"{agents} at a time", f"{count / seconds:,.0f} a second")
                    line("  CPU of Azurite, of the adapter", f"{spent * 1000:.2f} ms, {mine * 1000:.2f} ms")
                    line("  so Azurite, on one core, at most", f"{1 / spent:,.0f} a second")
            finally:
                await store.close()


if __name__ == "__main__":
    asyncio.run(measure())
