"""The broker as one object: an engine behind a listening socket, started and stopped."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Self

from aos.kernel.errors import NotAllowedNow, SettingInvalid
from aos.local.servicebus.connection_string import DEFAULT_KEY, DEFAULT_KEY_NAME, ConnectionString
from aos.local.servicebus.engine.timer_driver import TimerDriver
from aos.local.servicebus.server.committer import Committer
from aos.local.servicebus.server.connection import Connection
from aos.local.servicebus.server.shared import Shared
from aos.local.servicebus.shared_access import KeyRing

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from aos.local.servicebus.engine import Bus

_STOP_GRACE = 1.0


class BrokerServer:
    """Serves a bus over AMQP. An asynchronous context manager, or `start` and `stop`.

    Args:
        bus: The engine. Whoever made it closes it, after the server has stopped.
        host: Where to listen.
        port: 0 takes a free one, which `port` tells after the start.
        key_name: Name of the shared access key that clients must have.
        key: The key itself.
        idle_timeout: Seconds after which a silent client is asked for a sign of life.
        drive: Advance the bus in real time while started. False where a test's clock does.
        now: Gives the time in seconds since 1970, for the expiry of tokens.
    """

    def __init__(
        self,
        bus: Bus,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        key_name: str = DEFAULT_KEY_NAME,
        key: str = DEFAULT_KEY,
        idle_timeout: float = 120.0,
        drive: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.bus = bus
        self.host = host
        self.port = port
        self._key_name = key_name
        self._key = key
        self._committer = Committer(bus)
        self._shared = Shared(
            bus=bus,
            keys=KeyRing({key_name: key}),
            committer=self._committer,
            now=now,
            idle_timeout=idle_timeout,
        )
        self._driver = TimerDriver(bus) if drive else None
        self._server: asyncio.Server | None = None

    @property
    def connection_string(self) -> str:
        """For clients on this machine. It holds the key."""
        host = "127.0.0.1" if self.host in ("", "0.0.0.0", "::") else self.host  # noqa: S104
        return ConnectionString(host, self.port, self._key_name, self._key).text()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._shared.connections)

    async def start(self) -> None:
        """Listen.

        Raises:
            SettingInvalid: the port is taken or the address is not this machine's.
        """
        if self._server is not None:
            raise NotAllowedNow("The broker is started already.")
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Connection(self._shared), self.host, self.port, backlog=512)
        except OSError as problem:
            raise SettingInvalid(
                f"The Service Bus emulator cannot listen on {self.host}:{self.port}: "
                f"{problem.strerror or problem}. Stop what uses the port, or choose another with --port."
            ) from problem
        self.port = self._server.sockets[0].getsockname()[1]
        if self._driver is not None:
            await self._driver.__aenter__()

    async def stop(self) -> None:
        """Stop listening, tell every client, and return when they are gone. Safe to call twice."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        await self._committer.drain()
        for connection in list(self._shared.connections):
            connection.close("The broker is shutting down.")
        await self._all_gone()
        if self._driver is not None:
            await self._driver.__aexit__(None, None, None)

    async def _all_gone(self) -> None:
        if not self._shared.connections:
            return
        try:
            async with asyncio.timeout(_STOP_GRACE):
                await self._shared.empty.wait()
        except TimeoutError:
            for connection in list(self._shared.connections):
                connection.abort()
            await self._shared.empty.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
