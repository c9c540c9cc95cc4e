"""Keeps a server process running: starts it again, with growing pauses, when it ends without being told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from aos.kernel.errors import AosError
from aos.local.ports import Report

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
# What ran this long did not fail because of how it was started.
_STEADY = 30.0


class Server(Protocol):
    """A process that can be started over and over."""

    @property
    def name(self) -> str: ...

    async def launch(self) -> None:
        """Start it and wait until it is ready. Raises `AosError` if it does not get there."""
        ...

    async def wait(self) -> int:
        """Wait for the process to end; its exit code."""
        ...

    async def stop(self) -> None: ...

    async def kill(self) -> None: ...


class Keeper:
    """Watches one server from `start` to `stop`."""

    def __init__(
        self, server: Server, report: Report, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._server = server
        self._report = report
        self._sleep = sleep
        self._ready = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self.restarts = 0

    async def start(self) -> None:
        """Start the server; from then on it is kept running. Raises `AosError` if the first start fails."""
        await self._server.launch()
        self.adopt()

    def adopt(self) -> None:
        """Watch over a server that runs already."""
        self._ready.set()
        self._watch = asyncio.get_running_loop().create_task(self._run(), name=f"keep {self._server.name}")

    async def stop(self) -> None:
        """Stop the server for good. Safe to call twice, and when it never started."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = None
        self._ready.clear()
        await self._server.stop()

    async def kill(self) -> None:
        """End the server as a crash would; it is started again at once, which `ready` waits for."""
        self._ready.clear()
        await self._server.kill()

    async def ready(self) -> None:
        """Wait until the server runs and is ready."""
        await self._ready.wait()

    async def _run(self) -> None:
        loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE
        while True:
            started = loop.time()
            code = await self._server.wait()
            self._ready.clear()
            self._report(f"{self._server.name} ended unexpectedly ({_told(code)}); starting it again.")
            if loop.time() - started > _STEADY:
                pause = _FIRST_PAUSE
            pause = await self._launch_again(pause)

    async def _launch_again(self, pause: float) -> float:
        while True:
            await self._sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            with contextlib.suppress(AosError):
                await self._server.launch()
                self.restarts += 1
                self._ready.set()
                self._report(f"{self._server.name} is back.")
                return pause
            self._report(f"{self._server.name} does not start; trying again in {pause:g} s.")


def _told(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
