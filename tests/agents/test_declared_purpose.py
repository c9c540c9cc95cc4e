"""Agents without code that pursue a purpose."""

from __future__ import annotations

from typing import Any

import pytest

from aos.agents.declaration import Declaration
from aos.agents.declared_purpose import DeclaredLeader, agent_of
from aos.agents.purpose_driven_agent import PurposeDrivenAgent
from aos.kernel.errors import SettingInvalid
from tests.agents.test_leadership_agent import OPTIONS, Desk, Sceptic
from tests.agents.test_leadership_agent import ask as lead
from tests.harness import MemorySystem
from tests.llm.scripted import said, stage

CFO: dict[str, Any] = {
    "id": "cfo",
    "name": "CFO",
    "description": "Minds the money.",
    "purpose": "Keep the company solvent",
    "purpose_scope": "Budgets, invoices and cash",
    "success_criteria": ["No invoice is overdue"],
    "domain": "finance",
    "instructions": "Be careful.",
}


def declared(**fields: Any) -> MemorySystem:
    scene = stage(a=[said("Pay it.")])
    world = MemorySystem(agent_of(Declaration.model_validate({**CFO, **fields})))
    world.registry.surroundings.find_router = lambda: scene.router
    return world


async def test_it_answers_and_what_it_did_is_scored_by_its_purpose() -> None:
    world = declared()
    asked = {"prompt": "Which overdue invoice does the company pay first?"}
    sent = await world.system.directory.send("cfo", "agent.query", asked, reply_to="journal:")
    await world.settle()
    outcome = await world.system.directory.outcome("cfo", sent)
    assert outcome is not None
    assert outcome["answer"]["answer"] == "Pay it."
    [entry] = await world.system.directory.journal("cfo")
    [scored] = [fact for fact in entry.facts if fact["kind"] == "purpose.scored"]
    assert scored["aligned"]
    agent = world.registry.behaviour("cfo")
    assert isinstance(agent, PurposeDrivenAgent)
    status = await agent.get_purpose_status()
    assert (status["purpose_scope"], status["success_criteria"]) == (CFO["purpose_scope"], CFO["success_criteria"])
    assert status["metrics"]["purpose_aligned_actions"] == 1
    assert (agent.adapter_name, agent.system_message) == ("finance", "Be careful.")


async def test_it_has_goals_and_keeps_them_beside_its_conversations() -> None:
    world = declared()
    directory = world.system.directory
    await directory.send("cfo", "goal.add", {"description": "Halve the overdue invoices"})
    await directory.send("cfo", "agent.query", {"prompt": "How?"})
    await directory.send("cfo", "goal.progress", {"goal_id": "goal_1", "progress": 0.5, "notes": "two are in"})
    await world.settle()
    agent = world.registry.behaviour("cfo")
    assert isinstance(agent, PurposeDrivenAgent)
    [goal] = (await agent.get_purpose_status())["goals"]
    assert (goal["description"], goal["progress"]) == ("Halve the overdue invoices", 0.5)
    assert (await world.state("cfo"))["calls"] == 1
    found, _ = await (await directory.conversations("cfo")).list()
    assert [each["conversation"] for each in found] == ["main"]
    assert {"agent.query", "goal.add", "work.do"} <= set((await directory.status("cfo"))["messages"])


async def test_it_takes_its_triggers_and_events_too() -> None:
    world = declared(triggers=[{"topic": "invoices", "prompt": "Note it."}])
    await world.system.messages.publish("invoices", "invoice.sent", {"amount": 5})
    await world.settle()
    assert (await world.state("cfo"))["calls"] == 1


async def test_a_perpetual_one_is_not_measured() -> None:
    world = declared(kind="perpetual")
    await world.system.directory.send("cfo", "goal.add", {"description": "Anything"})
    await world.settle()
    [letter], _ = await world.system.kernel.dead_letters.page()
    assert letter.error["code"] == "unknown_message_type"


LEADER = {**CFO, "kind": "leadership"}


async def test_a_declared_leader_decides_and_answers_questions() -> None:
    scene = stage(a=[said("Sound.")] * 20)
    world = MemorySystem(agent_of(Declaration.model_validate(LEADER)), Sceptic(), Desk())
    world.registry.surroundings.find_router = lambda: scene.router
    options = {"question": "What now?", "options": OPTIONS}
    reply_type, made = await lead(world, "cfo", "decision_request", options)
    assert reply_type == "decision_response"
    assert made["decision"] == "enter market"
    assert (await lead(world, "cfo", "decision_request", {**options, "stakeholders": ["sceptic"]}))[1]["opinions"]
    await world.system.directory.send("cfo", "agent.query", {"prompt": "How are we?"}, reply_to="queue:app")
    await world.settle()
    assert world.sent_to("app")[0]["data"]["answer"] == "Sound."
    leader = world.registry.behaviour("cfo")
    assert leader is not None
    assert "finance" in leader.capabilities


def test_the_role_of_a_declared_leader_is_its_id_or_what_it_says() -> None:
    def role(**fields: Any) -> str:
        leader = agent_of(Declaration.model_validate({**LEADER, **fields}))
        assert isinstance(leader, DeclaredLeader)
        return leader.role

    assert role() == "CFO"
    assert role(id="boss") == "CEO"
    assert role(id="boss", metadata={"role": "coo"}) == "COO"
    with pytest.raises(SettingInvalid, match="no leadership role 'KING'"):
        role(metadata={"role": "king"})
