"""Looks whether Service Bus answers: a peek at a queue, over a connection that is kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aos.azure.errors import BUS, translate
from aos.azure.identity import Opened, ServiceBusConnection
from aos.azure.per_loop import PerLoop
from aos.kernel.errors import AosError

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver


class BusProbe:
    """Asks one queue of a namespace for a sign of life. Close it in the event loop that used it."""

    def __init__(self, connection: ServiceBusConnection, queue: str) -> None:
        self._queue = queue
        self._links = PerLoop(lambda: _Link(connection.open_client(retry_total=0), queue))

    async def look(self) -> None:
        """Peek at the queue; what is in it does not matter.

        Raises:
            BusUnavailable: it does not answer.
            NotFound: there is no such queue.
        """
        try:
            await self._links.get().peek()
        except AosError:
            raise
        except Exception as error:
            await self.close()
            raise translate(error, BUS, f"look at {self._queue!r}") from error

    async def close(self) -> None:
        link = self._links.take()
        if link is not None:
            await link.close()


class _Link:
    """A receiver that only ever peeks, used by one at a time."""

    def __init__(self, opened: Opened[ServiceBusClient], queue: str) -> None:
        self._opened = opened
        self._queue = queue
        self._lock = asyncio.Lock()
        self._receiver: ServiceBusReceiver | None = None

    async def peek(self) -> None:
        async with self._lock:
            if self._receiver is None:
                self._receiver = self._opened.client.get_queue_receiver(self._queue)
            await self._receiver.peek_messages(1, timeout=5)

    async def close(self) -> None:
        if self._receiver is not None:
            await self._receiver.close()
        await self._opened.close()
