"""Several Functions hosts over one storage and one bus, every process and every line of which a test can break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from aos.local.azurite import Azurite
from aos.local.ports import free_port
from aos.local.programs import Program, bus_program, host_program
from aos.local.servicebus.connection_string import DEFAULT_KEY, DEFAULT_KEY_NAME, ConnectionString
from aos.local.stack import BUS_CONFIG
from aos.local.stack_files import make_keys
from tests.conftest import AOS_HOME
from tests.e2e.conftest import PATIENCE, PROJECT, TEST_AGENTS
from tests.e2e.line import Line


@dataclass(slots=True)
class Cluster:
    """The processes. The hosts reach storage and bus over `storage_line` and `bus_line` only.

    Attributes:
        bus_connection_string: For clients that are not to be cut off.
        host_urls: Where each host serves.
    """

    azurite: Azurite
    bus: Program
    hosts: list[Program]
    storage_line: Line
    bus_line: Line
    bus_connection_string: str
    host_urls: list[str]
    key: str

    async def kill_host(self, number: int) -> None:
        """`kill -9`, and start it again."""
        await self.hosts[number].kill()
        await self.hosts[number].launch()

    async def kill_bus(self) -> None:
        await self.bus.kill()
        await self.bus.launch()

    async def restart_storage(self) -> None:
        """In an orderly way: killed, Azurite loses the last seconds of its data, by its own design."""
        await self.azurite.launch()

    @asynccontextmanager
    async def caller(self) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"x-functions-key": self.key}
        async with httpx.AsyncClient(
            base_url=self.host_urls[0], headers=headers, timeout=PATIENCE, trust_env=False
        ) as http:
            yield http


@asynccontextmanager
async def running_cluster(home: Path, hosts: int = 2) -> AsyncIterator[Cluster]:
    """Start everything, with data kept under `home`, and stop it after the block."""
    async with AsyncExitStack() as exits:
        keys = await asyncio.to_thread(make_keys, home / "keys.json")
        azurite = await exits.enter_async_context(
            Azurite.start(home=home, location=home / "data" / "storage", tools=AOS_HOME)
        )
        bus_port = free_port()
        bus = bus_program(bus_port, BUS_CONFIG, home / "data" / "servicebus", home / "servicebus.log")
        exits.push_async_callback(bus.stop)
        await bus.launch()
        ports = azurite.ports
        tables = await exits.enter_async_context(Line.to(ports.table))
        blobs = await exits.enter_async_context(Line.to(ports.blob))
        bus_line = await exits.enter_async_context(Line.to(bus_port))
        storage = azurite.connection_string.replace(f":{ports.table}/", f":{tables.port}/")
        storage = storage.replace(f":{ports.blob}/", f":{blobs.port}/")
        settings = {
            "AzureWebJobsStorage": storage,
            "ServiceBus": _servicebus(bus_line.port),
            "AOS_ENVIRONMENT": "test",
            "AOS_AGENTS_PACKAGE": TEST_AGENTS,
        }
        programs, urls = [], []
        for number in range(hosts):
            port = free_port()
            program = host_program(PROJECT, port, home / "keys.json", None, home / f"host-{number}.log", settings)
            exits.push_async_callback(program.stop)
            await program.launch()
            programs.append(program)
            urls.append(f"http://127.0.0.1:{port}")
        yield Cluster(azurite, bus, programs, tables, bus_line, _servicebus(bus_port), urls, keys[0])


def _servicebus(port: int) -> str:
    return ConnectionString("127.0.0.1", port, DEFAULT_KEY_NAME, DEFAULT_KEY).text()
