"""How long an agent takes to answer somebody who waits: over HTTP, from the message sent to the turn seen committed."""

from __future__ import annotations

import asyncio
import time

import httpx

from benchmarks._report import heading, line, spread
from benchmarks._stack import ON_DISK, running_stack

ASKED = 150
LOOK = 0.002


async def ask(http: httpx.AsyncClient, agent: str, number: int) -> float:
    """Seconds until the answer to one message is in the agent's journal."""
    started = time.perf_counter()
    message = {"type": "hop", "data": {"chain": number, "left": 0}}
    (await http.post(f"/api/v1/agents/{agent}/messages", json=message)).raise_for_status()
    while True:
        answer = await http.get(f"/api/v1/agents/{agent}/journal", params={"after": number, "limit": 1})
        if answer.status_code == 200 and answer.json()["entries"]:
            return time.perf_counter() - started
        await asyncio.sleep(LOOK)


async def measure() -> None:
    heading("Synchronous ask: a message over HTTP, until its turn is seen in the journal", durable=ON_DISK)
    async with (
        running_stack(in_memory=False) as stack,
        httpx.AsyncClient(base_url=stack.base_url, headers={"x-functions-key": stack.function_key}) as http,
    ):
        for number in range(10):
            await ask(http, "hop:warm", number)
        line(
            "the same agent again and again (warm)",
            spread([await ask(http, "hop:1", n) for n in range(ASKED)]),
            "p50 under 60 ms",
        )
        line(
            "another agent each time (cold)",
            spread([await ask(http, f"hop:c{n}", 0) for n in range(ASKED)]),
            "p50 under 60 ms",
        )


if __name__ == "__main__":
    asyncio.run(measure())
