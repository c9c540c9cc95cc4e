"""The connection to one server: opened when it is needed, kept while it is used, and closed when it is not.

To open one is a process start or two round trips, too much for each call; and only an open connection hears that a
server's tools have changed. A minute after its last call it is closed, so that nothing is held for agents that sleep.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from aos.mcp.connection import Connection
from aos.mcp.errors import ServerUnavailable
from aos.mcp.failures import while_opening
from aos.mcp.server_config import ServerConfig
from aos.mcp.stderr_tail import StderrTail
from aos.mcp.variables import Filled, Variables

if TYPE_CHECKING:
    from mcp import Client

IDLE = 60.0
"""Seconds after the last call in which a connection is kept."""


class Line:
    """One connection at a time, and those that are about to close.

    Args:
        config: The server.
        variables: For `${NAME}` in it.
        changed: Called when what the server has may be another: it says so, or is connected to anew.

    Attributes:
        filled: The configuration with its variables, once there was a connection.
    """

    def __init__(self, config: ServerConfig, variables: Variables, changed: Callable[[], None]) -> None:
        self._config = config
        self._variables = variables
        self._changed = changed
        self.filled: Filled | None = None
        self._opening = asyncio.Lock()
        self._connection: Connection | None = None
        self._retired: set[Connection] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._idle: asyncio.TimerHandle | None = None

    @property
    def status(self) -> str:
        """`connected`, `connecting` or `disconnected`."""
        if self._connection is not None and self._connection.usable:
            return "connected"
        return "connecting" if self._opening.locked() else "disconnected"

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[tuple[Connection, Filled]]:
        """A connection for the block.

        Raises:
            ServerUnavailable, Throttled, RequestRefused: there can be none.
            SettingInvalid, StoreUnavailable: a variable of the configuration has no value.
        """
        connection, filled = await self._connected()
        try:
            yield connection, filled
        finally:
            self._tidy()

    def retire(self, connection: Connection | None) -> None:
        """Have no further calls go over a connection; it closes once those under way are done."""
        if connection is None:
            return
        if connection is self._connection:
            self._connection = None
        self._retired.add(connection)
        self._tidy()

    async def close(self) -> None:
        """Close all connections, and wait until no process of the server is left."""
        if self._idle is not None:
            self._idle.cancel()
        async with self._opening:
            self.retire(self._connection)
        await asyncio.gather(*(connection.close() for connection in tuple(self._retired)))
        if self._closing:
            await asyncio.wait(self._closing)

    async def _connected(self) -> tuple[Connection, Filled]:
        async with self._opening:
            if self._connection is not None and self._connection.usable and self.filled is not None:
                return self._connection, self.filled
            self.retire(self._connection)
            filled = self.filled = await self._variables.fill(self._config)
            self._connection = await self._open(filled)
            # What it had may be another by now: nobody heard of it while there was no connection.
            self._changed()
            return self._connection, filled

    async def _open(self, filled: Filled) -> Connection:
        tail = StderrTail()
        connection = Connection(functools.partial(self._opened, filled, tail))
        try:
            async with asyncio.timeout(self._config.timeout_seconds):
                await connection.ready()
        except TimeoutError as error:
            await connection.close()
            raise ServerUnavailable(
                f"MCP server {self._config.name!r} did not let us connect within {self._config.timeout_seconds:g} "
                "seconds. See that it runs, or raise its `timeout_seconds`."
            ) from error
        except Exception as error:
            await connection.close()
            raise while_opening(self._config.name, error, filled, await tail.last_line()) from error
        except BaseException:
            await connection.close()
            raise
        return connection

    def _opened(
        self, filled: Filled, tail: StderrTail, ended: Callable[[], None]
    ) -> AbstractAsyncContextManager[Client]:
        from aos.mcp.transport import opened

        return opened(self._config, filled, changed=self._changed, ended=ended, tail=tail)

    def _tidy(self) -> None:
        for connection in [each for each in self._retired if not each.calls]:
            self._retired.discard(connection)
            task = asyncio.create_task(connection.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        if self._connection is not None:
            if self._idle is not None:
                self._idle.cancel()
            self._idle = asyncio.get_running_loop().call_later(IDLE, self._retire_idle)

    def _retire_idle(self) -> None:
        if self._connection is not None and not self._connection.calls:
            self.retire(self._connection)
