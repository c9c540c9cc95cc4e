"""`ServiceBusManager`: topics, subscriptions and messages of a namespace, for administration and for business apps."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from aos.azure.bus import AzureMessageBus
from aos.azure.errors import BUS, comes_from_azure, translated
from aos.azure.identity import Opened, ServiceBusConnection, servicebus_connection
from aos.azure.per_loop import PerLoop
from aos.kernel.ambient import RandomIds
from aos.kernel.errors import AlreadyExists, InvalidInput, NotFound, SettingMissing
from aos.kernel.meter import count
from aos.kernel.ports import Ids, OutboundMessage

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage
    from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
    from azure.servicebus.aio.management import ServiceBusAdministrationClient

_logger = logging.getLogger(__name__)

_ADMIN_OPTIONS: Mapping[str, Any] = {
    "connection_timeout": 10,
    "read_timeout": 30,
    "retry_total": 3,
    "retry_backoff_max": 8,
}

Process = Callable[[dict[str, Any]], Awaitable[None]]


class ServiceBusManager:
    """Administers a namespace, sends to it and receives from it.

    Without a connection nothing fails: changes and sends answer False, lists and messages are empty. With one, errors
    of the service are raised. Close it in the event loop that used it.

    Args:
        connection: Where the namespace is, and who we are there; None where none is configured.
        ids: Gives ids to messages.
        admin_connection: For administration, where it has an address of its own, as in an emulator.
        admin_options: For the SDK's administration client.
        **options: For the SDK's messaging client.
    """

    def __init__(
        self,
        connection: ServiceBusConnection | None,
        *,
        ids: Ids | None = None,
        admin_connection: ServiceBusConnection | None = None,
        admin_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self._configured = connection is not None
        self._ids = ids or RandomIds()
        if connection is not None:
            admin = admin_connection or connection
            merged = {**_ADMIN_OPTIONS, **(admin_options or {})}
            self._bus = AzureMessageBus(connection, **options)
            self._clients = PerLoop(lambda: _Clients(admin.open_admin(**merged), connection.open_client(**options)))

    @classmethod
    def from_connection_string(cls, connection_string: str, **options: Any) -> ServiceBusManager:
        """Raises `SettingInvalid` for what cannot be a Service Bus connection string."""
        return cls(ServiceBusConnection.of(connection_string), **options)

    @classmethod
    def from_settings(cls, environ: Mapping[str, str], **options: Any) -> ServiceBusManager:
        """A manager of the configured namespace, or of none. Raises `SettingInvalid`."""
        try:
            connection = servicebus_connection(environ)
        except SettingMissing:
            _logger.info("No Service Bus is configured; its manager does nothing.")
            return cls(None, **options)
        return cls(connection, **options)

    async def create_topic(self, topic: str, **properties: Any) -> bool:
        """Make a topic; True also where it is there already.

        Args:
            topic: Its name.
            **properties: As the SDK's `create_topic` takes them, such as `default_message_time_to_live`.
        """
        if not self._configured:
            return False
        try:
            with translated(BUS, f"make topic {topic!r}"):
                await self._admin().create_topic(topic, **properties)
        except AlreadyExists:
            pass
        return True

    async def delete_topic(self, topic: str) -> bool:
        """Remove a topic; True also where there is none."""
        if not self._configured:
            return False
        try:
            with translated(BUS, f"delete topic {topic!r}"):
                await self._admin().delete_topic(topic)
        except NotFound:
            pass
        return True

    async def create_subscription(self, topic: str, subscription: str, **properties: Any) -> bool:
        """Make a subscription; True also where it is there already. Raises `NotFound` where the topic is missing."""
        if not self._configured:
            return False
        try:
            with translated(BUS, f"make subscription {subscription!r} of topic {topic!r}"):
                await self._admin().create_subscription(topic, subscription, **properties)
        except AlreadyExists:
            pass
        return True

    async def delete_subscription(self, topic: str, subscription: str) -> bool:
        """Remove a subscription; True also where there is none."""
        if not self._configured:
            return False
        try:
            with translated(BUS, f"delete subscription {subscription!r} of topic {topic!r}"):
                await self._admin().delete_subscription(topic, subscription)
        except NotFound:
            pass
        return True

    async def list_topics(self) -> list[str]:
        """Names of all topics."""
        if not self._configured:
            return []
        with translated(BUS, "list topics"):
            return [topic.name async for topic in self._admin().list_topics()]

    async def list_subscriptions(self, topic: str) -> list[str]:
        """Names of a topic's subscriptions; none where there is no topic."""
        if not self._configured:
            return []
        try:
            with translated(BUS, f"list subscriptions of topic {topic!r}"):
                return [subscription.name async for subscription in self._admin().list_subscriptions(topic)]
        except NotFound:
            return []

    async def get_topic_info(self, topic: str) -> dict[str, Any] | None:
        """What a topic holds; None where there is none, or nothing is configured.

        Returns:
            `name`, `active`, `dead_letter`, `scheduled`, `transfer` and `transfer_dead_letter` counts, `size` in bytes
            and `subscription_count`. Messages wait in subscriptions: their counts are summed up.
        """
        if not self._configured:
            return None
        try:
            with translated(BUS, f"look at topic {topic!r}"):
                found = await self._admin().get_topic_runtime_properties(topic)
                held = [held async for held in self._admin().list_subscriptions_runtime_properties(topic)]
        except NotFound:
            return None
        return {
            "name": topic,
            "active": sum(one.active_message_count or 0 for one in held),
            "dead_letter": sum(one.dead_letter_message_count or 0 for one in held),
            "scheduled": found.scheduled_message_count or 0,
            "transfer": sum(one.transfer_message_count or 0 for one in held),
            "transfer_dead_letter": sum(one.transfer_dead_letter_message_count or 0 for one in held),
            "size": found.size_in_bytes or 0,
            "subscription_count": found.subscription_count or 0,
        }

    async def send_message(
        self,
        entity: str,
        body: bytes | str,
        *,
        properties: Mapping[str, str] | None = None,
        message_id: str | None = None,
        session_id: str | None = None,
        content_type: str = "application/json",
    ) -> bool:
        """Send one message to a queue or topic. False where nothing is configured.

        Raises:
            NotFound: there is no such queue or topic.
            BusUnavailable: it may or may not have been sent.
        """
        if not self._configured:
            return False
        message = OutboundMessage(
            entity=entity,
            body=body.encode() if isinstance(body, str) else body,
            message_id=message_id or self._ids.new(),
            session_id=session_id,
            content_type=content_type,
            properties=dict(properties or {}),
        )
        await self._bus.send([message])
        return True

    async def receive_messages(
        self,
        entity: str,
        subscription: str | None = None,
        *,
        process: Process | None = None,
        max_messages: int = 10,
        max_wait_seconds: float = 5.0,
    ) -> list[dict[str, Any]]:
        """Take messages from a queue without sessions, or from a topic's subscription.

        Each is completed only after `process` has returned for it; if it raises, that message and those after it are
        given back, and the error goes on. Without `process` a message counts as dealt with once it is in the list.

        Returns:
            For each message `message_id`, `content`, `enqueued_time`, `delivery_count` and `properties`.
        """
        _check_number(max_messages)
        if not self._configured:
            return []
        taken: list[dict[str, Any]] = []
        with translated(BUS, f"receive from {entity!r}"):
            async with self._receiver(entity, subscription) as receiver:
                messages = await receiver.receive_messages(max_messages, max_wait_time=max_wait_seconds)
                count(bus_receives=len(messages))
                while messages:
                    described = _describe(messages[0])
                    try:
                        if process is not None:
                            await process(described)
                    except BaseException:
                        await _give_back(receiver, messages)
                        raise
                    await receiver.complete_message(messages.pop(0))
                    count(bus_completes=1)
                    taken.append(described)
        return taken

    async def peek_messages(
        self, entity: str, subscription: str | None = None, *, max_messages: int = 10
    ) -> list[dict[str, Any]]:
        """Look at the first messages, and leave them where they are. Shaped as `receive_messages` returns them."""
        _check_number(max_messages)
        if not self._configured:
            return []
        with translated(BUS, f"peek into {entity!r}"):
            async with self._receiver(entity, subscription) as receiver:
                return [_describe(message) for message in await receiver.peek_messages(max_messages)]

    def status(self) -> dict[str, bool]:
        """Whether a connection is configured, and with it, whether the manager can be used."""
        ready = self._configured
        return {
            "available": ready,
            "admin_client_ready": ready,
            "messaging_client_ready": ready,
            "connection_configured": ready,
        }

    async def close(self) -> None:
        if not self._configured:
            return
        await self._bus.close()
        clients = self._clients.take()
        if clients is not None:
            await clients.close()

    def _admin(self) -> ServiceBusAdministrationClient:
        return self._clients.get().admin.client

    def _receiver(self, entity: str, subscription: str | None) -> AbstractAsyncContextManager[ServiceBusReceiver]:
        client = self._clients.get().messaging.client
        if subscription is None:
            return client.get_queue_receiver(entity)
        return client.get_subscription_receiver(entity, subscription)


class _Clients:
    """The clients of one event loop."""

    def __init__(self, admin: Opened[ServiceBusAdministrationClient], messaging: Opened[ServiceBusClient]) -> None:
        self.admin = admin
        self.messaging = messaging

    async def close(self) -> None:
        await self.admin.close()
        await self.messaging.close()


async def _give_back(receiver: ServiceBusReceiver, messages: list[ServiceBusReceivedMessage]) -> None:
    """Best effort, while an error is on its way: a message that cannot be given back returns when its lock ends."""
    for message in messages:
        try:
            await receiver.abandon_message(message)
        except Exception as error:
            if not comes_from_azure(error):
                raise
            _logger.warning("Message %s could not be given back (%s).", message.message_id, type(error).__name__)


def _describe(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    body: Any = message.body
    content = b"".join(body) if not isinstance(body, bytes | str) else body
    properties = {_text(key): _text(value) for key, value in (message.application_properties or {}).items()}
    return {
        "message_id": message.message_id,
        "content": _text(content),
        "enqueued_time": message.enqueued_time_utc.isoformat() if message.enqueued_time_utc else None,
        "delivery_count": message.delivery_count or 0,
        "properties": properties,
    }


def _text(value: Any) -> Any:
    """Bytes as text where they are text."""
    if not isinstance(value, bytes):
        return value
    return value.decode("utf-8", errors="replace")


def _check_number(max_messages: int) -> None:
    if not 1 <= max_messages <= 1_000:
        raise InvalidInput(f"Between 1 and 1,000 messages can be asked for, not {max_messages}.")
