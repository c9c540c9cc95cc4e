"""The bus adapter against the embedded broker, over the unmodified SDK."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aos.azure.blobs import AzureBlobStore
from aos.azure.bus import AzureMessageBus, open_body
from aos.kernel.errors import BusUnavailable, InvalidInput, MalformedMessage, NotFound, PayloadTooLarge
from aos.kernel.meter import metered
from aos.kernel.ports import OutboundMessage
from aos.local.servicebus.amqp.message import body_sections
from aos.local.servicebus.engine import Delivery, Fault, FaultKind, ReceiveMode
from tests.local.servicebus.broker_thread import BrokerThread


def outbound(entity: str, number: int = 0, body: bytes = b"{}", **more: Any) -> OutboundMessage:
    return OutboundMessage(entity=entity, body=body, message_id=f"m{number}", **more)


def arrived(broker: BrokerThread, entity: str) -> list[Delivery]:
    """Everything that can be received now."""
    return broker.call(lambda: broker.bus.source(entity).receive(1_000, ReceiveMode.RECEIVE_AND_DELETE))


def bodies(deliveries: list[Delivery]) -> list[bytes]:
    """The bodies that were sent; the broker keeps them as the sections of the wire."""
    return [b"".join(value for _, value in body_sections(one.message.body)) for one in deliveries]


@pytest.fixture
async def bus(broker: BrokerThread, blobs: AzureBlobStore) -> AsyncIterator[AzureMessageBus]:
    adapter = AzureMessageBus.from_connection_string(broker.connection_string, blobs=blobs)
    yield adapter
    await adapter.close()
    broker.bus.faults.clear()


@pytest.fixture
async def another(broker: BrokerThread) -> AsyncIterator[Callable[..., AzureMessageBus]]:
    """A function that makes an adapter with options of its own, closed after the test."""
    made: list[AzureMessageBus] = []

    def make(connection_string: str = broker.connection_string, **options: Any) -> AzureMessageBus:
        made.append(AzureMessageBus.from_connection_string(connection_string, **options))
        return made[-1]

    yield make
    for adapter in made:
        await adapter.close()


Another = Callable[..., AzureMessageBus]


async def test_everything_a_message_says_arrives(bus: AzureMessageBus, broker: BrokerThread) -> None:
    queue = broker.queue()
    await bus.send(
        [
            outbound(
                queue,
                body=b'{"a":1}',
                subject="of it",
                correlation_id="c1",
                expires_after=60,
                properties={"traceparent": "00-1", "empty": ""},
            )
        ]
    )
    deliveries = arrived(broker, queue)
    message = deliveries[0].message
    assert (message.message_id, message.subject, message.correlation_id) == ("m0", "of it", "c1")
    assert message.content_type == "application/cloudevents+json"
    assert message.application_properties == {"traceparent": "00-1", "empty": ""}
    assert bodies(deliveries) == [b'{"a":1}']
    assert message.time_to_live == timedelta(seconds=60)


async def test_messages_to_one_entity_keep_their_order_across_batches(
    bus: AzureMessageBus, broker: BrokerThread
) -> None:
    queue, other = broker.queue(), broker.queue()
    messages = [outbound((queue, other)[n % 2], n, body=bytes([n % 256]) * 30_000) for n in range(60)]
    with metered() as usage:
        await bus.send(messages)
    assert [one.message.message_id for one in arrived(broker, queue)] == [f"m{n}" for n in range(0, 60, 2)]
    assert [one.message.message_id for one in arrived(broker, other)] == [f"m{n}" for n in range(1, 60, 2)]
    assert usage.to_json() == {"bus_sends": 60, "bytes_written": 60 * 30_000}


async def test_sends_of_many_tasks_do_not_mix(bus: AzureMessageBus, broker: BrokerThread) -> None:
    queue = broker.queue()
    await asyncio.gather(*(bus.send([outbound(queue, task * 10 + n) for n in range(10)]) for task in range(10)))
    numbers = [int((one.message.message_id or "")[1:]) for one in arrived(broker, queue)]
    assert sorted(numbers) == list(range(100))
    for task in range(10):
        mine = [number for number in numbers if number // 10 == task]
        assert mine == sorted(mine)


async def test_sessions_share_a_batch(bus: AzureMessageBus, broker: BrokerThread) -> None:
    queue = broker.queue(requires_session=True)
    await bus.send([outbound(queue, n, session_id=f"agent:{n % 3}") for n in range(9)])
    seen: list[list[str]] = []
    for n in range(3):
        deliveries = broker.call(_receive_session, broker, queue, f"agent:{n}")
        seen.append([one.message.message_id or "" for one in deliveries])
    assert seen == [["m0", "m3", "m6"], ["m1", "m4", "m7"], ["m2", "m5", "m8"]]


def _receive_session(broker: BrokerThread, queue: str, session: str) -> list[Delivery]:
    return broker.bus.source(queue).accept_session(session).receive(100, ReceiveMode.RECEIVE_AND_DELETE)


async def test_a_scheduled_message_waits(bus: AzureMessageBus, broker: BrokerThread) -> None:
    queue = broker.queue()
    later = datetime.now(UTC) + timedelta(hours=1)
    earlier = datetime.now(UTC) - timedelta(hours=1)
    await bus.send(
        [outbound(queue, 1, scheduled_at=later), outbound(queue, 2), outbound(queue, 3, scheduled_at=earlier)]
    )
    assert sorted(one.message.message_id or "" for one in arrived(broker, queue)) == ["m2", "m3"]
    statistics = broker.call(broker.bus.statistics, queue)
    assert statistics.scheduled == 1


async def test_sending_again_is_harmless_where_duplicates_are_detected(
    bus: AzureMessageBus, broker: BrokerThread
) -> None:
    queue = broker.queue(requires_duplicate_detection=True)
    messages = [outbound(queue, n) for n in range(3)]
    await bus.send(messages)
    await bus.send(messages)
    assert len(arrived(broker, queue)) == 3


async def test_topics_are_sent_to_likewise(bus: AzureMessageBus, broker: BrokerThread) -> None:
    topic = broker.topic()
    subscription = broker.subscription(topic)
    await bus.send([outbound(topic)])
    assert len(arrived(broker, f"{topic}/Subscriptions/{subscription}")) == 1


async def test_a_large_body_goes_through_a_blob_and_comes_back(
    bus: AzureMessageBus, broker: BrokerThread, blobs: AzureBlobStore
) -> None:
    queue = broker.queue()
    large, largest = b"x" * (240 * 1024 + 1), b"y" * (240 * 1024)
    await bus.send([outbound(queue, 1, large), outbound(queue, 2, largest), outbound(queue, 3, large)])
    sent = bodies(arrived(broker, queue))
    assert len(sent[0]) < 200
    assert sent[1] == largest
    assert sent[2] == sent[0]
    assert [await open_body(body, blobs) for body in sent] == [large, largest, large]
    stored = (await blobs.list("claims/")).blobs
    assert [blob.name for blob in stored] == [f"claims/{hashlib.sha256(large).hexdigest()}"]


async def test_a_claim_is_checked_before_it_is_honoured(blobs: AzureBlobStore) -> None:
    digest = hashlib.sha256(b"true").hexdigest()
    claim = json.dumps({"aosclaim": digest, "size": 4}, separators=(",", ":")).encode()
    with pytest.raises(NotFound):
        await open_body(claim, blobs)
    await blobs.put(f"claims/{digest}", b"forged")
    with pytest.raises(MalformedMessage, match="digest"):
        await open_body(claim, blobs)
    for wrong in (b'{"aosclaim":', b'{"aosclaim":5}', b'{"aosclaim":"../../secret"}', b'{"aosclaim":"' + b"a" * 600):
        with pytest.raises(MalformedMessage):
            await open_body(wrong, blobs)
    assert await open_body(b'{"id":"1"}', blobs) == b'{"id":"1"}'


async def test_a_large_body_without_blobs_is_refused(another: Another, broker: BrokerThread) -> None:
    bus = another(max_message_bytes=10)
    with pytest.raises(PayloadTooLarge):
        await bus.send([outbound(broker.queue(), body=b"x" * 11)])


async def test_properties_over_the_limit_are_refused_and_the_sender_lives_on(
    bus: AzureMessageBus, broker: BrokerThread
) -> None:
    queue = broker.queue()
    with pytest.raises(PayloadTooLarge, match="m0"):
        await bus.send([outbound(queue, properties={"p": "x" * 2_000_000})])
    await bus.send([outbound(queue, 1)])
    assert [one.message.message_id for one in arrived(broker, queue)] == ["m1"]


async def test_an_entity_that_is_not_there(bus: AzureMessageBus) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        await bus.send([outbound("nowhere")])


@pytest.mark.parametrize(
    "wrong",
    [
        {"message_id": ""},
        {"message_id": "x" * 129},
        {"session_id": "x" * 129},
        {"entity": ""},
        {"expires_after": 0.0},
        {"scheduled_at": datetime(2026, 1, 1)},  # noqa: DTZ001  # refused for it
    ],
)
async def test_what_the_service_would_refuse_is_refused_before_anything_is_sent(
    bus: AzureMessageBus, broker: BrokerThread, wrong: dict[str, Any]
) -> None:
    queue = broker.queue()
    fields = {"entity": queue, "body": b"", "message_id": "m"} | wrong
    with pytest.raises(InvalidInput):
        await bus.send([outbound(queue), OutboundMessage(**fields)])
    assert arrived(broker, queue) == []


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("sdk_retries", [0, 2])
async def test_a_broken_connection_is_made_again(another: Another, broker: BrokerThread, sdk_retries: int) -> None:
    bus, queue = another(retry_total=sdk_retries), broker.queue()
    await bus.send([outbound(queue, 1)])
    for connection in broker.call(lambda: list(broker.server._shared.connections)):
        broker.call(connection.abort)
    await bus.send([outbound(queue, 2)])
    assert [one.message.message_id for one in arrived(broker, queue)] == ["m1", "m2"]
    # The SDK drops the broken socket without closing it: have it collected here, where that is expected.
    gc.collect()


async def test_a_bus_that_is_away_is_unavailable_and_later_used_again(another: Another, broker: BrokerThread) -> None:
    bus = another(retry_total=0)
    queue = broker.queue()
    fault = broker.bus.faults.add(Fault(kind=FaultKind.REFUSE, entity=queue, operation="send", times=None))
    with pytest.raises(BusUnavailable):
        await bus.send([outbound(queue, 1)])
    broker.bus.faults.remove(fault)
    await bus.send([outbound(queue, 1)])
    assert [one.message.message_id for one in arrived(broker, queue)] == ["m1"]


async def test_a_throttled_namespace_asks_for_a_pause(another: Another, broker: BrokerThread) -> None:
    bus = another(retry_total=0)
    queue = broker.queue()
    broker.bus.faults.add(Fault(kind=FaultKind.THROTTLE, entity=queue, operation="send"))
    with pytest.raises(BusUnavailable) as caught:
        await bus.send([outbound(queue, 1)])
    assert caught.value.retry_after == 2.0


async def test_nobody_at_the_address_is_unavailable(another: Another) -> None:
    text = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0;UseDevelopmentEmulator=true;"
    bus = another(text, retry_total=0)
    with pytest.raises(BusUnavailable) as caught:
        await bus.send([outbound("q")])
    assert "c2VjcmV0" not in str(caught.value)


async def test_a_wrong_key_is_an_outage_with_a_code_of_its_own(another: Another, broker: BrokerThread) -> None:
    bus = another(broker.connection_string.replace("SAS_KEY_VALUE", "d3Jvbmc="), retry_total=0)
    with pytest.raises(BusUnavailable) as caught:
        await bus.send([outbound(broker.queue())])
    assert caught.value.code == "access_denied"


async def test_a_send_that_is_cancelled_leaves_no_half_used_sender(bus: AzureMessageBus, broker: BrokerThread) -> None:
    queue = broker.queue()
    await bus.send([outbound(queue, 0)])
    broker.bus.faults.add(Fault(kind=FaultKind.DELAY, entity=queue, operation="send", delay=timedelta(seconds=30)))
    task = asyncio.create_task(bus.send([outbound(queue, 1)]))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await task
    broker.bus.faults.clear()
    await bus.send([outbound(queue, 2)])
    assert [one.message.message_id for one in arrived(broker, queue)][-1] == "m2"


async def test_a_bus_that_says_nothing_is_given_up_in_time(another: Another, broker: BrokerThread) -> None:
    bus, queue = another(patience=0.2, retry_total=0), broker.queue()
    broker.bus.faults.add(
        Fault(kind=FaultKind.DELAY, entity=queue, operation="send", delay=timedelta(seconds=30), times=None)
    )
    with pytest.raises(BusUnavailable):
        await bus.send([outbound(queue)])
    broker.bus.faults.clear()
