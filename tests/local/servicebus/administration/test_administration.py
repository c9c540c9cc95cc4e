"""The administration endpoint through the unmodified SDK client, over TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.servicebus.management import (
    CorrelationRuleFilter,
    EntityStatus,
    FalseRuleFilter,
    ServiceBusAdministrationClient,
    SqlRuleAction,
    SqlRuleFilter,
    TrueRuleFilter,
)

from aos.local.servicebus.broker import Broker, BrokerOptions
from aos.local.servicebus.client import MultiplexedReceiver, OutgoingMessage


class Admin:
    """The blocking client, called on threads: the broker runs in the test's own loop."""

    def __init__(self, broker: Broker, client: ServiceBusAdministrationClient) -> None:
        self.broker = broker
        self._client = client

    async def __call__(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        def call() -> Any:
            found = getattr(self._client, method)(*arguments, **keywords)
            return list(found) if method.startswith("list") else found

        return await asyncio.to_thread(call)


@asynccontextmanager
async def administered(key: str = "SAS_KEY_VALUE") -> AsyncIterator[Admin]:
    async with Broker(BrokerOptions(port=0, admin_port=0, admin_tls_port=0)) as broker:
        assert broker.administration is not None
        text = (
            f"Endpoint=sb://127.0.0.1:{broker.administration.tls_port};SharedAccessKeyName=RootManageSharedAccessKey;"
            f"SharedAccessKey={key};UseDevelopmentEmulator=true;"
        )
        client = ServiceBusAdministrationClient.from_connection_string(
            text, connection_verify=str(broker.administration.certificate), retry_total=0
        )
        yield Admin(broker, client)
        client.close()


@pytest_asyncio.fixture
async def admin() -> AsyncIterator[Admin]:
    async with administered() as admin:
        yield admin


async def test_a_queue_is_made_read_changed_and_deleted(admin: Admin) -> None:
    made = await admin(
        "create_queue",
        "orders",
        lock_duration=timedelta(seconds=30),
        max_delivery_count=4,
        requires_session=True,
        default_message_time_to_live=timedelta(days=3, seconds=1),
        dead_lettering_on_message_expiration=True,
        requires_duplicate_detection=True,
        duplicate_detection_history_time_window=timedelta(minutes=7),
        max_size_in_megabytes=2048,
        user_metadata="mine",
    )
    for queue in (made, await admin("get_queue", "orders")):
        assert queue.name == "orders"
        assert queue.lock_duration == timedelta(seconds=30)
        assert queue.max_delivery_count == 4
        assert queue.requires_session
        assert queue.requires_duplicate_detection
        assert queue.default_message_time_to_live == timedelta(days=3, seconds=1)
        assert queue.dead_lettering_on_message_expiration
        assert queue.duplicate_detection_history_time_window == timedelta(minutes=7)
        assert queue.max_size_in_megabytes == 2048
        assert queue.user_metadata == "mine"
        assert queue.status == EntityStatus.ACTIVE
    made.lock_duration = timedelta(minutes=2)
    made.status = EntityStatus.SEND_DISABLED
    await admin("update_queue", made)
    changed = await admin("get_queue", "orders")
    assert (changed.lock_duration, changed.status) == (timedelta(minutes=2), EntityStatus.SEND_DISABLED)
    await admin("delete_queue", "orders")
    with pytest.raises(ResourceNotFoundError):
        await admin("get_queue", "orders")


async def test_what_cannot_be_done_is_refused_as_the_service_does(admin: Admin) -> None:
    await admin("create_queue", "q")
    with pytest.raises(ResourceExistsError):
        await admin("create_queue", "q")
    with pytest.raises(ResourceNotFoundError):
        await admin("delete_queue", "none")
    with pytest.raises(ResourceNotFoundError):
        await admin("get_subscription", "none", "none")
    with pytest.raises(HttpResponseError, match="lock_duration"):
        await admin("create_queue", "long", lock_duration=timedelta(hours=1))
    with pytest.raises(HttpResponseError):
        await admin("create_queue", "a/subscriptions/b")


async def test_entities_forward_to_each_other(admin: Admin) -> None:
    await admin("create_queue", "end")
    queue = await admin("create_queue", "start", forward_to="end", forward_dead_lettered_messages_to="end")
    assert queue.forward_to.endswith("end")
    assert admin.broker.bus.queue("start").forward_to == "end"
    assert admin.broker.bus.queue("start").forward_dead_lettered_to == "end"


async def test_lists_are_paged(admin: Admin) -> None:
    for number in range(105):
        admin.broker.bus.create_queue(_queue(f"q{number:03}"))
    found = await admin("list_queues")
    assert sorted(queue.name for queue in found) == [f"q{number:03}" for number in range(105)]
    assert await admin("list_topics") == []


async def test_topics_subscriptions_and_rules(admin: Admin) -> None:
    topic = await admin("create_topic", "events", default_message_time_to_live=timedelta(hours=1))
    assert topic.default_message_time_to_live == timedelta(hours=1)
    await admin("create_subscription", "events", "all", lock_duration=timedelta(seconds=10), requires_session=False)
    subscription = await admin("get_subscription", "events", "all")
    assert subscription.lock_duration == timedelta(seconds=10)
    (default,) = await admin("list_rules", "events", "all")
    assert (default.name, type(default.filter)) == ("$Default", TrueRuleFilter)

    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    await admin(
        "create_rule",
        "events",
        "all",
        "sql",
        filter=SqlRuleFilter("size > @least", parameters={"@least": 3, "@when": moment, "@yes": True, "@f": 1.5}),
        action=SqlRuleAction("SET seen = 'yes'"),
    )
    rule = await admin("get_rule", "events", "all", "sql")
    assert rule.filter.sql_expression == "size > @least"
    assert rule.filter.parameters == {"@least": 3, "@when": moment, "@yes": True, "@f": 1.5}
    assert rule.action.sql_expression == "SET seen = 'yes'"
    await admin(
        "create_rule",
        "events",
        "all",
        "correlated",
        filter=CorrelationRuleFilter(correlation_id="c", label="l", properties={"color": "red", "n": 2**40}),
    )
    rule = await admin("get_rule", "events", "all", "correlated")
    assert (rule.filter.correlation_id, rule.filter.label) == ("c", "l")
    assert rule.filter.properties == {"color": "red", "n": 2**40}
    rule.filter = FalseRuleFilter()
    await admin("update_rule", "events", "all", rule)
    assert isinstance((await admin("get_rule", "events", "all", "correlated")).filter, FalseRuleFilter)
    await admin("delete_rule", "events", "all", "$Default")
    assert sorted(rule.name for rule in await admin("list_rules", "events", "all")) == ["correlated", "sql"]
    with pytest.raises(HttpResponseError):
        await admin("create_rule", "events", "all", "bad", filter=SqlRuleFilter("size >"))

    subscription.max_delivery_count = 2
    await admin("update_subscription", "events", subscription)
    assert (await admin("get_subscription", "events", "all")).max_delivery_count == 2
    assert len(await admin("list_rules", "events", "all")) == 2
    assert [found.name for found in await admin("list_subscriptions", "events")] == ["all"]
    await admin("delete_subscription", "events", "all")
    await admin("delete_topic", "events")
    assert await admin("list_topics") == []


async def test_runtime_properties_count_messages(admin: Admin) -> None:
    await admin("create_queue", "q")
    await admin("create_topic", "t")
    await admin("create_subscription", "t", "s")
    async with MultiplexedReceiver.connect(admin.broker.connection_string) as client:
        later = datetime.now(UTC) + timedelta(hours=1)
        await client.send(
            "q", [OutgoingMessage(b"a"), OutgoingMessage(b"b"), OutgoingMessage(b"c", scheduled_at=later)]
        )
        await client.send("t", [OutgoingMessage(b"a")])
        receiver = await client.receiver("q")
        await receiver.dead_letter(await receiver.receive(1, 1), reason="r")
    counts = await admin("get_queue_runtime_properties", "q")
    assert counts.active_message_count == 1
    assert counts.dead_letter_message_count == 1
    assert counts.scheduled_message_count == 1
    assert counts.total_message_count == 3
    assert counts.size_in_bytes > 0
    assert (await admin("get_subscription_runtime_properties", "t", "s")).active_message_count == 1
    assert (await admin("get_topic_runtime_properties", "t")).subscription_count == 1
    assert [found.name for found in await admin("list_queues_runtime_properties")] == ["q"]


async def test_the_namespace_tells_about_itself(admin: Admin) -> None:
    assert (await admin("get_namespace_properties")).messaging_sku == "Standard"


async def test_a_wrong_key_is_refused() -> None:
    async with administered(key="d3Jvbmc=") as admin:
        with pytest.raises(ClientAuthenticationError):
            await admin("create_queue", "q")
        assert admin.broker.bus.queues() == []


async def test_health_is_for_everybody_and_documents_are_checked(admin: Admin) -> None:
    assert admin.broker.administration is not None
    url = admin.broker.administration.url
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/health") as answer:
            assert await answer.json() == {"status": "healthy"}
        async with session.put(f"{url}/q", data=b"<entry/>") as answer:
            assert answer.status == 401
        headers = {"Authorization": _token(url)}
        bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><entry>&a;</entry>'
        for body in (b"not xml", b"<entry/>", bomb):
            async with session.put(f"{url}/q", data=body, headers=headers) as answer:
                assert answer.status == 400, body


def _token(url: str) -> str:
    from time import time

    from aos.local.servicebus.shared_access import sign

    return sign(f"{url}/", "RootManageSharedAccessKey", "SAS_KEY_VALUE", int(time()) + 60)


def _queue(name: str) -> Any:
    from aos.local.servicebus.engine import QueueDescription

    return QueueDescription(name=name)
