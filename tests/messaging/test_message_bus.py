"""Messages between agents as apps write them, and topics with handlers."""

from __future__ import annotations

from datetime import timedelta

import jsonschema
import pytest

from aos.kernel.message import Message
from aos.messaging import names
from aos.messaging.agent_message import AgentMessage, Kind, Priority
from tests.agents.test_agent import Asker, Counter
from tests.harness import MemorySystem


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Counter(), Asker())


def test_a_message_has_the_defaults_of_the_contract_and_fits_its_schema() -> None:
    message = AgentMessage(from_agent="ceo", to_agent="cfo")
    assert (message.type, message.priority, message.max_retries, message.retry_count) == (
        Kind.AGENT_TO_AGENT,
        Priority.NORMAL,
        3,
        0,
    )
    assert message.expires_at == message.timestamp + timedelta(seconds=300)
    jsonschema.validate(message.model_dump(mode="json"), AgentMessage.model_json_schema())
    assert [int(priority) for priority in Priority] == [1, 2, 3, 4]


async def test_one_agent_sends_another_a_message(world: MemorySystem) -> None:
    await world.system.messages.send_agent_message("asker", "counter", {"type": "counter.add", "by": 4})
    [sent] = world.outbox.sent
    assert sent.session_id == "counter"
    await world.settle()
    assert (await world.state("counter"))["total"] == 4


async def test_a_message_that_waited_too_long_is_a_dead_letter(world: MemorySystem) -> None:
    message = AgentMessage(
        from_agent="asker", to_agent="counter", content={"type": "counter.add"}, timestamp=world.clock.now()
    )
    await world.system.messages.send(message)
    world.clock.advance(301)
    await world.settle()
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert letter.error["code"] == "deadline_exceeded"


async def test_a_broadcast_goes_to_all_but_its_sender(world: MemorySystem) -> None:
    await world.system.messages.send(AgentMessage(type=Kind.BROADCAST, from_agent="asker", timestamp=world.clock.now()))
    assert [message.session_id for message in world.outbox.sent] == ["counter"]


async def test_an_event_reaches_subscribed_agents_and_handlers(world: MemorySystem) -> None:
    heard: list[Message] = []

    async def hear(event: Message) -> None:
        heard.append(event)

    world.system.messages.subscribe("news", hear)
    await world.system.messages.publish("news", "news.said", "hello")
    await world.settle()
    assert [event.data for event in heard] == ["hello"]
    assert (await world.state("counter"))["heard"] == ["hello"]
    assert world.system.messages.unsubscribe("news", hear)
    assert not world.system.messages.unsubscribe("news", hear)
    await world.system.messages.publish("news", "news.said", "again")
    await world.settle()
    assert len(heard) == 1


def test_the_names_are_those_the_local_namespace_has() -> None:
    import json
    from pathlib import Path

    file = Path(__file__).resolve().parents[2] / "aos" / "local" / "servicebus.Config.json"
    [namespace] = json.loads(file.read_text())["UserConfig"]["Namespaces"]
    assert {queue["Name"] for queue in namespace["Queues"]} >= set(names.QUEUES)
    [topic] = namespace["Topics"]
    assert (topic["Name"], topic["Subscriptions"][0]["Name"]) == (names.EVENTS, names.EVENTS_ROUTER)
    inbox = next(queue for queue in namespace["Queues"] if queue["Name"] == names.INBOX)
    assert inbox["Properties"]["RequiresSession"] is True
    assert inbox["Properties"]["RequiresDuplicateDetection"] is True
    assert names.response_queue("BusinessInfinity", None) == "businessinfinity-responses"
    assert names.response_queue("Shop", None) == "shop-responses"
    assert names.response_queue("Shop", "elsewhere") == "elsewhere"
