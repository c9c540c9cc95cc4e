"""Topics and subscriptions through the unmodified SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from aos.local.servicebus.engine import CorrelationFilter, FalseFilter, RuleDescription, SqlAction, SqlFilter
from tests.local.servicebus.broker_thread import BrokerThread


@pytest_asyncio.fixture
async def client(broker: BrokerThread) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(broker.connection_string) as client:
        yield client


async def drained(receiver: ServiceBusReceiver) -> list[ServiceBusMessage]:
    found = []
    while messages := await receiver.receive_messages(10, max_wait_time=0.2):
        for message in messages:
            found.append(message)
            await receiver.complete_message(message)
    return list(found)


async def test_each_subscription_gets_what_its_rules_let_in(broker: BrokerThread, client: ServiceBusClient) -> None:
    topic = broker.topic()
    everything = broker.subscription(topic)
    red = broker.subscription(
        topic, RuleDescription(name="red", filter=SqlFilter(expression="color = 'red' AND size > 3"))
    )
    mine = broker.subscription(
        topic,
        RuleDescription(name="mine", filter=CorrelationFilter(correlation_id="me", properties={"color": "blue"})),
    )
    marked = broker.subscription(
        topic,
        RuleDescription(
            name="mark",
            filter=SqlFilter(expression="sys.Label = 'order'"),
            action=SqlAction(expression="SET seen = 'yes'; SET sys.Label = 'marked'; REMOVE color"),
        ),
    )
    nothing = broker.subscription(topic, RuleDescription(name="no", filter=FalseFilter()))
    names = [everything, red, mine, marked, nothing]
    async with client.get_topic_sender(topic) as sender:
        await sender.send_messages(
            [
                ServiceBusMessage("1", application_properties={"color": "red", "size": 5}),
                ServiceBusMessage("2", application_properties={"color": "red", "size": 2}),
                ServiceBusMessage("3", application_properties={"color": "blue"}, correlation_id="me"),
                ServiceBusMessage("4", application_properties={"color": "blue", "size": 2**20}, subject="order"),
            ]
        )
    receivers = [client.get_subscription_receiver(topic, name) for name in names]
    await asyncio.gather(*(receiver.__aenter__() for receiver in receivers))
    found = await asyncio.gather(*map(drained, receivers))
    assert [[str(message) for message in messages] for messages in found] == [
        ["1", "2", "3", "4"],
        ["1"],
        ["3"],
        ["4"],
        [],
    ]
    (changed,) = found[3]
    assert changed.subject == "marked"
    assert changed.application_properties == {b"seen": b"yes", b"size": 2**20, b"RuleName": b"mark"}


async def test_a_subscription_has_sessions_and_dead_letters(broker: BrokerThread, client: ServiceBusClient) -> None:
    topic = broker.topic()
    name = broker.subscription(topic, requires_session=True)
    async with client.get_topic_sender(topic) as sender:
        await sender.send_messages(ServiceBusMessage("x", session_id="s"))
    async with client.get_subscription_receiver(topic, name, session_id="s", max_wait_time=2) as receiver:
        (message,) = await receiver.receive_messages(1)
        await receiver.dead_letter_message(message, reason="because")
    async with client.get_subscription_receiver(topic, name, sub_queue="deadletter", max_wait_time=2) as dead:
        (message,) = await dead.receive_messages(1)
        assert message.dead_letter_reason == "because"


async def test_a_queue_forwards_to_a_topic(broker: BrokerThread, client: ServiceBusClient) -> None:
    topic = broker.topic()
    name = broker.subscription(topic)
    queue = broker.queue(forward_to=topic)
    async with client.get_queue_sender(queue) as sender:
        await sender.send_messages(ServiceBusMessage("onwards", message_id="kept"))
    async with client.get_subscription_receiver(topic, name, max_wait_time=2) as receiver:
        (message,) = await receiver.receive_messages(1)
        assert (str(message), message.message_id, message.enqueued_sequence_number) == ("onwards", "kept", 1)
