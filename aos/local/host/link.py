"""A connection to a bus that comes back by itself, with the pumps and the outputs that use it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NoReturn

from aos.kernel import meter
from aos.kernel.errors import AosError, BusUnavailable
from aos.local.host.pump import Pump
from aos.local.host.source import Source
from aos.local.servicebus.client.contract import OutgoingMessage

_logger = logging.getLogger(__name__)
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_SEND_PATIENCE = 10.0
# What ran this long was not refused by the bus at once.
_STEADY = 10.0

OpenSource = Callable[[], AbstractAsyncContextManager[Source]]


class Link:
    """Keeps a bus connected for as long as it runs; nothing that happens to the bus ends it.

    Args:
        name: The setting that holds the connection.
        open_source: Connects.
        pumps: What receives over it.
        sleep: Waits between attempts.
    """

    def __init__(
        self,
        name: str,
        open_source: OpenSource,
        pumps: Sequence[Pump],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._open = open_source
        self._pumps = pumps
        self._sleep = sleep
        self._source: Source | None = None
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._grace = 0.0

    @property
    def connected(self) -> bool:
        return self._source is not None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"link {self.name}")

    async def wait_connected(self) -> None:
        await self._connected.wait()

    async def stop(self, grace: float) -> None:
        """Receive nothing more; give what runs `grace` seconds; then let go of the connection."""
        self._grace = grace
        self._stop.set()
        if self._task is not None:
            await self._task

    async def send(self, entity: str, body: bytes) -> None:
        """Send one message, waiting a while for a connection where there is none.

        Raises:
            BusUnavailable: there is none, or it broke.
            AosError: the bus refused the message.
        """
        try:
            async with asyncio.timeout(_SEND_PATIENCE):
                await self._connected.wait()
        except TimeoutError:
            raise BusUnavailable(f"The bus of {self.name!r} has been out of reach for a while.") from None
        if self._source is None:
            raise BusUnavailable(f"The connection to the bus of {self.name!r} broke.")
        await self._source.send(entity, [OutgoingMessage(body)])
        meter.count(bus_sends=1)

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            try:
                async with self._open() as source:
                    _logger.info("bus connected", extra={"connection": self.name})
                    pause = _FIRST_PAUSE
                    await self._serve(source)
            except (AosError, OSError) as error:
                self._report("bus out of reach, trying again", error, pause)
            if not self._stop.is_set():
                await self._unless_stopped(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        await self._finish_pumps()

    async def _serve(self, source: Source) -> None:
        """Run the pumps until the connection is gone or the link is to stop."""
        self._source = source
        self._connected.set()
        work = [asyncio.ensure_future(self._keep_running(pump, source)) for pump in self._pumps]
        ends = [asyncio.ensure_future(source.wait_closed()), asyncio.ensure_future(self._stop.wait())]
        try:
            await asyncio.wait([*work, *ends], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in [*work, *ends]:
                task.cancel()
            await asyncio.wait([*work, *ends])
            _report_bugs(work)
            if self._stop.is_set():
                # While there is a connection to settle over.
                await self._finish_pumps()
            self._connected.clear()
            self._source = None
        if not self._stop.is_set():
            raise BusUnavailable("the connection was lost")

    async def _finish_pumps(self) -> None:
        await asyncio.gather(*(pump.finish(self._grace) for pump in self._pumps))

    async def _keep_running(self, pump: Pump, source: Source) -> NoReturn:
        loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE
        while True:
            started = loop.time()
            try:
                await pump.run(source)
            except BusUnavailable:
                # The connection itself has broken, which is reported once for all pumps.
                _logger.debug("receiving ended", extra={"function": pump.function_name})
            except AosError as error:
                self._report(f"{pump.function_name} cannot receive, trying again", error, pause)
            if loop.time() - started > _STEADY:
                pause = _FIRST_PAUSE
            await self._sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _unless_stopped(self, pause: float) -> None:
        sleeping = asyncio.ensure_future(self._sleep(pause))
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([sleeping, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in (sleeping, stopped):
            task.cancel()
        await asyncio.wait([sleeping, stopped])

    def _report(self, what: str, error: AosError | OSError, pause: float) -> None:
        facts = {"connection": self.name, "reason": str(error), "again_in_s": pause}
        _logger.warning(what, extra=facts)


def _report_bugs(tasks: Sequence[asyncio.Task[NoReturn]]) -> None:
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("receiving failed unexpectedly, connecting anew", exc_info=error)
