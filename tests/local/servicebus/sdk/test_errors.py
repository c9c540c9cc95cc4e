"""The SDK's typed exceptions: each comes out where the service would have it."""

from __future__ import annotations

import gc
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from aos.local.servicebus.engine import EntityStatus, Fault, FaultKind
from tests.local.servicebus.broker_thread import BrokerThread

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest_asyncio.fixture
async def client(broker: BrokerThread) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client:
        yield client
    # The SDK leaves the sockets of refused receivers to the garbage collector: let them go here.
    gc.collect()


async def test_a_wrong_key_is_refused(broker: BrokerThread) -> None:
    name = broker.queue()
    wrong = broker.connection_string.replace("SAS_KEY_VALUE", "c29tZXRoaW5nIGVsc2U=")
    async with ServiceBusClient.from_connection_string(wrong, retry_total=0) as client:
        with pytest.raises(ServiceBusAuthenticationError):
            await client.get_queue_sender(name).send_messages(ServiceBusMessage("x"))
    named = broker.connection_string.replace("RootManageSharedAccessKey", "SomebodyElse")
    async with ServiceBusClient.from_connection_string(named, retry_total=0) as client:
        with pytest.raises(ServiceBusAuthenticationError):
            await client.get_queue_receiver(name).receive_messages(1, max_wait_time=1)


async def test_an_unknown_entity_is_not_found(broker: BrokerThread, client: ServiceBusClient) -> None:
    topic = broker.topic()
    with pytest.raises(MessagingEntityNotFoundError):
        await client.get_queue_sender("nowhere").send_messages(ServiceBusMessage("x"))
    with pytest.raises(MessagingEntityNotFoundError):
        await client.get_queue_receiver("nowhere").receive_messages(1, max_wait_time=1)
    with pytest.raises(MessagingEntityNotFoundError):
        await client.get_subscription_receiver(topic, "nowhere").receive_messages(1, max_wait_time=1)


async def test_settling_after_the_lock_is_lost(broker: BrokerThread, client: ServiceBusClient) -> None:
    name = broker.queue()
    async with (
        client.get_queue_sender(name) as sender,
        client.get_queue_receiver(name, max_wait_time=2) as receiver,
    ):
        await sender.send_messages([ServiceBusMessage("x"), ServiceBusMessage("y")])
        (message,) = await receiver.receive_messages(1)
        assert message.lock_token is not None
        broker.call(broker.bus.source(name).expire_lock, message.lock_token.bytes_le)  # type: ignore[union-attr]
        with pytest.raises(MessageLockLostError):
            await receiver.renew_message_lock(message)
        with pytest.raises(MessageLockLostError):
            await receiver.complete_message(message)
        (again,) = await receiver.receive_messages(1)
        assert (str(again), again.delivery_count) == ("x", 1)
        await receiver.complete_message(again)


async def test_a_deferred_message_that_is_not_there(broker: BrokerThread, client: ServiceBusClient) -> None:
    name = broker.queue()
    async with client.get_queue_receiver(name) as receiver:
        with pytest.raises(MessageNotFoundError):
            await receiver.receive_deferred_messages(12345)
    async with client.get_queue_sender(name) as sender:
        with pytest.raises(MessageNotFoundError):
            await sender.cancel_scheduled_messages(12345)


async def test_a_message_over_the_limit(broker: BrokerThread, client: ServiceBusClient) -> None:
    name = broker.queue()
    async with client.get_queue_sender(name) as sender:
        batch = await sender.create_message_batch()
        with pytest.raises(MessageSizeExceededError):
            batch.add_message(ServiceBusMessage(b"x" * 1_100_000))
        with pytest.raises(MessageSizeExceededError):
            await sender.send_messages(ServiceBusMessage(b"x" * 1_100_000))
        await sender.send_messages(ServiceBusMessage("the sender goes on"))
    assert broker.call(broker.bus.statistics, name).active == 1


async def test_a_full_queue(broker: BrokerThread, client: ServiceBusClient) -> None:
    name = broker.queue(max_size_mb=1)
    async with client.get_queue_sender(name) as sender:
        await sender.send_messages(ServiceBusMessage(b"x" * 700_000))
        with pytest.raises(ServiceBusQuotaExceededError):
            await sender.send_messages(ServiceBusMessage(b"x" * 700_000))


async def test_a_disabled_entity(broker: BrokerThread, client: ServiceBusClient) -> None:
    name = broker.queue(status=EntityStatus.DISABLED)
    with pytest.raises(MessagingEntityDisabledError):
        await client.get_queue_sender(name).send_messages(ServiceBusMessage("x"))


async def test_throttling_and_refusals_that_a_test_asked_for(broker: BrokerThread, client: ServiceBusClient) -> None:
    name = broker.queue()
    async with client.get_queue_sender(name) as sender:
        broker.bus.faults.add(Fault(kind=FaultKind.THROTTLE, entity=name, operation="send"))
        with pytest.raises(ServiceBusServerBusyError):
            await sender.send_messages(ServiceBusMessage("x"))
        broker.bus.faults.add(
            Fault(kind=FaultKind.REFUSE, entity=name, operation="send", condition="amqp:not-implemented")
        )
        with pytest.raises(ServiceBusError):
            await sender.send_messages(ServiceBusMessage("x"))
        await sender.send_messages(ServiceBusMessage("x"))


async def test_a_dropped_connection_is_survived_with_retries(broker: BrokerThread) -> None:
    name = broker.queue()
    async with (
        ServiceBusClient.from_connection_string(broker.connection_string, retry_backoff_factor=0.01) as client,
        client.get_queue_sender(name) as sender,
    ):
        await sender.send_messages(ServiceBusMessage("before"))
        broker.bus.faults.add(Fault(kind=FaultKind.DROP_CONNECTION, entity=name, operation="send"))
        await sender.send_messages(ServiceBusMessage("after"))
    assert broker.call(broker.bus.statistics, name).active == 2


async def test_a_delay_holds_an_operation_back(broker: BrokerThread, client: ServiceBusClient) -> None:
    name = broker.queue()
    async with client.get_queue_sender(name) as sender:
        await sender.send_messages(ServiceBusMessage("at once"))
        broker.bus.faults.add(Fault(kind=FaultKind.DELAY, entity=name, operation="send", delay=timedelta(seconds=0.4)))
        started = time.monotonic()
        await sender.send_messages(ServiceBusMessage("late"))
        assert time.monotonic() - started >= 0.4
    assert broker.call(broker.bus.statistics, name).active == 2
