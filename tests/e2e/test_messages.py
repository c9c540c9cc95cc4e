"""Messages on their way through the real bus: topic events, the wire contract, poison, and what is too large."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from aos.kernel.message import Message
from tests.e2e.conftest import post, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

APP = "businessinfinity"


def _envelope(to: str, type: str, data: Any, id: str) -> bytes:
    return Message(id=id, source="/tests/e2e", type=type, time=datetime.now(UTC), to=to, data=data).encode()


async def _ask(bus: ServiceBusClient, message_type: str, payload: dict[str, Any], message_id: str) -> dict[str, Any]:
    """Send a request of the wire contract, as a business app does, and wait for its answer."""
    header = {
        "message_id": message_id,
        "source": APP,
        "timestamp": datetime.now(UTC).isoformat(),
        "message_type": message_type,
    }
    async with bus.get_queue_sender("aos-requests") as sender:
        await sender.send_messages(ServiceBusMessage(json.dumps({"header": header, "payload": payload})))
    async with bus.get_queue_receiver(f"{APP}-responses") as receiver:
        while True:
            for message in await receiver.receive_messages(1, max_wait_time=20):
                await receiver.complete_message(message)
                answer: dict[str, Any] = json.loads(str(message))
                if answer["header"]["correlation_id"] == message_id:
                    return answer


async def test_a_ping_over_the_bus_is_answered_on_the_apps_queue(bus: ServiceBusClient) -> None:
    answer = await _ask(bus, "aos.system.ping", {}, "ping-1")
    assert answer["header"]["message_type"] == "aos.system.pong"
    assert answer["header"]["target"] == APP
    assert answer["payload"]["type"] == "pong"


async def test_a_question_of_an_app_wakes_an_agent_and_brings_back_its_answer(bus: ServiceBusClient) -> None:
    answer = await _ask(bus, "aos.agent.query", {"agent_id": "echo", "query": "Are you there?"}, "query-1")
    assert answer["header"]["message_type"] == "aos.agent.response"
    assert answer["payload"]["response"] == "You said: Are you there?"
    refused = await _ask(bus, "aos.agent.query", {"agent_id": "nobody", "query": "And you?"}, "query-2")
    assert refused["header"]["message_type"] == "aos.error"
    assert refused["payload"]["error_code"] == "AGENT_QUERY_ERROR"


async def test_a_topic_event_reaches_the_agent_that_subscribed(http: httpx.AsyncClient) -> None:
    await post(http, "counter:herald", "announce", "It works")
    seen = await until(http, "/api/v1/agents/counter", lambda agent: (agent["state"] or {}).get("news"))
    assert seen["state"]["news"] == ["It works"]
    herald = (await http.get("/api/v1/agents/counter:herald")).json()
    assert herald["state"]["news"] == []


async def test_poison_becomes_a_dead_letter_and_does_not_hold_up_its_agent(
    http: httpx.AsyncClient, bus: ServiceBusClient
) -> None:
    session = "counter:poisoned"
    bodies = [b"{ this is no JSON", b'{"specversion": "0.3"}', _envelope(session, "count", 7, "after-poison")]
    async with bus.get_queue_sender("agent-inbox") as sender:
        await sender.send_messages([ServiceBusMessage(body, session_id=session) for body in bodies])
        lost = _envelope("nobody:1", "count", 1, "for-nobody")
        await sender.send_messages(ServiceBusMessage(lost, session_id="nobody:1"))
        wrong = _envelope(session, "count", "not a number", "wrong-data")
        await sender.send_messages(ServiceBusMessage(wrong, session_id=session))

    counted = await until(http, f"/api/v1/agents/{session}", lambda agent: agent["counters"].get("dead") == 1)
    assert counted["state"]["order"] == [7]
    page = await until(http, "/api/v1/deadletters?limit=100", lambda found: len(found["dead_letters"]) >= 4)
    codes = {}
    for letter in page["dead_letters"]:
        codes[letter.get("body") or letter["message"]["id"]] = letter["error"]["code"]
    assert codes["{ this is no JSON"] == "malformed_message"
    assert codes['{"specversion": "0.3"}'] == "malformed_message"
    assert codes["for-nobody"] == "unknown_agent_type"
    assert codes["wrong-data"] == "validation_error"


async def test_a_dead_letter_can_be_sent_again(http: httpx.AsyncClient) -> None:
    await post(http, "counter:again", "no.such.type", None, id="no-such-type")
    page = await until(http, "/api/v1/deadletters?agent=counter:again", lambda found: found["dead_letters"])
    letter = page["dead_letters"][0]
    assert letter["error"]["code"] == "unknown_message_type"
    resubmitted = await http.post(f"/api/v1/deadletters/{letter['id']}/resubmit")
    assert resubmitted.status_code == 202
    twice = await http.post(f"/api/v1/deadletters/{letter['id']}/resubmit")
    assert twice.status_code == 409
    await until(http, "/api/v1/agents/counter:again", lambda agent: agent["counters"].get("dead") == 2)


@pytest.mark.parametrize("characters", [200_000, 600_000])
async def test_a_message_above_the_bus_limit_arrives_whole(http: httpx.AsyncClient, characters: int) -> None:
    speaker = f"echo:near-{characters}"
    await post(http, "echo:far", "measure", "é" * characters)
    await until(http, "/api/v1/agents/echo:far", lambda agent: (agent["state"] or {}).get("characters") == characters)
    await post(http, speaker, "speak", characters + 1)
    await until(http, "/api/v1/agents/echo:far", lambda agent: agent["state"]["characters"] == characters + 1)
    journal = (await http.get("/api/v1/agents/echo:far/journal")).json()["entries"]
    assert all(entry["received"][0]["message"]["data"] is None for entry in journal)


async def test_a_repeated_message_is_taken_once(http: httpx.AsyncClient) -> None:
    for _ in range(3):
        await post(http, "counter:once", "count", 1, id="the-same")
    await post(http, "counter:once", "count", 2, id="another")
    counted = await until(http, "/api/v1/agents/counter:once", lambda agent: (agent["state"] or {}).get("value", 0) > 1)
    assert counted["state"]["order"] == [1, 2]
