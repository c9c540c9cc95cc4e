"""Callbacks: a receiver that is down gets them later, each once as far as it can tell; one that refuses does not."""

from __future__ import annotations

import json

import pytest

from aos.tools.webhook import Webhooks
from aos.workflows.callback_agent import CALLBACK_SEND, CallbackAgent
from tests.harness import MemorySystem
from tests.tools.test_webhook import HERE, KEY, STATUSES, Receiver
from tests.tools.test_webhook import receiver as receiver  # noqa: PLC0414  # a fixture


@pytest.fixture
async def world() -> MemorySystem:
    world = MemorySystem()
    world.registry.unregister("callback")
    world.registry.register(CallbackAgent(Webhooks(HERE, KEY)))
    return world


async def send(world: MemorySystem, url: str) -> None:
    data = {"url": url, "event": "task.ended", "data": {"id": "t1"}}
    await world.system.directory.send("callback:t1", CALLBACK_SEND, data)
    await world.settle()


async def test_a_callback_arrives_signed(world: MemorySystem, receiver: Receiver) -> None:
    await send(world, f"{receiver.url}/ok")
    headers, body = receiver.received[0]
    said = json.loads(body)
    assert (said["type"], said["data"]) == ("task.ended", {"id": "t1"})
    assert headers["webhook-signature"].startswith("v1,")
    assert await world.state("callback:t1") == {"delivered": 1, "status": 204}


async def test_a_receiver_that_is_down_is_tried_again_with_the_same_id(
    world: MemorySystem, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([500, 429, 500, 204])
    monkeypatch.setattr(type(receiver), "status", lambda *_: next(answers))
    started = world.clock.now()
    await send(world, f"{receiver.url}/scripted")
    assert len(receiver.received) == 4
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    assert (await world.state("callback:t1"))["delivered"] == 1
    assert (world.clock.now() - started).total_seconds() > 60


async def test_a_receiver_that_wants_no_more_gets_no_more(world: MemorySystem, receiver: Receiver) -> None:
    assert STATUSES["/gone"] == 410
    await send(world, f"{receiver.url}/gone")
    assert len(receiver.received) == 1
    letters, _ = await world.system.kernel.dead_letters.page()
    assert len(letters) == 1
