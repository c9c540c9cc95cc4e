"""Billable operations and dollars for a million events, from operations counted while messages hop about."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx

from aos.local.servicebus.client.multiplexed import MultiplexedReceiver
from benchmarks._report import heading, line
from benchmarks._stack import ON_DISK, running_stack
from benchmarks.hops import chains

PRICES_OF = "2026-07, list prices in US dollars, East US; reservations and free grants left out"
TABLE_TRANSACTION = 0.00036 / 10_000
BUS_OPERATION = 0.80 / 1_000_000
"""Service Bus Standard, above the 13 million operations a month that its base price of $9.81 includes."""
EXECUTION = 0.40 / 1_000_000
GB_SECOND = 0.000026
"""Functions Flex Consumption, on demand."""
INSTANCE_GB = 2.0
TURNS_AT_ONCE = 16
EVENTS = 1_000_000
HOPS = 400


async def _usage(http: httpx.AsyncClient) -> Mapping[str, int]:
    answer = (await http.get("/api/v1/system/status")).raise_for_status()
    found: dict[str, int] = answer.json()["usage"]
    return found


async def _operations(http: httpx.AsyncClient, agent: str) -> list[int]:
    """Storage operations of each turn of an agent."""
    journal = (await http.get(f"/api/v1/agents/{agent}/journal", params={"limit": 1000})).raise_for_status()
    return [entry["usage"]["storage_operations"] for entry in journal.json()["entries"]]


def _dollars(storage: float, bus: float, seconds: float) -> float:
    compute = GB_SECOND * INSTANCE_GB * seconds / TURNS_AT_ONCE + EXECUTION
    return EVENTS * (storage * TABLE_TRANSACTION + bus * BUS_OPERATION + compute)


async def measure() -> None:
    heading("Cost of a million events", durable=ON_DISK)
    async with (
        running_stack(in_memory=False) as stack,
        MultiplexedReceiver.connect(stack.bus_connection_string) as bus,
        httpx.AsyncClient(base_url=stack.base_url, headers={"x-functions-key": stack.function_key}) as http,
    ):
        before = await _usage(http)
        await chains(bus, 1, HOPS, "cost")
        after = await _usage(http)
        turns = [await _operations(http, f"hop:{number}") for number in range(10)]
    operations = {
        name: (after[name] - before.get(name, 0)) / HOPS for name in ("bus_sends", "bus_receives", "bus_completes")
    }
    cold, warm = {turn[0] for turn in turns}, {each for turn in turns for each in turn[1:]}
    a_hop = sum(operations.values())
    line("storage transactions of a warm turn", f"{sorted(warm)}", "1")
    line("storage transactions of a cold turn", f"{sorted(cold)}", "2")
    line("bus operations of a hop", ", ".join(f"{n[4:]} {v:.2f}" for n, v in operations.items()), "1, 1, 1")
    print(f"\n  Dollars for a million events ({PRICES_OF}):")
    for name, storage in (("warm", max(warm)), ("cold", max(cold))):
        line(f"{name}, storage", f"${EVENTS * storage * TABLE_TRANSACTION:,.3f}")
    line("bus (Standard, $9.81 a month beside it)", f"${EVENTS * a_hop * BUS_OPERATION:,.2f}")
    for seconds in (0.05, 5.0):
        name = f"all, cold, turns of {seconds:g} s, {TURNS_AT_ONCE} at once, {INSTANCE_GB:g} GB"
        line(name, f"${_dollars(max(cold), a_hop, seconds):,.2f}")


if __name__ == "__main__":
    asyncio.run(measure())
