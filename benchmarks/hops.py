"""Hops a second on the embedded stack: each one loads an agent of 1 KB, handles, persists and publishes."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from datetime import UTC, datetime

import psutil

from aos.kernel.message import Message
from aos.local.servicebus.client.contract import OutgoingMessage
from aos.local.servicebus.client.multiplexed import MultiplexedReceiver
from benchmarks._report import heading, line
from benchmarks._stack import IN_MEMORY, ON_DISK, running_stack
from benchmarks.agents.hop import DONE, RING

INBOX = "agent-inbox"
OWN_RING = 10
TARGETS = {1: "at least 150", 64: "at least 600"}


async def chains(bus: MultiplexedReceiver, count: int, hops: int, run: str, *, apart: bool = False) -> float:
    """Start `count` chains of `hops` hops at once; hops a second until all have ended.

    Chains that meet at an agent share its turn, and go on together; `apart`, each has agents of its own.
    """
    receiver = await bus.receiver(DONE)
    started = time.perf_counter()
    await bus.send(INBOX, [_first(chain, hops, run, apart) for chain in range(count)])
    ended: set[int] = set()
    while len(ended) < count:
        messages = await receiver.receive(64, 60)
        if not messages:
            raise RuntimeError(f"Only {len(ended)} of {count} chains ended.")
        ended |= {json.loads(message.body)["chain"] for message in messages}
        await receiver.complete(messages)
    seconds = time.perf_counter() - started
    await receiver.close()
    return count * hops / seconds


def processor_time() -> dict[str, float]:
    """CPU seconds that each process of the stack has used so far."""
    names = {"azurite.js": "storage", "aos.local.servicebus": "bus", "aos.local.host": "host"}
    used: dict[str, float] = {}
    for child in psutil.Process().children(recursive=True):
        command = " ".join(child.cmdline())
        times = child.cpu_times()
        used |= {name: times.user + times.system for mark, name in names.items() if mark in command}
    return used


def report_shares(shares: dict[str, float], *, full: bool) -> None:
    """Print the CPU seconds a hop takes in each process and, of a full load, the most hops that they leave room for."""
    cores, (busiest, longest) = os.cpu_count() or 1, max(shares.items(), key=lambda share: share[1])
    total = sum(shares.values())
    each = ", ".join(f"{name} {used * 1000:.2f} ms" for name, used in shares.items())
    print(f"    CPU a hop: {each}; together {total * 1000:.2f} ms")
    if full:
        print(f"    so at most {cores / total:,.0f} hops/s on {cores} cores, {1 / longest:,.0f} by the {busiest} alone")


def _first(chain: int, hops: int, run: str, apart: bool) -> OutgoingMessage:
    ring = OWN_RING if apart else RING
    to = f"hop:{chain * ring if apart else chain * 7 % ring}"
    id = f"{run}-{chain}"
    data = {"chain": chain, "left": hops - 1, "ring": ring}
    body = Message(id=id, source="/bench", type="hop", time=datetime.now(UTC), to=to, data=data)
    return OutgoingMessage(body.encode(), message_id=id, session_id=to)


async def measure(*, in_memory: bool) -> None:
    """Print hops a second for one, 32 and 64 chains, and for 64 that never meet."""
    heading("Hops a second on the embedded stack", durable=IN_MEMORY if in_memory else ON_DISK)
    async with (
        running_stack(in_memory=in_memory) as stack,
        MultiplexedReceiver.connect(stack.bus_connection_string) as bus,
    ):
        await chains(bus, 8, 50, "warm")
        await chains(bus, 64, OWN_RING, "warm-apart", apart=True)
        for count, hops, apart in ((1, 300, False), (32, 60, False), (64, 60, True), (64, 60, False)):
            before = processor_time()
            rate = await chains(bus, count, hops, f"run-{count}-{apart}", apart=apart)
            spent = {name: used - before[name] for name, used in processor_time().items()}
            name = "one chain" if count == 1 else f"{count} chains" + (", a turn for each hop" if apart else "")
            line(name, f"{rate:,.0f} hops/s, {1000 * count / rate:.1f} ms a hop", TARGETS.get(count, ""))
            report_shares({name: used / count / hops for name, used in spent.items()}, full=count > 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in-memory", action="store_true", help="keep no data, to see what keeping it costs")
    asyncio.run(measure(in_memory=parser.parse_args().in_memory))
