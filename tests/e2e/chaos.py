"""`make chaos`: two hosts under load are killed, cut off and starved at random; then every transfer is accounted for.

python -m tests.e2e.chaos [--events 40] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.cluster import Cluster, running_cluster
from tests.e2e.transfers import Ledger, TransferLoad, audit

_PATIENCE = 180.0
"""Seconds that work asked for before a fault may take: above the bus's lock duration, which ends a lost session."""


@dataclass(slots=True)
class Chaos:
    """What was done to the system, and how long it took to do all the work that was under way at that moment."""

    faults: Counter[str] = field(default_factory=Counter)
    recoveries: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0


async def torment(cluster: Cluster, load: TransferLoad, events: int, chance: random.Random) -> Chaos:
    """Break something `events` times, at moments chosen at random, each time waiting until the system has recovered."""
    faults: list[tuple[str, int, Callable[[], Awaitable[object]]]] = [
        ("kill -9 of one host", 10, lambda: cluster.kill_host(chance.randrange(len(cluster.hosts)))),
        ("kill -9 of both hosts", 3, lambda: _both(cluster)),
        ("kill -9 of the bus", 2, cluster.kill_bus),
        ("bus connections cut", 3, lambda: cluster.bus_line.cut(chance.uniform(0.0, 1.5))),
        ("storage connections cut", 3, lambda: cluster.storage_line.cut(chance.uniform(0.0, 1.5))),
        ("restart of storage", 1, cluster.restart_storage),
    ]
    chaos = Chaos()
    begun = time.monotonic()
    for number in range(events):
        # Each kind at least once, where there is room for that.
        name, _, fault = faults[number] if number < len(faults) <= events else _pick(faults, chance)
        await load.reached(load.done + chance.randint(5, 80))
        await asyncio.sleep(chance.uniform(0, 0.05))
        struck = time.monotonic()
        await asyncio.gather(fault())
        async with asyncio.timeout(_PATIENCE):
            recovered = await load.settled(struck)
        chaos.faults[name] += 1
        chaos.recoveries.setdefault(name, []).append(recovered - struck)
    chaos.seconds = time.monotonic() - begun
    return chaos


async def _both(cluster: Cluster) -> None:
    await asyncio.gather(*(cluster.kill_host(number) for number in range(len(cluster.hosts))))


def _pick(
    faults: list[tuple[str, int, Callable[[], Awaitable[object]]]], chance: random.Random
) -> tuple[str, int, Callable[[], Awaitable[object]]]:
    return chance.choices(faults, weights=[weight for _, weight, _ in faults])[0]


async def run(events: int, seed: int, home: Path) -> tuple[Chaos, TransferLoad, Ledger]:
    """Start a cluster, torment it under load, let it come to rest, and audit it."""
    chance = random.Random(seed)
    async with running_cluster(home) as cluster:
        load = TransferLoad(cluster.bus_connection_string, accounts=24, window=48, seed=seed)
        running = asyncio.create_task(load.run())
        try:
            chaos = await torment(cluster, load, events, chance)
            load.last()
            async with asyncio.timeout(_PATIENCE):
                await running
        finally:
            running.cancel()
        async with cluster.caller() as http:
            return chaos, load, await audit(http, load)


def report(chaos: Chaos, load: TransferLoad, ledger: Ledger, seed: int) -> str:
    """What happened, as people read it."""
    lines = [f"Chaos, seed {seed}: {chaos.faults.total()} faults in {chaos.seconds:.0f} s, two hosts", ""]
    lines.append(f"{'fault':<26}{'times':>6}{'recovery p50':>15}{'max':>9}")
    for name, count in chaos.faults.most_common():
        took = chaos.recoveries[name]
        lines.append(f"{name:<26}{count:>6}{statistics.median(took):>13.2f} s{max(took):>7.2f} s")
    everything = [took for each in chaos.recoveries.values() for took in each]
    lines.append(f"{'all':<26}{len(everything):>6}{statistics.median(everything):>13.2f} s{max(everything):>7.2f} s")
    lines += [
        "Recovery: from the fault until all work asked for before it is done.",
        "",
        f"transfers {ledger.transfers} ({ledger.refused} refused), messages {_messages(ledger)}, turns {ledger.turns}",
        f"lost {len(ledger.lost)}, doubled {len(ledger.doubled)}, out of order {len(ledger.disordered)}",
        f"overdrawn {len(ledger.overdrawn)}, money created {ledger.created}, broken journals {len(ledger.broken)}",
        f"receipts delivered again {load.repeated_receipts} (their queue detects no duplicates)",
        f"reconnections of the client {load.reconnects}",
    ]
    if not ledger.clean:
        lines.append(f"FAILED: {ledger}")
    return "\n".join(lines)


def _messages(ledger: Ledger) -> int:
    """Requests, credits of those that were paid, and receipts."""
    return ledger.transfers + (ledger.transfers - ledger.refused) + ledger.transfers


def main(arguments: list[str] | None = None) -> int:
    """Run it; 0 if nothing was lost or doubled, else 1, with the data left for a look."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.chaos", description=__doc__)
    parser.add_argument("--events", type=int, default=40, help="how many faults (default 40)")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of faults and moments")
    given = parser.parse_args(arguments)
    home = Path(tempfile.mkdtemp(prefix="aos-chaos-"))
    chaos, load, ledger = asyncio.run(run(given.events, given.seed, home))
    sys.stdout.write(report(chaos, load, ledger, given.seed) + "\n")
    if not ledger.clean:
        sys.stdout.write(f"Data and logs are in {home}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
