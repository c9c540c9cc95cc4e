"""Receives through the Service Bus SDK, for Microsoft's emulator and real namespaces.

Opening and closing a receiver takes the SDK about a second, and a receiver is not safe to use from two tasks at
once: each is guarded by a lock, and waiting for messages gives the lock up ten times a second for settlements.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusSubQueue,
)
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import (
    MessageAlreadySettled,
    MessageLockLostError,
    MessagingEntityNotFoundError,
    OperationTimeoutError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from aos.kernel.errors import BusUnavailable, LockLost, NotFound, PermissionDenied
from aos.local.servicebus.client.contract import OutgoingMessage
from aos.local.servicebus.client.received import ReceivedMessage

_CHUNK = 0.1
_DEAD_LETTERS = "/$DeadLetterQueue"


class SdkReceiver:
    """One receiver of the SDK, with or without a session."""

    def __init__(self, receiver: ServiceBusReceiver) -> None:
        self._receiver = receiver
        self._lock = asyncio.Lock()
        self._raw: dict[ReceivedMessage, ServiceBusReceivedMessage] = {}

    async def receive(self, max_messages: int = 1, wait: float | None = None) -> list[ReceivedMessage]:
        """See `Settling.receive`."""
        loop = asyncio.get_running_loop()
        until = None if wait is None else loop.time() + wait
        while True:
            left = _CHUNK if until is None else min(_CHUNK, until - loop.time())
            async with self._lock:
                with _mapped():
                    raw = await self._receiver.receive_messages(max_messages, max(left, 0.01))
            if raw:
                return [self._known(message) for message in raw]
            if until is not None and loop.time() >= until:
                return []

    async def complete(self, messages: Sequence[ReceivedMessage]) -> None:
        """Settle one by one: the SDK is much slower with several under way."""
        await self._settle(messages, self._receiver.complete_message)

    async def abandon(self, messages: Sequence[ReceivedMessage]) -> None:
        await self._settle(messages, self._receiver.abandon_message)

    async def release(self, messages: Sequence[ReceivedMessage]) -> None:
        """Abandon: the SDK has no way to give a message back that does not count as a delivery."""
        await self.abandon(messages)

    async def close(self) -> None:
        async with self._lock:
            with _mapped():
                await self._receiver.close()

    async def _settle(self, messages: Sequence[ReceivedMessage], settle: Any) -> None:
        for message in messages:
            async with self._lock:
                with _mapped():
                    await settle(self._raw.pop(message))

    def _known(self, raw: ServiceBusReceivedMessage) -> ReceivedMessage:
        message = _received(raw)
        self._raw[message] = raw
        return message


class SdkQueue(SdkReceiver):
    """A queue or subscription without sessions."""

    async def renew(self, messages: Sequence[ReceivedMessage]) -> list[datetime]:
        """See `OpenReceiver.renew`."""
        renewed = []
        for message in messages:
            async with self._lock:
                with _mapped():
                    renewed.append(await self._receiver.renew_message_lock(self._raw[message]))
        return renewed


class SdkSession(SdkReceiver):
    """A session locked for us."""

    @property
    def session_id(self) -> str:
        return str(self._receiver.session.session_id)

    @property
    def locked_until(self) -> datetime:
        until = self._receiver.session.locked_until_utc
        return until if until is not None else datetime.now(UTC)

    async def renew(self) -> datetime:
        """See `HeldSession.renew`."""
        async with self._lock:
            with _mapped():
                return await self._receiver.session.renew_lock()


class SdkSource:
    """A client of the SDK as a `Source`. It connects anew by itself, and so is never seen closed."""

    def __init__(self, client: ServiceBusClient) -> None:
        self._client = client
        self._senders: dict[str, tuple[Any, asyncio.Lock]] = {}

    @classmethod
    @asynccontextmanager
    async def from_connection_string(cls, text: str) -> AsyncIterator[SdkSource]:
        async with ServiceBusClient.from_connection_string(text) as client:
            yield cls(client)

    @classmethod
    @asynccontextmanager
    async def from_identity(cls, namespace: str) -> AsyncIterator[SdkSource]:
        """As whoever is logged in on this machine."""
        from azure.identity.aio import DefaultAzureCredential  # rarely needed, slow to load

        async with DefaultAzureCredential() as credential, ServiceBusClient(namespace, credential) as client:
            yield cls(client)

    async def accept_next_session(self, entity: str, *, timeout: float = 60.0) -> SdkSession | None:  # noqa: ASYNC109  # as the lean client names it
        """See `SessionSource.accept_next_session`."""
        receiver = self._open(entity, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=timeout)
        try:
            with _mapped():
                opened = await _opened(receiver)
        except BaseException:
            await receiver.close()
            raise
        if not opened:
            await receiver.close()
            return None
        return SdkSession(receiver)

    async def receiver(self, entity: str, *, prefetch: int = 0) -> SdkQueue:
        """See `Source.receiver`."""
        receiver = self._open(entity, prefetch_count=prefetch)
        with _mapped():
            await receiver.__aenter__()
        return SdkQueue(receiver)

    async def send(self, entity: str, messages: Sequence[OutgoingMessage]) -> None:
        """See `Source.send`. Queues and topics are addressed alike."""
        if entity not in self._senders:
            self._senders[entity] = (self._client.get_queue_sender(entity), asyncio.Lock())
        sender, lock = self._senders[entity]
        async with lock:
            with _mapped():
                for message in messages:
                    await sender.send_messages(ServiceBusMessage(message.body))

    async def wait_closed(self) -> None:
        await asyncio.Event().wait()

    def _open(self, entity: str, **options: Any) -> ServiceBusReceiver:
        name, dead, _ = entity.partition(_DEAD_LETTERS)
        if dead:
            options["sub_queue"] = ServiceBusSubQueue.DEAD_LETTER
        topic, subscriptions, subscription = name.partition("/Subscriptions/")
        if subscriptions:
            return self._client.get_subscription_receiver(topic, subscription, **options)
        return self._client.get_queue_receiver(name, **options)


async def _opened(receiver: ServiceBusReceiver) -> bool:
    """Open a receiver of the next session. False when no session has messages."""
    try:
        await receiver.__aenter__()
    except (OperationTimeoutError, SessionCannotBeLockedError):
        return False
    return True


@contextmanager
def _mapped() -> Iterator[None]:
    """The SDK's errors in terms of the error tree."""
    try:
        yield
    except (SessionLockLostError, MessageLockLostError, MessageAlreadySettled) as error:
        raise LockLost(str(error)) from error
    except MessagingEntityNotFoundError as error:
        raise NotFound(str(error)) from error
    except (ServiceBusAuthenticationError, ServiceBusAuthorizationError) as error:
        raise PermissionDenied(str(error)) from error
    except (ServiceBusError, OSError) as error:
        raise BusUnavailable(str(error)) from error


def _received(raw: ServiceBusReceivedMessage) -> ReceivedMessage:
    token = raw.lock_token
    return ReceivedMessage(
        body=b"".join(bytes(part) for part in raw.body),
        sequence_number=raw.sequence_number or 0,
        delivery_count=raw.delivery_count or 0,
        enqueued_at=raw.enqueued_time_utc,
        locked_until=None if raw.session_id else raw.locked_until_utc,
        lock_token=token if isinstance(token, UUID) else None,
        message_id=raw.message_id,
        session_id=raw.session_id,
        correlation_id=raw.correlation_id,
        subject=raw.subject,
        content_type=raw.content_type,
        reply_to=raw.reply_to,
        reply_to_session_id=raw.reply_to_session_id,
        to=raw.to,
        partition_key=raw.partition_key,
        time_to_live=raw.time_to_live,
        scheduled_at=raw.scheduled_enqueue_time_utc,
        application_properties=_texts(raw.application_properties or {}),
        dead_letter_reason=raw.dead_letter_reason,
        dead_letter_description=raw.dead_letter_error_description,
        dead_letter_source=raw.dead_letter_source,
        enqueued_sequence_number=raw.enqueued_sequence_number,
    )


def _texts(properties: dict[Any, Any]) -> dict[str, Any]:
    """Application properties with the texts the SDK leaves as bytes decoded."""
    return {_text(name): _text(value) for name, value in properties.items()}


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
