"""Runs the emulator in the foreground until it is told to stop: what `aos bus` and `python -m` call."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

from aos.local.servicebus.broker import Broker

if TYPE_CHECKING:
    from collections.abc import Callable

    from aos.local.servicebus.broker import BrokerOptions


async def serve(options: BrokerOptions, *, say: Callable[[str], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT, then stop cleanly.

    Args:
        options: What to run.
        say: Takes each line that tells where the emulator can be found; printed by default. The line with
            the connection string holds the key.

    Raises:
        SettingInvalid: a port is taken, or the configuration cannot be used.
        BusError: what was kept cannot be used with this configuration.
    """
    say = say or _print
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        async with Broker(options) as broker:
            for line in _lines(broker, options):
                say(line)
            await stopped.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _lines(broker: Broker, options: BrokerOptions) -> list[str]:
    queues, topics = len(broker.bus.queues()), len(broker.bus.topics())
    kept = f"kept in {options.data}" if options.data else "in memory"
    where = f"{broker.server.host}:{broker.server.port}"
    lines = [
        f"Service Bus emulator on {where}: {queues} queues and {topics} topics, {kept}",
        f"Connection string: {broker.connection_string}",
    ]
    administration = broker.administration
    if administration is not None:
        lines.append(f"Health:            {administration.url}/health")
        lines.append(f"Administration:    {administration.url}")
    if administration is not None and administration.tls_url is not None:
        lines.append(f"Administration:    {administration.tls_url} (certificate {administration.certificate})")
    return [*lines, "Ready"]


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
