"""The wire contract for business apps: each request is answered on the queue the app means."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from aos.agents import Agent, NoState, Turn, on
from aos.agents.declaration import Declaration
from aos.agents.declarative_agent import DeclarativeAgent
from aos.kernel.errors import StoreUnavailable, TerminalError
from aos.messaging import contract
from aos.messaging.app_agent import app_address
from aos.workflows.definition.workflow import Workflow
from tests.agents.test_agent import Counter
from tests.harness import MemorySystem
from tests.llm.scripted import said as said_by_model
from tests.llm.scripted import stage
from tests.workflows.test_tasks import WORK, Boss, Left, Right


class Question(BaseModel):
    query: str
    context: dict[str, Any] = {}


class Oracle(Agent[NoState]):
    type = "oracle"

    @on("agent.query")
    async def answer(self, turn: Turn, _: NoState, question: Question) -> dict[str, Any] | None:
        if question.query == "why":
            raise TerminalError("Nobody knows.")
        if question.query == "when":
            return None
        return {"response": question.query.upper(), "confidence": 0.9}


@pytest.fixture
def world() -> MemorySystem:
    return MemorySystem(Oracle(), Counter(), Left(), Right(), Boss(), workflows=(WORK,))


def request(world: MemorySystem, message_type: str, payload: dict[str, Any] | None = None, **header: Any) -> bytes:
    full = {
        "message_id": f"r-{message_type}-{len(world.outbox.sent)}",
        "timestamp": world.clock.now().isoformat(),
        "source": "BusinessInfinity",
        "message_type": message_type,
        **header,
    }
    return json.dumps({"header": full, "payload": payload or {}}).encode()


async def ask(world: MemorySystem, message_type: str, payload: dict[str, Any] | None = None, **header: Any) -> Any:
    await world.system.requests.handle(request(world, message_type, payload, **header))
    await world.settle()
    answer = world.sent_to(header.get("reply_to") or "businessinfinity-responses")[-1]
    jsonschema.validate(answer, contract.schema()["AOSMessage.json"])
    return answer


async def test_ping_is_answered_with_pong_to_the_queue_named_after_the_app(world: MemorySystem) -> None:
    answer = await ask(world, "aos.system.ping", correlation_id="c1")
    assert answer["header"]["message_type"] == "aos.system.pong"
    assert answer["header"]["correlation_id"] == "c1"
    assert (answer["header"]["source"], answer["header"]["target"]) == ("aos", "BusinessInfinity")
    assert answer["payload"]["system"] == "AOS"


async def test_an_answer_goes_where_the_request_says(world: MemorySystem) -> None:
    answer = await ask(world, "aos.system.health", reply_to="my-own-queue")
    assert answer["header"]["message_type"] == "aos.system.health.response"
    assert answer["payload"]["status"] == "operational"


async def test_an_agent_answers_through_the_agent_that_stands_for_the_app(world: MemorySystem) -> None:
    answer = await ask(world, "aos.agent.query", {"agent_id": "oracle", "query": "hello"})
    assert answer["header"]["message_type"] == "aos.agent.response"
    assert (answer["payload"]["response"], answer["payload"]["confidence"]) == ("HELLO", 0.9)
    journal = await world.system.directory.journal(app_address("BusinessInfinity"))
    assert [entry.received[0]["message"]["type"] for entry in journal] == ["app.query", "agent.query.reply"]


async def test_a_query_can_name_the_message_an_agent_with_typed_messages_wants(world: MemorySystem) -> None:
    context = {"type": "counter.add", "data": {"by": 3}}
    answer = await ask(world, "aos.agent.query", {"agent_id": "counter", "query": "", "context": context})
    assert answer["payload"]["metadata"]["answer"]["total"] == 3


async def test_an_agent_without_code_is_asked_in_the_contracts_own_words(world: MemorySystem) -> None:
    scene = stage(a=[said_by_model("Forty."), said_by_model("Fifty."), said_by_model("Sixty.")])
    world.registry.surroundings.find_router = lambda: scene.router
    declared = {"id": "clerk", "name": "Clerk", "description": "Counts.", "instructions": "Count."}
    world.registry.register(DeclarativeAgent(Declaration.model_validate(declared)))
    first = {"agent_id": "clerk", "query": "How many?", "context": {"region": "EMEA"}, "max_tokens": 77}
    answer = await ask(world, "aos.agent.query", first)
    assert answer["payload"]["response"] == "Forty."
    asked = scene.script.seen[0].request
    assert asked.messages[-1].text == 'How many?\n\nContext:\n{\n "region": "EMEA"\n}'
    assert asked.max_tokens == 77
    await ask(world, "aos.agent.query", {"agent_id": "clerk", "query": "And now?"})
    await ask(world, "aos.agent.query", {"agent_id": "clerk", "query": "Anything?"}, source="Other", reply_to="q")
    assert [len(seen.request.messages) for seen in scene.script.seen] == [2, 4, 2]  # each app has a conversation


@pytest.mark.parametrize(("query", "said"), [("why", "Nobody knows"), ("when", "in time")])
async def test_an_agent_that_fails_or_stays_silent_is_an_error_answer(
    world: MemorySystem, query: str, said: str
) -> None:
    answer = await ask(world, "aos.agent.query", {"agent_id": "oracle", "query": query}, ttl_seconds=60)
    assert answer["payload"]["error_code"] == "AGENT_QUERY_ERROR"
    assert said in answer["payload"]["error_message"]


async def test_agents_are_listed_and_asked_for(world: MemorySystem) -> None:
    listed = await ask(world, "aos.agent.list")
    assert "oracle" in {agent["id"] for agent in listed["payload"]["agents"]}
    status = await ask(world, "aos.agent.status", {"agent_id": "oracle"})
    assert status["payload"]["status"] == "created"
    missing = await ask(world, "aos.agent.status", {"agent_id": "nobody"})
    assert missing["payload"]["error_code"] == "AGENT_STATUS_ERROR"


async def test_documents_are_kept_under_keys(world: MemorySystem) -> None:
    place = {"container": "agents", "key": "ceo/profile"}
    assert (await ask(world, "aos.storage.set", {**place, "value": {"focus": "growth"}}))["payload"]["success"]
    found = await ask(world, "aos.storage.get", place)
    assert found["payload"]["data"] == {"focus": "growth"}
    listed = await ask(world, "aos.storage.list", {"container": "agents", "prefix": "ceo"})
    assert listed["payload"]["keys"] == ["ceo/profile"]
    assert (await ask(world, "aos.storage.delete", place))["payload"]["success"]
    gone = await ask(world, "aos.storage.get", place)
    assert (gone["payload"]["success"], gone["payload"]["error"]) == (False, "not found")
    odd = await ask(world, "aos.storage.get", {"container": "agents", "key": "../secrets"})
    assert odd["payload"]["error_code"] == "STORAGE_GET_ERROR"


async def test_workflows_are_executed_asked_for_and_refused(world: MemorySystem) -> None:
    started = await ask(world, "aos.workflow.execute", {"workflow_name": "work", "inputs": {"target": "here"}})
    done = await ask(world, "aos.workflow.status", {"workflow_id": started["payload"]["workflow_id"]})
    assert (done["payload"]["status"], done["payload"]["outputs"]["total"]) == ("completed", 2)
    unknown = await ask(world, "aos.workflow.execute", {"workflow_name": "play", "workflow_id": "w1"})
    assert unknown["header"]["message_type"] == "aos.workflow.result"
    assert (unknown["payload"]["workflow_id"], unknown["payload"]["status"]) == ("w1", "failed")
    missing = await ask(world, "aos.workflow.status", {"workflow_id": "none"})
    assert missing["payload"]["error_code"] == "WORKFLOW_STATUS_ERROR"


async def test_workflows_that_were_put_there_are_run_asked_for_and_stopped(world: MemorySystem) -> None:
    steps = [{"id": "ask", "agent": "oracle", "message": "agent.query", "with": {"query": "${{ inputs.about }}"}}]
    waits = [{"id": "paid", "wait": {"event": {"topic": "paid"}}}]
    for name, parts in (("ask", steps), ("wait", waits)):
        workflow = Workflow.from_json({"name": name, "steps": parts})
        await world.system.definitions.put(workflow)
    wanted = {"workflow_name": "ask", "inputs": {"about": "rain"}, "options": {"metadata": {"ticket": 7}}}
    started = await ask(world, "aos.workflow.execute", wanted, message_id="once", priority="high")
    again = await ask(world, "aos.workflow.execute", wanted, message_id="once", priority="high")
    run = started["payload"]["workflow_id"]
    assert (started["header"]["message_type"], started["payload"]["status"]) == ("aos.workflow.status", "pending")
    assert again["payload"]["workflow_id"] == run
    done = (await ask(world, "aos.workflow.status", {"workflow_id": run}))["payload"]
    assert (done["status"], done["outputs"]["ask"]["response"], done["error"]) == ("completed", "RAIN", None)
    shown = await world.system.workflows.status(run)
    assert (shown["owner"], shown["priority"], shown["metadata"]) == ("BusinessInfinity", 7, {"ticket": 7})
    run = (await ask(world, "aos.workflow.execute", {"workflow_name": "wait"}))["payload"]["workflow_id"]
    assert (await ask(world, "aos.workflow.status", {"workflow_id": run}))["payload"]["status"] == "running"
    assert (await ask(world, "aos.workflow.cancel", {"workflow_id": run}))["payload"]["status"] == "cancelling"
    stopped = (await ask(world, "aos.workflow.status", {"workflow_id": run}))["payload"]
    assert (stopped["status"], stopped["error"]) == ("cancelled", "cancelled by BusinessInfinity")
    refused = await ask(world, "aos.workflow.execute", {"workflow_name": "ask", "options": {"speed": 9}})
    assert (refused["header"]["message_type"], refused["payload"]["status"]) == ("aos.workflow.result", "failed")
    assert "speed" in refused["payload"]["error"]


async def test_a_type_nobody_handles_is_answered_with_those_there_are(world: MemorySystem) -> None:
    answer = await ask(world, "aos.magic")
    assert answer["payload"]["error_code"] == "UNKNOWN_MESSAGE_TYPE"
    assert "aos.system.ping" in answer["payload"]["error_message"]


async def test_what_is_no_request_is_a_dead_letter(world: MemorySystem) -> None:
    for body in (b"hello", b"{}", b'{"header":{"message_id":"x"}}'):
        await world.system.requests.handle(body)
    letters, _ = await world.system.kernel.dead_letters.page()
    assert {letter.error["code"] for letter in letters} == {"malformed_message"}
    assert len(letters) == 3


async def test_a_request_that_waited_too_long_is_not_answered(world: MemorySystem) -> None:
    old = (world.clock.now() - timedelta(seconds=400)).isoformat()
    await world.system.requests.handle(request(world, "aos.system.ping", timestamp=old))
    assert world.outbox.sent == []


async def test_a_repeated_request_is_answered_under_the_same_id(world: MemorySystem) -> None:
    body = request(world, "aos.system.ping", message_id="same")
    await world.system.requests.handle(body)
    await world.system.requests.handle(body)
    assert len(world.sent_to("businessinfinity-responses")) == 1


async def test_trouble_with_storage_brings_the_request_back(
    world: MemorySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise StoreUnavailable("Down.")

    monkeypatch.setattr(world.system.documents, "load", fail)
    with pytest.raises(StoreUnavailable):
        await world.system.requests.handle(request(world, "aos.storage.get", {"key": "x"}))


def test_an_app_of_any_name_has_an_address() -> None:
    assert app_address("BusinessInfinity") == "app:BusinessInfinity"
    assert app_address("my app/2") == "app:my-app-2"
    assert app_address("///") == "app:unknown"


async def test_an_app_gives_agents_commands(world: MemorySystem) -> None:
    payload = {"command": "stop", "agent_id": "counter"}
    answer = await ask(world, "aos.agent.command", payload)
    assert answer["header"]["message_type"] == "aos.agent.command.result"
    assert answer["payload"] == {"command": "stop", "agent_id": "counter", "status": "paused"}
    [order] = await world.system.lifecycle.history("counter")
    assert order["by"] == "BusinessInfinity"
    refused = await ask(world, "aos.agent.command", {"command": "stop", "agent_id": "nobody"})
    assert refused["payload"]["error_code"] == "AGENT_COMMAND_ERROR"
    wrong = await ask(world, "aos.agent.command", {"command": "dance", "agent_id": "counter"})
    assert wrong["payload"]["error_code"] == "AGENT_COMMAND_ERROR"
