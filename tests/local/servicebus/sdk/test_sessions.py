"""Sessions through the unmodified SDK."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusClient, ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient as AsyncClient
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from tests.local.servicebus.broker_thread import BrokerThread

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest_asyncio.fixture
async def client(broker: BrokerThread) -> AsyncIterator[AsyncClient]:
    async with AsyncClient.from_connection_string(broker.connection_string, retry_total=0) as client:
        yield client
    # The SDK leaves the sockets of refused receivers to the garbage collector: let them go here.
    gc.collect()


def message(body: str, session_id: str) -> ServiceBusMessage:
    return ServiceBusMessage(body, session_id=session_id)


async def test_a_session_is_held_by_one_served_in_order_and_keeps_a_state(
    broker: BrokerThread, client: AsyncClient
) -> None:
    name = broker.queue(requires_session=True)
    async with (
        client.get_queue_sender(name) as sender,
        client.get_queue_receiver(name, session_id="a", max_wait_time=2) as receiver,
    ):
        await sender.send_messages([message(f"{session}{number}", session) for number in range(3) for session in "ab"])
        session = receiver.session
        assert session.session_id == "a"
        assert session.locked_until_utc is not None
        assert session.locked_until_utc > datetime.now(UTC) + timedelta(seconds=50)
        bodies: list[str] = []
        while len(bodies) < 3:
            for received in await receiver.receive_messages(3):
                assert received.session_id == "a"
                assert received.locked_until_utc is None
                bodies.append(str(received))
                await receiver.complete_message(received)
        assert bodies == ["a0", "a1", "a2"]
        assert await receiver.receive_messages(1, max_wait_time=0.1) == []

        assert await session.get_state() is None
        await session.set_state("half way")
        assert await session.get_state() == b"half way"
        await session.set_state(None)
        assert await session.get_state() is None
        assert await session.renew_lock() > datetime.now(UTC) + timedelta(seconds=50)

        other = client.get_queue_receiver(name, session_id="a")
        with pytest.raises(SessionCannotBeLockedError):
            await other.receive_messages(1, max_wait_time=1)
        assert (await receiver.peek_messages(5)) == []


async def test_the_next_available_session_is_one_with_messages_and_none_is_a_timeout(
    broker: BrokerThread, client: AsyncClient
) -> None:
    name = broker.queue(requires_session=True)
    async with client.get_queue_sender(name) as sender:
        waiting = client.get_queue_receiver(name, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=5)
        opening = asyncio.create_task(waiting.__aenter__())
        await asyncio.sleep(0)
        await sender.send_messages(message("first", "x"))
        await opening
        assert waiting.session.session_id == "x"
        (received,) = await waiting.receive_messages(1)
        await waiting.complete_message(received)
        idle = client.get_queue_receiver(name, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=0.3)
        with pytest.raises(OperationTimeoutError):
            await idle.__aenter__()


async def test_a_closed_session_gives_its_messages_back_uncounted(broker: BrokerThread, client: AsyncClient) -> None:
    name = broker.queue(requires_session=True)
    async with client.get_queue_sender(name) as sender:
        await sender.send_messages(message("kept", "s"))
        async with client.get_queue_receiver(name, session_id="s", max_wait_time=2) as receiver:
            assert len(await receiver.receive_messages(1)) == 1
        async with client.get_queue_receiver(name, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=2) as receiver:
            (received,) = await receiver.receive_messages(1)
            assert received.delivery_count == 0


async def test_a_lost_session_lock_ends_the_receiver(broker: BrokerThread, client: AsyncClient) -> None:
    name = broker.queue(requires_session=True)
    async with (
        client.get_queue_sender(name) as sender,
        client.get_queue_receiver(name, session_id="s", max_wait_time=2) as receiver,
    ):
        await sender.send_messages(message("one", "s"))
        (received,) = await receiver.receive_messages(1)
        broker.call(broker.bus.source(name).steal_session, "s")
        with pytest.raises(SessionLockLostError):
            await receiver.complete_message(received)
        with pytest.raises(SessionLockLostError):
            await receiver.session.renew_lock()


async def test_deferred_messages_and_settlement_of_a_session(broker: BrokerThread, client: AsyncClient) -> None:
    name = broker.queue(requires_session=True)
    async with (
        client.get_queue_sender(name) as sender,
        client.get_queue_receiver(name, session_id="s", max_wait_time=2) as receiver,
    ):
        await sender.send_messages([message("later", "s"), message("bad", "s"), message("again", "s")])
        (later,) = await receiver.receive_messages(1)
        await receiver.defer_message(later)
        (bad,) = await receiver.receive_messages(1)
        await receiver.dead_letter_message(bad, reason="r", error_description="d")
        (again,) = await receiver.receive_messages(1)
        await receiver.abandon_message(again)
        (again,) = await receiver.receive_messages(1)
        assert again.delivery_count == 1
        await receiver.complete_message(again)
        assert later.sequence_number is not None
        (deferred,) = await receiver.receive_deferred_messages(later.sequence_number)
        await receiver.complete_message(deferred)
        async with client.get_queue_receiver(name, sub_queue="deadletter", max_wait_time=2) as dead:
            (received,) = await dead.receive_messages(1)
            assert (received.session_id, received.dead_letter_reason) == ("s", "r")
            await dead.complete_message(received)


async def test_what_a_session_queue_refuses(broker: BrokerThread, client: AsyncClient) -> None:
    sessions, plain = broker.queue(requires_session=True), broker.queue()
    with pytest.raises(ServiceBusError, match="sessionful"):
        await client.get_queue_receiver(sessions).receive_messages(1, max_wait_time=1)
    with pytest.raises(ServiceBusError, match="session"):
        await client.get_queue_receiver(plain, session_id="s").receive_messages(1, max_wait_time=1)
    async with client.get_queue_sender(sessions) as sender:
        with pytest.raises(ServiceBusError, match="session"):
            await sender.send_messages(ServiceBusMessage("no session id"))


def test_sessions_are_listed(broker: BrokerThread) -> None:
    name = broker.queue(requires_session=True)
    with ServiceBusClient.from_connection_string(broker.connection_string) as client:
        with client.get_queue_sender(name) as sender:
            sender.send_messages([message("x", f"s{number:03}") for number in range(120)])
        found = list(client.list_queue_sessions(name)) if hasattr(client, "list_queue_sessions") else None
    if found is None:
        pytest.skip("this version of the SDK lists no sessions")
    assert sorted(found) == [f"s{number:03}" for number in range(120)]
