"""Agents without code that pursue a purpose."""

from __future__ import annotations

from typing import Any

from aos.agents.declaration import Declaration
from aos.agents.declared_purpose import agent_of
from aos.agents.purpose_driven_agent import PurposeDrivenAgent
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
