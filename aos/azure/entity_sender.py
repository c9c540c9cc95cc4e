"""One long-lived sender to a queue or topic: one user at a time, batches in order, rebuilt once when it breaks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from aos.azure.errors import BUS, classify, translate
from aos.kernel.errors import AosError, PayloadTooLarge
from aos.kernel.meter import count

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch
    from azure.servicebus.aio import ServiceBusSender

_logger = logging.getLogger(__name__)

_CLOSING = 5.0
"""Seconds for a goodbye."""

_LASTING = frozenset({"busy", "denied", "exists", "invalid", "missing", "too_large"})
"""Kinds of error that a new connection would meet again."""


class EntitySender:
    """Sends to one queue or topic. The SDK's sender must not be used by two tasks at once, so a lock is around it.

    Args:
        entity: Name of the queue or topic.
        open_sender: Makes an SDK sender.
        patience: Seconds that one batch may take before the connection is taken for broken.
    """

    def __init__(self, entity: str, open_sender: Callable[[], ServiceBusSender], patience: float) -> None:
        self._entity = entity
        self._open_sender = open_sender
        self._patience = patience
        self._lock = asyncio.Lock()
        self._sender: ServiceBusSender | None = None
        self._broken: list[ServiceBusSender] = []

    async def send(self, messages: Sequence[ServiceBusMessage]) -> None:
        """Send all messages in order.

        Raises:
            BusUnavailable: some may have been sent.
            NotFound: there is no such queue or topic.
            PayloadTooLarge: a message does not fit an empty batch.
        """
        async with self._lock:
            done, rebuilt = 0, False
            while done < len(messages):
                try:
                    done += await self._send_batch(messages[done:])
                except Exception as error:
                    if isinstance(error, AosError):
                        raise
                    if rebuilt or classify(error) in _LASTING:
                        raise translate(error, BUS, f"send to {self._entity!r}") from error
                    rebuilt = True
                    _logger.warning("Sender to %s broke (%s); connecting again.", self._entity, type(error).__name__)
            await self._close_broken()

    async def close(self) -> None:
        """Wait for a send under way, then close."""
        async with self._lock:
            self._set_aside()
            await self._close_broken()

    async def _send_batch(self, messages: Sequence[ServiceBusMessage]) -> int:
        """Send as many of the first messages as fit a batch; how many."""
        try:
            async with asyncio.timeout(self._patience):
                if self._sender is None:
                    self._sender = self._open_sender()
                batch = await self._sender.create_message_batch()
                size = _fill(batch, messages, self._entity)
                await self._sender.send_messages(batch, timeout=self._patience)
        except PayloadTooLarge:
            raise
        except BaseException:
            # Interrupted anywhere, also by a cancellation, its link may be in the middle of a frame.
            self._set_aside()
            raise
        count(bus_sends=len(batch), bytes_written=size)
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


def _fill(batch: ServiceBusMessageBatch, messages: Sequence[ServiceBusMessage], entity: str) -> int:
    """Put the first messages into a batch, as many as fit; their bodies' size in bytes."""
    from azure.servicebus.exceptions import MessageSizeExceededError

    size = 0
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
        size += _body_size(message)
    return size


def _body_size(message: ServiceBusMessage) -> int:
    parts: Any = message.body
    return sum(len(part) for part in parts)
