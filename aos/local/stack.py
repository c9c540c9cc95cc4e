"""The whole system on one machine: storage, bus and Functions host as supervised child processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aos.local.azurite import Azurite
from aos.local.azurite.server import USUAL_PORTS, StoragePorts
from aos.local.keeper import Keeper
from aos.local.ports import Report, choose_port, silent
from aos.local.programs import bus_program, host_program
from aos.local.servicebus.connection_string import DEFAULT_KEY, DEFAULT_KEY_NAME, ConnectionString
from aos.local.stack_files import in_use, make_keys, start_log, write_private

BUS_CONFIG = Path(__file__).with_name("servicebus.Config.json")
HOST_PORT = 7071
BUS_PORT = 5672


@dataclass(frozen=True, slots=True)
class StackOptions:
    """How to run the stack.

    Attributes:
        app: The folder with `function_app.py`.
        home: The stack's own folder: installation, data, keys, logs. None is `.aos` in the app's folder.
        tools: Where Azurite is installed; None is the home. Stacks may share it.
        in_memory: Keep no data.
        host_port, bus_port, storage_ports: Wanted ports; where one is taken another is used and reported.
            0 asks for any.
        bus_config: The queues and topics, in the format of Microsoft's emulator.
        settings: More app settings for the functions.
        report: Told, in whole sentences, what is being done.
    """

    app: Path
    home: Path | None = None
    tools: Path | None = None
    in_memory: bool = False
    host_port: int = HOST_PORT
    bus_port: int = BUS_PORT
    storage_ports: StoragePorts = USUAL_PORTS
    bus_config: Path = BUS_CONFIG
    settings: Mapping[str, str] = field(default_factory=dict)
    report: Report = silent


class Stack:
    """A running stack; make one with `Stack.start`.

    Attributes:
        base_url: Where the functions are served, without the route prefix.
        function_key: Opens functions of the level function.
        master_key: Opens everything.
        storage_connection_string: For the storage SDKs.
        bus_connection_string: For the Service Bus SDK.
        logs: The folder of the children's logs.
    """

    def __init__(
        self,
        *,
        storage_connection_string: str,
        bus_connection_string: str,
        base_url: str,
        keys: tuple[str, str],
        logs: Path,
        host: Keeper,
        bus: Keeper,
        storage: Keeper,
    ) -> None:
        self.base_url = base_url
        self.function_key, self.master_key = keys
        self.storage_connection_string = storage_connection_string
        self.bus_connection_string = bus_connection_string
        self.logs = logs
        self._host = host
        self._bus = bus
        self._storage = storage

    @classmethod
    @asynccontextmanager
    async def start(cls, options: StackOptions) -> AsyncIterator[Stack]:
        """Run the stack for the block. Everything it started is gone afterwards, whatever happened inside.

        Raises:
            NotAllowedNow: another stack uses the same data.
            SettingMissing, SettingInvalid: Node.js or a file of the app is missing or unusable.
            InfrastructureError: a process does not start; the message names its log and quotes its end.
        """
        home = (options.home or options.app / ".aos").resolve()
        data = None if options.in_memory else home / "data"
        async with AsyncExitStack() as exits:
            if data is not None:
                exits.enter_context(in_use(data))
            keys = await asyncio.to_thread(make_keys, home / "keys.json")
            storage, storage_string = await _storage(options, home, data, exits)
            bus, bus_string = await _bus(options, home, data, exits)
            settings = {
                "FUNCTIONS_WORKER_RUNTIME": "python",
                "AzureWebJobsStorage": storage_string,
                "ServiceBus": bus_string,
                **options.settings,
            }
            await asyncio.to_thread(
                write_private, home / "local.settings.json", {"IsEncrypted": False, "Values": settings}
            )
            host, base_url = await _host(options, home, data, settings, exits)
            options.report(f"The functions are served at {base_url}.")
            yield cls(
                storage_connection_string=storage_string,
                bus_connection_string=bus_string,
                base_url=base_url,
                keys=keys,
                logs=home / "logs",
                host=host,
                bus=bus,
                storage=storage,
            )
            options.report("Stopping.")

    @property
    def host_restarts(self) -> int:
        """How often the host was started again because it had ended."""
        return self._host.restarts

    async def kill_host(self) -> None:
        """End the host as a crash would; the supervisor starts it again, which `host_ready` waits for."""
        await self._host.kill()

    async def host_ready(self) -> None:
        """Wait until the host serves."""
        await self._host.ready()

    async def stop_host(self) -> None:
        """Stop the host in an orderly way, and leave it so."""
        await self._host.stop()

    async def start_host(self) -> None:
        """Start the host after `stop_host`."""
        await self._host.start()

    async def kill_bus(self) -> None:
        """End the Service Bus emulator as a crash would; it is started again."""
        await self._bus.kill()

    async def bus_ready(self) -> None:
        await self._bus.ready()

    async def restart_storage(self) -> None:
        """Stop and start Azurite, on the same ports. In memory, its data is gone."""
        await self._storage.stop()
        await self._storage.start()


async def _storage(options: StackOptions, home: Path, data: Path | None, exits: AsyncExitStack) -> tuple[Keeper, str]:
    options.report("Starting storage (Azurite).")
    location = None if data is None else data / "storage"
    azurite = await exits.enter_async_context(
        Azurite.start(
            home=home,
            location=location,
            ports=options.storage_ports,
            tools=options.tools,
            report=options.report,
        )
    )
    keeper = Keeper(azurite, options.report)
    exits.push_async_callback(keeper.stop)
    keeper.adopt()
    return keeper, azurite.connection_string


async def _bus(options: StackOptions, home: Path, data: Path | None, exits: AsyncExitStack) -> tuple[Keeper, str]:
    options.report("Starting the Service Bus emulator.")
    port = choose_port(options.bus_port, "Service Bus", options.report)
    log = await asyncio.to_thread(start_log, home / "logs" / "servicebus.log")
    store = None if data is None else data / "servicebus"
    keeper = Keeper(bus_program(port, options.bus_config, store, log), options.report)
    exits.push_async_callback(keeper.stop)
    await keeper.start()
    return keeper, ConnectionString("127.0.0.1", port, DEFAULT_KEY_NAME, DEFAULT_KEY).text()


async def _host(
    options: StackOptions,
    home: Path,
    data: Path | None,
    settings: Mapping[str, str],
    exits: AsyncExitStack,
) -> tuple[Keeper, str]:
    options.report("Starting the Functions host.")
    port = choose_port(options.host_port, "HTTP", options.report)
    log = await asyncio.to_thread(start_log, home / "logs" / "host.log")
    state = None if data is None else data / "timers.json"
    program = host_program(options.app.resolve(), port, home / "keys.json", state, log, settings)
    keeper = Keeper(program, options.report)
    exits.push_async_callback(keeper.stop)
    await keeper.start()
    return keeper, f"http://127.0.0.1:{port}"
