"""How callers share a sender, over an SDK sender of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import MessageSizeExceededError, ServiceBusConnectionError, ServiceBusError

from aos.azure.entity_sender import EntitySender
from aos.kernel.errors import BusUnavailable, PayloadTooLarge
from aos.kernel.meter import Usage, metered

_LIMIT = 5


class Batch(list[ServiceBusMessage]):
    max_size_in_bytes = _LIMIT

    def add_message(self, message: ServiceBusMessage) -> None:
        if len(self) == _LIMIT or message.subject == "large":
            raise MessageSizeExceededError(message="too much")
        self.append(message)


class Wire:
    """SDK senders of one entity. `open` lets sends through; `down` breaks them.

    Attributes:
        batches: Ids of the messages of each batch that was stored, in order.
    """

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.opened = 0
        self.closed = 0
        self.began = asyncio.Event()
        self.open = asyncio.Event()
        self.down = False

    def sender(self) -> Any:
        self.opened += 1
        return self

    async def create_message_batch(self) -> Batch:
        return Batch()

    async def send_messages(self, batch: Batch, **_: Any) -> None:
        self.began.set()
        await self.open.wait()
        if self.down:
            raise ServiceBusConnectionError(message="away")
        if any(message.subject == "wrong" for message in batch):
            raise ServiceBusError("refused", error=ValueError(), condition=b"amqp:not-allowed")
        self.batches.append([str(message.message_id) for message in batch])

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def sender(wire: Wire) -> AsyncIterator[EntitySender]:
    made = EntitySender("q", wire.sender, patience=30.0)
    yield made
    wire.open.set()
    await made.close()


def messages(*ids: str, subject: str | None = None) -> list[ServiceBusMessage]:
    return [ServiceBusMessage(b"12345", message_id=id, subject=subject) for id in ids]


async def start(sender: EntitySender, *given: Sequence[ServiceBusMessage]) -> list[asyncio.Task[None]]:
    """Have each sent by a task of its own, as far as they get."""
    tasks = [asyncio.create_task(sender.send(each)) for each in given]
    await asyncio.sleep(0)
    return tasks


async def first_under_way(sender: EntitySender, wire: Wire) -> asyncio.Task[None]:
    (first,) = await start(sender, messages("first"))
    await wire.began.wait()
    return first


async def test_what_waits_goes_out_together_in_order(sender: EntitySender, wire: Wire) -> None:
    first = await first_under_way(sender, wire)
    waiting = await start(sender, messages("a", "b"), messages("c"), messages("d", "e", "f"))
    wire.open.set()
    await asyncio.gather(first, *waiting)
    assert wire.batches == [["first"], ["a", "b", "c", "d", "e"], ["f"]]
    assert wire.opened == 1


async def test_each_caller_is_charged_for_its_own(sender: EntitySender, wire: Wire) -> None:
    async def charged(count: int) -> Usage:
        with metered() as usage:
            await sender.send(messages(*map(str, range(count))))
        return usage

    wire.open.set()
    usages = await asyncio.gather(charged(1), charged(7), charged(0))
    assert [(usage.bus_sends, usage.bytes_written) for usage in usages] == [(1, 5), (7, 35), (0, 0)]


@pytest.mark.parametrize("subject", ["large", "wrong"])
async def test_a_message_that_is_refused_concerns_its_caller_only(
    sender: EntitySender, wire: Wire, subject: str
) -> None:
    first = await first_under_way(sender, wire)
    waiting = await start(sender, messages("a"), messages("b", subject=subject), messages("c"))
    wire.open.set()
    await first
    _, refused, _ = results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(refused, PayloadTooLarge if subject == "large" else BusUnavailable)
    assert [results[0], results[2]] == [None, None]
    assert sorted(id for batch in wire.batches for id in batch) == ["a", "c", "first"]


async def test_an_outage_concerns_all_who_wait(sender: EntitySender, wire: Wire) -> None:
    first = await first_under_way(sender, wire)
    waiting = await start(sender, messages("a"), messages("b"))
    wire.down = True
    wire.open.set()
    results = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert all(isinstance(result, BusUnavailable) for result in results)
    wire.down = False
    await sender.send(messages("later"))
    assert wire.batches == [["later"]]


async def test_a_caller_that_leaves_takes_nobody_along(sender: EntitySender, wire: Wire) -> None:
    first = await first_under_way(sender, wire)
    staying, waiting = await start(sender, messages("a"), messages("b"))
    waiting.cancel()
    wire.open.set()
    await asyncio.gather(first, staying)
    assert wire.batches == [["first"], ["a"]]


async def test_a_send_that_nobody_waits_for_is_broken_off(sender: EntitySender, wire: Wire) -> None:
    first = await first_under_way(sender, wire)
    (staying,) = await start(sender, messages("a"))
    first.cancel()
    wire.began.clear()
    await wire.began.wait()
    wire.open.set()
    await staying
    assert wire.batches == [["a"]]
    assert (wire.opened, wire.closed) == (2, 1)


async def test_closing_waits_for_what_is_under_way(sender: EntitySender, wire: Wire) -> None:
    first = await first_under_way(sender, wire)
    (waiting,) = await start(sender, messages("a"))
    closing = asyncio.create_task(sender.close())
    await asyncio.sleep(0)
    wire.open.set()
    await closing
    assert wire.batches == [["first"], ["a"]]
    assert wire.closed == 1
    await asyncio.gather(first, waiting)


def test_the_wire_stands_for_the_sdk() -> None:
    """What is used of the SDK's sender and batch is there."""
    from azure.servicebus import ServiceBusMessageBatch
    from azure.servicebus.aio import ServiceBusSender

    assert all(hasattr(ServiceBusSender, name) for name in ("create_message_batch", "send_messages", "close"))
    assert all(hasattr(cast("Any", ServiceBusMessageBatch), name) for name in ("add_message", "max_size_in_bytes"))
