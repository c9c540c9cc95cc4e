"""The whole emulator as one object: configuration, engine, store, AMQP and administration."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from aos.kernel.errors import SettingInvalid
from aos.local.servicebus.administration.server import AdministrationServer
from aos.local.servicebus.connection_string import DEFAULT_KEY, DEFAULT_KEY_NAME, DEFAULT_PORT
from aos.local.servicebus.engine import Bus, Topology
from aos.local.servicebus.engine.config_file import load_topology
from aos.local.servicebus.engine.sqlite_store import SqliteStore
from aos.local.servicebus.server.broker_server import BrokerServer
from aos.local.servicebus.shared_access import KeyRing

if TYPE_CHECKING:
    from types import TracebackType


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOptions:
    """How to run the emulator.

    Attributes:
        config: Entities in the format of Microsoft's emulator (`Config.json`).
        topology: Entities from code, beside those of `config`.
        port: For AMQP; 0 takes a free one.
        data: Folder to keep messages in; None keeps them in memory only.
        admin_port: For administration and health over HTTP; None leaves both off, 0 takes a free one.
        admin_tls_port: For administration over TLS; None leaves it off. Needs `admin_port`.
    """

    config: Path | None = None
    topology: Topology | None = None
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    data: Path | None = None
    admin_port: int | None = None
    admin_tls_port: int | None = None
    key_name: str = DEFAULT_KEY_NAME
    key: str = field(default=DEFAULT_KEY, repr=False)


class Broker:
    """Runs the emulator while entered.

    Raises, on entering:
        SettingInvalid: a port is taken, or the configuration cannot be used; the message says what to do.
    """

    bus: Bus
    server: BrokerServer
    administration: AdministrationServer | None = None

    def __init__(self, options: BrokerOptions) -> None:
        self._options = options
        self._stack = AsyncExitStack()

    @property
    def connection_string(self) -> str:
        """For clients on this machine. It holds the key."""
        return self.server.connection_string

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        options = self._options
        topologies = await asyncio.to_thread(_topologies, options)
        self.bus = await self._open_bus(options.data)
        self._stack.push_async_callback(self.bus.close)
        for topology in topologies:
            self.bus.apply(topology)
        await self.bus.flush()
        self.server = BrokerServer(self.bus, options.host, options.port, key_name=options.key_name, key=options.key)
        await self._stack.enter_async_context(self.server)
        if options.admin_port is not None:
            self.administration = await self._administer(options.admin_port)

    async def _open_bus(self, data: Path | None) -> Bus:
        if data is None:
            return Bus()
        await asyncio.to_thread(data.mkdir, parents=True, exist_ok=True)
        return await Bus.open(SqliteStore(data / "servicebus.db"))

    async def _administer(self, port: int) -> AdministrationServer:
        options = self._options
        folder = options.data
        if folder is None and options.admin_tls_port is not None:
            temporary = tempfile.TemporaryDirectory(prefix="aos-servicebus-")
            self._stack.callback(temporary.cleanup)
            folder = Path(temporary.name)
        return await self._stack.enter_async_context(
            AdministrationServer(
                self.bus,
                KeyRing({options.key_name: options.key}),
                options.host,
                port,
                tls_port=options.admin_tls_port,
                folder=folder,
            )
        )


def _topologies(options: BrokerOptions) -> list[Topology]:
    found = []
    if options.config is not None:
        try:
            found.append(load_topology(options.config))
        except OSError as problem:
            raise SettingInvalid(
                f"The configuration {options.config} cannot be read ({problem.strerror or problem}): "
                "give the path of a Config.json."
            ) from problem
    if options.topology is not None:
        found.append(options.topology)
    return found
