"""What the Service Bus emulator costs: throughput and latency through the real SDK, beside the SDK alone.

Run with `python benchmarks/servicebus.py`. The broker runs in a process of its own, as in use.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from azure.servicebus import ServiceBusMessage
from azure.servicebus._pyamqp._decode import decode_payload
from azure.servicebus._pyamqp._encode import encode_payload
from azure.servicebus._transport._pyamqp_transport import PyamqpTransport
from azure.servicebus.aio import ServiceBusClient

from aos.local.servicebus.client import MultiplexedReceiver, OutgoingMessage

CONFIG = """{"UserConfig": {"Namespaces": [{"Name": "bench", "Queues": [
  {"Name": "plain", "Properties": {"MaxDeliveryCount": 10}},
  {"Name": "inbox", "Properties": {"RequiresSession": true}}]}]}}"""
BODY = b"x" * 1024
BATCH = 100


@asynccontextmanager
async def broker(folder: Path, *, durable: bool) -> AsyncIterator[str]:
    """The connection string of a broker in its own process."""
    config = folder / "Config.json"
    config.write_text(CONFIG)
    arguments = [sys.executable, "-m", "aos.local.servicebus", "--config", str(config), "--port", "0"]
    if durable:
        arguments += ["--data", str(folder / "data")]
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    connection_string = ""
    async for line in process.stdout:
        text = line.decode().strip()
        if text.startswith("Connection string"):
            connection_string = text.partition(": ")[2]
        if text == "Ready":
            break
    try:
        yield connection_string
    finally:
        process.terminate()
        await process.wait()


async def sdk_throughput(connection_string: str, count: int) -> float:
    """Messages a second, sent in batches, received with prefetch and completed one by one, all at once."""
    async with (
        ServiceBusClient.from_connection_string(connection_string) as client,
        client.get_queue_sender("plain") as sender,
        client.get_queue_receiver("plain", prefetch_count=200) as receiver,
    ):
        started = time.perf_counter()

        async def send() -> None:
            for _ in range(count // BATCH):
                await sender.send_messages([ServiceBusMessage(BODY) for _ in range(BATCH)])

        sending = asyncio.create_task(send())
        received = 0
        async for message in receiver:
            await receiver.complete_message(message)
            received += 1
            if received == count:
                break
        await sending
        return count / (time.perf_counter() - started)


async def sdk_latencies(connection_string: str, count: int) -> list[float]:
    """Milliseconds from before a send to after the receipt, of one message at a time."""
    async with (
        ServiceBusClient.from_connection_string(connection_string) as client,
        client.get_queue_sender("plain") as sender,
        client.get_queue_receiver("plain", prefetch_count=10) as receiver,
    ):
        taken: list[float] = []
        for _ in range(count):
            receiving = asyncio.create_task(receiver.receive_messages(1, max_wait_time=10))
            await asyncio.sleep(0.005)
            started = time.perf_counter()
            await sender.send_messages(ServiceBusMessage(BODY))
            (message,) = await receiving
            taken.append((time.perf_counter() - started) * 1000)
            await receiver.complete_message(message)
        return taken


async def lean_throughput(connection_string: str, count: int) -> float:
    async with MultiplexedReceiver.connect(connection_string) as client:
        receiver = await client.receiver("plain", prefetch=1000)
        started = time.perf_counter()

        async def send() -> None:
            for _ in range(count // 1000):
                await client.send("plain", [OutgoingMessage(BODY) for _ in range(1000)])

        sending = asyncio.create_task(send())
        received = 0
        while received < count:
            messages = await receiver.receive(200, 10)
            received += len(messages)
            await receiver.complete(messages)
        await sending
        return count / (time.perf_counter() - started)


async def lean_latencies(connection_string: str, count: int) -> list[float]:
    async with MultiplexedReceiver.connect(connection_string) as client:
        receiver = await client.receiver("plain")
        taken: list[float] = []
        for _ in range(count):
            receiving = asyncio.create_task(receiver.receive(1, 10))
            await asyncio.sleep(0.005)
            started = time.perf_counter()
            await client.send("plain", [OutgoingMessage(BODY)])
            messages = await receiving
            taken.append((time.perf_counter() - started) * 1000)
            await receiver.complete(messages)
        return taken


async def session_rate(connection_string: str, count: int) -> float:
    """Sessions a second: accept the next, receive, complete, close; eight pumps on one connection."""
    async with MultiplexedReceiver.connect(connection_string) as client:
        await client.send("inbox", [OutgoingMessage(BODY, session_id=f"s{number}") for number in range(count)])
        started = time.perf_counter()

        async def pump() -> None:
            for _ in range(count // 8):
                session = await client.accept_next_session("inbox", timeout=5)
                assert session is not None
                await session.complete(await session.receive(1, 5))
                await session.close()

        await asyncio.gather(*(pump() for _ in range(8)))
        return count / (time.perf_counter() - started)


def sdk_alone(count: int) -> float:
    """Messages a second that the SDK encodes and decodes, without any broker or socket."""
    started = time.perf_counter()
    for _ in range(count):
        message = ServiceBusMessage(BODY)
        output = bytearray()
        encode_payload(output, PyamqpTransport.to_outgoing_amqp_message(message.raw_amqp_message))
        decode_payload(memoryview(output))
    return count / (time.perf_counter() - started)


def percentiles(taken: list[float]) -> str:
    cuts = statistics.quantiles(taken, n=20)
    return f"p50 {statistics.median(taken):.2f} ms, p95 {cuts[-1]:.2f} ms"


def row(name: str, value: str) -> None:
    print(f"{name:<58} {value}")


async def best(measure: Callable[[], Awaitable[float]], times: int = 3) -> float:
    return max([await measure() for _ in range(times)])


async def run(count: int) -> None:
    row("machine", f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}")
    row("Python", platform.python_version())
    row("azure-servicebus", importlib.metadata.version("azure-servicebus"))
    for durable in (False, True):
        kept = "kept in SQLite" if durable else "in memory"
        with tempfile.TemporaryDirectory() as folder:
            async with broker(Path(folder), durable=durable) as text:
                rate = await best(lambda text=text: sdk_throughput(text, count))  # type: ignore[misc]
                row(f"SDK, send + receive + complete, 1 KiB, {kept}", f"{rate:,.0f} messages/s")
                before = time.process_time()
                await sdk_throughput(text, count)
                own = (time.process_time() - before) / count * 1_000_000
                row("  of which the SDK's own processor time", f"{own:,.0f} us a message ({1e6 / own:,.0f}/s at best)")
                row(f"SDK, a lone message, {kept}", percentiles(await sdk_latencies(text, 200)))
                rate = await best(lambda text=text: lean_throughput(text, 4 * count))  # type: ignore[misc]
                row(f"lean receiver, send + receive + complete, {kept}", f"{rate:,.0f} messages/s")
                row(f"lean receiver, a lone message, {kept}", percentiles(await lean_latencies(text, 200)))
                row(f"lean receiver, sessions, {kept}", f"{await session_rate(text, 800):,.0f} sessions/s")
    row("SDK alone: make, encode and decode a message", f"{sdk_alone(count):,.0f} messages/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5_000, help="messages in a run through the SDK")
    asyncio.run(run(parser.parse_args().count))


if __name__ == "__main__":
    main()
