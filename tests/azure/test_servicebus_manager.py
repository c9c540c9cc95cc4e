"""The manager against the embedded broker: administration over TLS and Atom, messages over AMQP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from aos.azure.identity import ServiceBusConnection
from aos.azure.servicebus_manager import ServiceBusManager
from aos.kernel.errors import BusUnavailable, InvalidInput, NotFound, SettingInvalid
from aos.kernel.meter import metered
from aos.local.servicebus.broker import Broker, BrokerOptions


@pytest.fixture
async def manager() -> AsyncIterator[ServiceBusManager]:
    async with Broker(BrokerOptions(port=0, admin_port=0, admin_tls_port=0)) as broker:
        administration = broker.administration
        assert administration is not None
        address = f"Endpoint=sb://127.0.0.1:{administration.tls_port};"
        key = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
        made = ServiceBusManager.from_connection_string(
            broker.connection_string,
            admin_connection=ServiceBusConnection.of(address + key),
            admin_options={"connection_verify": str(administration.certificate), "retry_total": 0},
        )
        yield made
        await made.close()


async def test_making_and_deleting_may_be_repeated(manager: ServiceBusManager) -> None:
    assert await manager.create_topic("agent-events") is True
    assert await manager.create_topic("agent-events") is True
    assert await manager.list_topics() == ["agent-events"]
    assert await manager.create_subscription("agent-events", "router") is True
    assert await manager.create_subscription("agent-events", "router") is True
    assert await manager.list_subscriptions("agent-events") == ["router"]
    assert await manager.delete_subscription("agent-events", "router") is True
    assert await manager.delete_subscription("agent-events", "router") is True
    assert await manager.list_subscriptions("agent-events") == []
    assert await manager.delete_topic("agent-events") is True
    assert await manager.delete_topic("agent-events") is True
    assert await manager.list_topics() == []


async def test_what_is_not_there(manager: ServiceBusManager) -> None:
    assert await manager.get_topic_info("absent") is None
    assert await manager.list_subscriptions("absent") == []
    with pytest.raises(NotFound):
        await manager.create_subscription("absent", "router")
    with pytest.raises(NotFound):
        await manager.send_message("absent", "x")
    with pytest.raises(NotFound):
        await manager.receive_messages("absent", "router", max_wait_seconds=1)


async def test_messages_are_sent_peeked_at_and_received(manager: ServiceBusManager) -> None:
    await manager.create_topic("agent-events")
    await manager.create_subscription("agent-events", "router")
    with metered() as usage:
        for number in range(3):
            sent = await manager.send_message(
                "agent-events", f'{{"n":{number}}}', properties={"kind": "test"}, message_id=f"m{number}"
            )
            assert sent is True
    assert usage.bus_sends == 3
    info = await manager.get_topic_info("agent-events")
    assert info is not None
    assert (info["name"], info["active"], info["dead_letter"], info["subscription_count"]) == ("agent-events", 3, 0, 1)
    assert set(info) == {
        "name",
        "active",
        "dead_letter",
        "scheduled",
        "transfer",
        "transfer_dead_letter",
        "size",
        "subscription_count",
    }
    peeked = await manager.peek_messages("agent-events", "router")
    with metered() as usage:
        received = await manager.receive_messages("agent-events", "router", max_wait_seconds=1)
    assert (usage.bus_receives, usage.bus_completes) == (3, 3)
    for found in (peeked, received):
        assert [message["message_id"] for message in found] == ["m0", "m1", "m2"]
        assert found[1]["content"] == '{"n":1}'
        assert found[1]["properties"] == {"kind": "test"}
        assert found[1]["enqueued_time"].startswith("20")
        assert found[1]["delivery_count"] == 0
    assert await manager.receive_messages("agent-events", "router", max_wait_seconds=0.2) == []


async def test_a_message_is_completed_only_after_it_was_processed(manager: ServiceBusManager) -> None:
    await manager.create_topic("agent-events")
    await manager.create_subscription("agent-events", "router")
    for number in range(3):
        await manager.send_message("agent-events", str(number), message_id=f"m{number}")
    handled: list[str] = []

    async def process(message: dict[str, Any]) -> None:
        if message["message_id"] == "m1" and message["delivery_count"] == 0:
            raise ValueError("not this time")
        handled.append(message["message_id"])

    with pytest.raises(ValueError, match="not this time"):
        await manager.receive_messages("agent-events", "router", process=process, max_wait_seconds=1)
    assert handled == ["m0"]
    received = await manager.receive_messages("agent-events", "router", process=process, max_wait_seconds=1)
    assert handled == ["m0", "m1", "m2"]
    assert [message["delivery_count"] for message in received] == [1, 1]


async def test_status_with_a_connection(manager: ServiceBusManager) -> None:
    assert manager.status() == {
        "available": True,
        "admin_client_ready": True,
        "messaging_client_ready": True,
        "connection_configured": True,
    }


async def test_without_a_connection_nothing_happens_and_nothing_fails() -> None:
    manager = ServiceBusManager.from_settings({})
    assert set(manager.status().values()) == {False}
    for answer in (
        await manager.create_topic("t"),
        await manager.delete_topic("t"),
        await manager.create_subscription("t", "s"),
        await manager.delete_subscription("t", "s"),
        await manager.send_message("t", "x"),
    ):
        assert answer is False
    assert await manager.list_topics() == []
    assert await manager.list_subscriptions("t") == []
    assert await manager.receive_messages("t", "s") == []
    assert await manager.peek_messages("t", "s") == []
    assert await manager.get_topic_info("t") is None
    await manager.close()


async def test_a_setting_that_cannot_be_used_is_not_taken_for_none() -> None:
    with pytest.raises(SettingInvalid, match="'ServiceBus'"):
        ServiceBusManager.from_settings({"ServiceBus": "nonsense"})


async def test_a_namespace_that_is_away_is_an_error_and_not_an_empty_list() -> None:
    text = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0;"
    manager = ServiceBusManager.from_connection_string(text, admin_options={"retry_total": 0})
    with pytest.raises(BusUnavailable):
        await manager.list_topics()
    with pytest.raises(BusUnavailable):
        await manager.create_topic("t")
    await manager.close()


@pytest.mark.parametrize("number", [0, 1_001])
async def test_how_many_can_be_asked_for_is_limited(manager: ServiceBusManager, number: int) -> None:
    with pytest.raises(InvalidInput):
        await manager.peek_messages("t", max_messages=number)
    with pytest.raises(InvalidInput):
        await manager.receive_messages("t", max_messages=number)
