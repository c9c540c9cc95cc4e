"""One long-lived sender to a queue or topic: what waits while a send is under way goes out together in the next one.

A send lasts until the bus has stored it. Turns that end at the same time would wait for each other in line; so they
share a batch, in the order in which they came.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aos.azure.errors import BUS, KINDS, classify, translate
from aos.kernel.errors import AosError, InfrastructureError, NotFound, PayloadTooLarge
from aos.kernel.meter import count

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch
    from azure.servicebus.aio import ServiceBusSender

_logger = logging.getLogger(__name__)

_CLOSING = 5.0
"""Seconds for a goodbye."""

_LASTING = frozenset({"busy", "denied", "exists", "invalid", "missing", "too_large"})
"""Kinds of error that a new connection would meet again."""

_NAMED = KINDS.keys() - {"ServiceBusError"}
"""Errors of the SDKs that say what is wrong. The one left out stands for whatever the service says besides."""


@dataclass(slots=True, eq=False)
class _Request:
    """The messages of one caller. `settled` ends when all of them are `sent`, or with their error."""

    messages: Sequence[ServiceBusMessage]
    settled: asyncio.Future[None]
    sent: int = 0

    def advance(self) -> None:
        self.sent += 1
        if self.sent == len(self.messages) and not self.settled.done():
            self.settled.set_result(None)

    def fail(self, error: AosError) -> None:
        if not self.settled.done():
            self.settled.set_exception(error)


class EntitySender:
    """Sends to one queue or topic. The SDK's sender must not be used by two tasks at once: a task of its own drives it.

    Args:
        entity: Name of the queue or topic.
        open_sender: Makes an SDK sender.
        patience: Seconds that one batch may take before the connection is taken for broken.
    """

    def __init__(self, entity: str, open_sender: Callable[[], ServiceBusSender], patience: float) -> None:
        self._entity = entity
        self._open_sender = open_sender
        self._patience = patience
        self._waiting: list[_Request] = []
        self._under_way: list[_Request] = []
        self._driver: asyncio.Task[None] | None = None
        self._sender: ServiceBusSender | None = None
        self._broken: list[ServiceBusSender] = []

    async def send(self, messages: Sequence[ServiceBusMessage]) -> None:
        """Send all messages in order.

        Raises:
            BusUnavailable: some may have been sent.
            NotFound: there is no such queue or topic.
            PayloadTooLarge: a message does not fit an empty batch.
        """
        if not messages:
            return
        request = _Request(messages, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        if self._driver is None:
            self._start()
        try:
            await request.settled
        except asyncio.CancelledError:
            self._give_up_if_forsaken(request)
            raise
        finally:
            sent = messages[: request.sent]
            count(bus_sends=len(sent), bytes_written=sum(map(_body_size, sent)))

    async def close(self) -> None:
        """Wait for the sends under way, then close."""
        while self._driver is not None:
            await asyncio.wait([self._driver])
        self._set_aside()
        await self._close_broken()

    def _start(self) -> None:
        # In a context of its own: what it does is for many callers, and belongs to the trace and the bill of none.
        drive = self._drive()
        self._driver = asyncio.get_running_loop().create_task(drive, context=contextvars.Context())

    def _give_up_if_forsaken(self, request: _Request) -> None:
        """Break a send off for which nobody waits any more."""
        forsaken = all(other.settled.done() for other in self._under_way)
        if self._driver is not None and request in self._under_way and forsaken:
            self._driver.cancel()

    async def _drive(self) -> None:
        """Send what waits until nothing does."""
        try:
            while self._waiting:
                self._under_way = [request for request in self._waiting if not request.settled.done()]
                self._waiting = []
                await self._send_group(self._under_way)
                self._under_way = []
                await self._close_broken()
        finally:
            for request in self._under_way:
                request.settled.cancel()
            self._under_way = []
            self._driver = None
            if any(not request.settled.done() for request in self._waiting):
                self._start()

    async def _send_group(self, group: Sequence[_Request]) -> None:
        """Send for all; where a message is refused, for each caller alone, so that the error reaches the right one."""
        try:
            await self._send_all(group)
        except AosError as error:
            if len(group) > 1 and _concerns_one_message(error):
                for request in group:
                    await self._send_group([request])
                return
            for request in group:
                request.fail(error)

    async def _send_all(self, group: Sequence[_Request]) -> None:
        line = [
            (request, message)
            for request in group
            if not request.settled.done()
            for message in request.messages[request.sent :]
        ]
        rebuilt = False
        while line:
            try:
                sent = await self._send_batch([message for _, message in line])
            except Exception as error:
                if isinstance(error, AosError):
                    raise
                if rebuilt or classify(error) in _LASTING:
                    raise translate(error, BUS, f"send to {self._entity!r}") from error
                rebuilt = True
                _logger.warning("Sender to %s broke (%s); connecting again.", self._entity, type(error).__name__)
            else:
                for request, _ in line[:sent]:
                    request.advance()
                del line[:sent]

    async def _send_batch(self, messages: Sequence[ServiceBusMessage]) -> int:
        """Send as many of the first messages as fit a batch; how many."""
        try:
            async with asyncio.timeout(self._patience):
                if self._sender is None:
                    self._sender = self._open_sender()
                batch = await self._sender.create_message_batch()
                _fill(batch, messages, self._entity)
                await self._sender.send_messages(batch, timeout=self._patience)
        except PayloadTooLarge:
            raise
        except BaseException:
            # Interrupted anywhere, also by a cancellation, its link may be in the middle of a frame.
            self._set_aside()
            raise
        return len(batch)

    def _set_aside(self) -> None:
        if self._sender is not None:
            self._broken.append(self._sender)
            self._sender = None

    async def _close_broken(self) -> None:
        while self._broken:
            sender = self._broken.pop()
            try:
                async with asyncio.timeout(_CLOSING):
                    await sender.close()
            except Exception as error:  # noqa: BLE001  # it is given up: whatever its close says changes nothing
                _logger.debug("Closing a broken sender to %s failed: %s.", self._entity, type(error).__name__)


def _fill(batch: ServiceBusMessageBatch, messages: Sequence[ServiceBusMessage], entity: str) -> None:
    """Put the first messages into a batch, as many as fit."""
    from azure.servicebus.exceptions import MessageSizeExceededError

    for message in messages:
        try:
            batch.add_message(message)
        except MessageSizeExceededError as error:
            if len(batch) == 0:
                raise PayloadTooLarge(
                    f"Message {message.message_id!r} is over the limit of {entity!r}: {batch.max_size_in_bytes} bytes "
                    "with its properties. Lower the size above which bodies go to blobs, or send fewer properties.",
                    details={"limit": batch.max_size_in_bytes},
                ) from error
            break


def _concerns_one_message(error: AosError) -> bool:
    """Whether the messages of others may fare better, unless it is the bus or the entity itself that fails."""
    cause = error.__cause__
    named = isinstance(cause, OSError) or type(cause).__name__ in _NAMED
    return not (named and isinstance(error, InfrastructureError | NotFound))


def _body_size(message: ServiceBusMessage) -> int:
    parts: Any = message.body
    return sum(len(part) for part in parts)
