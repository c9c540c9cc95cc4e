"""One agent with a backlog: how many of its messages each commit takes, and how fast it gets through them."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime

import httpx

from aos.kernel.message import Message
from aos.local.servicebus.client.contract import OutgoingMessage
from aos.local.servicebus.client.multiplexed import MultiplexedReceiver
from benchmarks._report import heading, line
from benchmarks._stack import ON_DISK, running_stack
from benchmarks.agents.hop import DONE

BACKLOG = 1_000
AGENT = "hop:hot"


def _message(number: int) -> OutgoingMessage:
    data = {"chain": number, "left": 0}
    body = Message(id=f"hot-{number}", source="/bench", type="hop", time=datetime.now(UTC), to=AGENT, data=data)
    return OutgoingMessage(body.encode(), message_id=f"hot-{number}", session_id=AGENT)


async def measure() -> None:
    heading(f"A hot agent: {BACKLOG:,} messages at once for one agent", durable=ON_DISK)
    async with (
        running_stack(in_memory=False) as stack,
        MultiplexedReceiver.connect(stack.bus_connection_string) as bus,
        httpx.AsyncClient(base_url=stack.base_url, headers={"x-functions-key": stack.function_key}) as http,
    ):
        receiver = await bus.receiver(DONE)
        started = time.perf_counter()
        await bus.send("agent-inbox", [_message(number) for number in range(BACKLOG)])
        done: set[int] = set()
        while len(done) < BACKLOG:
            messages = await receiver.receive(256, 60)
            done |= {json.loads(message.body)["chain"] for message in messages}
            await receiver.complete(messages)
        seconds = time.perf_counter() - started
        agent = (await http.get(f"/api/v1/agents/{AGENT}")).raise_for_status().json()
    line("messages a commit", f"{BACKLOG / agent['version']:.1f} (batches of up to 32)")
    line("messages a second", f"{BACKLOG / seconds:,.0f}")
    line("commits", f"{agent['version']:,}")


if __name__ == "__main__":
    asyncio.run(measure())
