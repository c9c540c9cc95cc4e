"""`MessageBus` on Azure Service Bus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from aos.azure.claims import CONTENT_TYPE, deposit, open_body
from aos.azure.entity_sender import EntitySender
from aos.azure.identity import Opened, ServiceBusConnection
from aos.azure.per_loop import PerLoop
from aos.kernel.errors import InvalidInput, PayloadTooLarge
from aos.kernel.ports import BlobStore, OutboundMessage

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage
    from azure.servicebus.aio import ServiceBusClient

__all__ = ["AzureMessageBus", "open_body"]

MAX_ID = 128
DEFAULT_MAX_MESSAGE_BYTES = 240 * 1024
"""A message of the Standard tier has 256 KiB, its properties included."""

_PATIENCE = 30.0
_CLIENT_OPTIONS: Mapping[str, Any] = {"retry_total": 2, "retry_backoff_factor": 0.4, "retry_backoff_max": 4}


class AzureMessageBus:
    """Sends to the queues and topics of one namespace. Close it in the event loop that used it.

    Args:
        connection: Where the namespace is, and who we are there.
        blobs: Takes bodies over `max_message_bytes`; without it they are refused.
        max_message_bytes: The largest body that travels in the message itself.
        patience: Seconds that one batch may take.
        **options: For the SDK's client.
    """

    def __init__(
        self,
        connection: ServiceBusConnection,
        *,
        blobs: BlobStore | None = None,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
        patience: float = _PATIENCE,
        **options: Any,
    ) -> None:
        self._blobs = blobs
        self._max_message_bytes = max_message_bytes
        merged = {**_CLIENT_OPTIONS, **options}
        self._senders = PerLoop(lambda: _Senders(connection.open_client(**merged), patience))

    @classmethod
    def from_connection_string(
        cls,
        connection_string: str,
        *,
        blobs: BlobStore | None = None,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
        patience: float = _PATIENCE,
        **options: Any,
    ) -> AzureMessageBus:
        """Raises `SettingInvalid` for what cannot be a Service Bus connection string."""
        connection = ServiceBusConnection.of(connection_string)
        return cls(connection, blobs=blobs, max_message_bytes=max_message_bytes, patience=patience, **options)

    async def send(self, messages: Sequence[OutboundMessage]) -> None:
        by_entity: dict[str, list[ServiceBusMessage]] = {}
        for message in messages:
            _check(message)
        for message in messages:
            by_entity.setdefault(message.entity, []).append(await self._to_service(message))
        for entity, converted in by_entity.items():
            await self._senders.get().of(entity).send(converted)

    async def close(self) -> None:
        senders = self._senders.take()
        if senders is not None:
            await senders.close()

    async def _to_service(self, message: OutboundMessage) -> ServiceBusMessage:
        from azure.servicebus import ServiceBusMessage

        properties: dict[Any, Any] = dict(message.properties)
        body, content_type = message.body, message.content_type
        if len(body) > self._max_message_bytes:
            body, content_type = await self._deposit(message), CONTENT_TYPE
        return ServiceBusMessage(
            body,
            message_id=message.message_id,
            session_id=message.session_id,
            subject=message.subject,
            correlation_id=message.correlation_id,
            content_type=content_type,
            scheduled_enqueue_time_utc=message.scheduled_at.astimezone(UTC) if message.scheduled_at else None,
            time_to_live=timedelta(seconds=message.expires_after) if message.expires_after else None,
            application_properties=properties or None,
        )

    async def _deposit(self, message: OutboundMessage) -> bytes:
        if self._blobs is None:
            raise PayloadTooLarge(
                f"Message {message.message_id!r} has {len(message.body)} bytes; {self._max_message_bytes} may be sent.",
                details={"size": len(message.body), "limit": self._max_message_bytes},
            )
        return await deposit(message.body, self._blobs)


class _Senders:
    """The client of one event loop, with a sender for each queue and topic."""

    def __init__(self, opened: Opened[ServiceBusClient], patience: float) -> None:
        self._opened = opened
        self._patience = patience
        self._senders: dict[str, EntitySender] = {}

    def of(self, entity: str) -> EntitySender:
        sender = self._senders.get(entity)
        if sender is None:
            # To the service a queue and a topic are the same thing: an address to send to.
            open_sender = partial(self._opened.client.get_queue_sender, entity)
            sender = self._senders[entity] = EntitySender(entity, open_sender, self._patience)
        return sender

    async def close(self) -> None:
        for sender in self._senders.values():
            await sender.close()
        await self._opened.close()


def _check(message: OutboundMessage) -> None:
    """Refuse what the SDK or the service would, before anything is sent."""
    for name, value in (("message_id", message.message_id), ("session_id", message.session_id)):
        if value is not None and not 1 <= len(value) <= MAX_ID:
            raise InvalidInput(f"The {name} {value[:40]!r} must have 1 to {MAX_ID} characters.")
    if not message.entity:
        raise InvalidInput(f"Message {message.message_id!r} names no queue or topic.")
    if message.scheduled_at is not None and message.scheduled_at.tzinfo is None:
        raise InvalidInput(f"Message {message.message_id!r} is scheduled without a time zone. Give the time in UTC.")
    if message.expires_after is not None and message.expires_after <= 0:
        raise InvalidInput(f"Message {message.message_id!r} would expire at once. Leave it out instead.")
