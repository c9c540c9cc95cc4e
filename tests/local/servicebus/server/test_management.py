"""`$management` beyond what the Python SDK asks of it: rules, settlement by token, and requests that make no sense."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from aos.kernel.errors import AosError
from aos.local.servicebus.amqp.types import Array, Described, Int
from aos.local.servicebus.client import (
    EntityNotFound,
    MessageLockLost,
    MultiplexedReceiver,
    OutgoingMessage,
    RequestRefused,
    SessionLockLost,
)
from aos.local.servicebus.engine import (
    Bus,
    QueueDescription,
    SubscriptionDescription,
    TopicDescription,
    Topology,
)
from aos.local.servicebus.server.broker_server import BrokerServer

TOPOLOGY = Topology(
    queues=(QueueDescription(name="q"), QueueDescription(name="s", requires_session=True)),
    topics=(TopicDescription(name="t"),),
    subscriptions=(SubscriptionDescription(topic="t", name="sub"),),
)
UNREADABLE = {"sql-filter": {"expression": "="}}
RULES = "t/Subscriptions/sub"


@pytest_asyncio.fixture
async def client() -> AsyncIterator[MultiplexedReceiver]:
    bus = Bus()
    bus.apply(TOPOLOGY)
    async with BrokerServer(bus) as server, MultiplexedReceiver.connect(server.connection_string) as client:
        yield client


async def test_rules_are_added_enumerated_and_removed(client: MultiplexedReceiver) -> None:
    await client.manage(
        RULES,
        "add-rule",
        {
            "rule-name": "red",
            "rule-description": {
                "sql-filter": {"expression": "color = 'red'"},
                "sql-rule-action": {"expression": "SET seen = 1"},
            },
        },
    )
    correlation = {"correlation-id": "c", "label": "l", "properties": {"color": "red"}}
    await client.manage(
        RULES, "add-rule", {"rule-name": "mine", "rule-description": {"correlation-filter": correlation}}
    )
    await client.manage(RULES, "add-rule", {"rule-name": "no", "rule-description": {"false-filter": {}}})
    reply = await client.manage(RULES, "enumerate-rules", {"top": Int(10), "skip": Int(0)})
    rules = {rule["rule-description"].value[2]: rule["rule-description"] for rule in reply["rules"]}
    assert sorted(rules) == ["$Default", "mine", "no", "red"]
    assert rules["red"].descriptor == 0x0000013700000004
    sql, action, _ = rules["red"].value
    assert sql == Described(0x000001370000006, ["color = 'red'"])
    assert action == Described(0x0000013700000006, ["SET seen = 1"])
    correlated, nothing, _ = rules["mine"].value
    assert correlated.value == ["c", None, None, None, "l", None, None, None, {"color": "red"}]
    assert nothing.descriptor == 0x0000013700000005
    for name in ("$Default", "mine", "no", "red"):
        await client.manage(RULES, "remove-rule", {"rule-name": name})
    assert await client.manage(RULES, "enumerate-rules", {"top": Int(10), "skip": Int(0)}) == {}


@pytest.mark.parametrize(
    ("status", "extra", "counts"),
    [
        ("completed", {}, (0, 0, 0)),
        ("abandoned", {"properties-to-modify": {"tried": 1}}, (1, 0, 0)),
        ("defered", {}, (0, 1, 0)),
        ("suspended", {"deadletter-reason": "r", "deadletter-description": "d"}, (0, 0, 1)),
    ],
)
async def test_a_message_is_settled_by_its_token_from_elsewhere(
    client: MultiplexedReceiver, status: str, extra: dict[str, Any], counts: tuple[int, int, int]
) -> None:
    await client.send("q", [OutgoingMessage(b"x")])
    receiver = await client.receiver("q")
    (message,) = await receiver.receive(1, 1)
    body = {"disposition-status": status, "lock-tokens": Array(0x98, [message.lock_token]), **extra}
    await client.manage("q", "update-disposition", body)
    with pytest.raises(MessageLockLost):
        await client.manage("q", "update-disposition", body)
    await receiver.close()
    again = await client.receiver("q", mode="receive-and-delete")
    found = await again.receive(1, 0.05)
    assert len(found) == counts[0]
    if found:
        assert found[0].application_properties == {"tried": 1}
    dead = await client.receiver("q/$DeadLetterQueue")
    assert len(await dead.receive(1, 0.05)) == counts[2]
    if counts[1]:
        numbers = {"sequence-numbers": Array(0x81, [1]), "receiver-settle-mode": Int(0)}
        reply = await client.manage("q", "receive-by-sequence-number", numbers)
        assert "lock-token" not in reply["messages"][0]


async def test_deferred_messages_of_a_session_need_the_session(client: MultiplexedReceiver) -> None:
    await client.send("s", [OutgoingMessage(b"x", session_id="a")])
    session = await client.accept_session("s", "a")
    (message,) = await session.receive(1, 1)
    await session.defer([message])
    body = {"sequence-numbers": Array(0x81, [message.sequence_number]), "session-id": "a"}
    reply = await client.manage("s", "receive-by-sequence-number", body)
    token = reply["messages"][0]["lock-token"]
    assert isinstance(token, UUID)
    done = {"disposition-status": "completed", "lock-tokens": Array(0x98, [token]), "session-id": "a"}
    await client.manage("s", "update-disposition", done)
    await session.close()
    with pytest.raises(SessionLockLost):
        await client.manage("s", "renew-session-lock", {"session-id": "a"})


@pytest.mark.parametrize(
    ("entity", "operation", "body", "kind"),
    [
        ("q", "no-such-thing", {}, RequestRefused),
        ("q", "renew-lock", {}, RequestRefused),
        ("q", "renew-lock", {"lock-tokens": Array(0x81, [1])}, RequestRefused),
        ("q", "renew-lock", {"lock-tokens": Array(0x98, [uuid4()])}, MessageLockLost),
        ("q", "peek-message", {"message-count": Int(0), "from-sequence-number": 1}, RequestRefused),
        ("q", "peek-message", {"message-count": "many", "from-sequence-number": 1}, RequestRefused),
        ("q", "schedule-message", {"messages": [{"message": b"\xff"}]}, RequestRefused),
        ("q", "schedule-message", {"messages": [{}]}, RequestRefused),
        ("q", "update-disposition", {"disposition-status": "eaten", "lock-tokens": [uuid4()]}, RequestRefused),
        ("q", "get-session-state", {"session-id": "a"}, SessionLockLost),
        ("q", "add-rule", {"rule-name": "r", "rule-description": {"true-filter": {}}}, RequestRefused),
        (RULES, "add-rule", {"rule-name": "r", "rule-description": {}}, RequestRefused),
        (
            RULES,
            "add-rule",
            {"rule-name": "r", "rule-description": {"sql-filter": {"expression": "="}}},
            RequestRefused,
        ),
        ("nowhere", "peek-message", {}, EntityNotFound),
    ],
)
async def test_requests_that_cannot_be_met_are_refused(
    client: MultiplexedReceiver, entity: str, operation: str, body: dict[str, Any], kind: type[AosError]
) -> None:
    with pytest.raises(kind):
        await client.manage(entity, operation, body)


async def test_an_entity_deleted_meanwhile_is_gone_for_its_links(client: MultiplexedReceiver) -> None:
    bus = Bus()
    bus.apply(TOPOLOGY)
    async with BrokerServer(bus) as server, MultiplexedReceiver.connect(server.connection_string) as other:
        await other.send("q", [OutgoingMessage(b"x")])
        await other.manage("q", "peek-message", {"message-count": Int(1), "from-sequence-number": 1})
        bus.delete_queue("q")
        with pytest.raises(EntityNotFound):
            await other.send("q", [OutgoingMessage(b"x")])
        with pytest.raises(EntityNotFound):
            await other.manage("q", "peek-message", {"message-count": Int(1), "from-sequence-number": 1})
