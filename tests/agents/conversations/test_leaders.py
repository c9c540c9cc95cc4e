"""A leader that is asked in a conversation remembers it."""

from __future__ import annotations

from aos.agents import LeadershipAgent, NoState
from tests.agents.test_alignment import judgement
from tests.harness import MemorySystem
from tests.llm.scripted import said, stage


async def test_a_leader_knows_what_was_said_before_in_the_same_conversation() -> None:
    yes = judgement(0.9, "Yes.")
    scene = stage(a=[yes, said("Hire two."), yes, said("In May."), yes, said("Which two?"), yes, said("Who asks?")])
    cto: LeadershipAgent[NoState] = LeadershipAgent("cto", role="CTO")
    world = MemorySystem(cto)
    world.registry.surroundings.find_router = lambda: scene.router
    for question, id in (("How many?", "c1"), ("When?", "c1"), ("When?", "c2"), ("When?", None)):
        data = {"question": question}
        await world.system.directory.send("cto", "leadership_query", data, conversation_id=id)
        await world.settle()
    asked = [[m.text for m in seen.request.messages[1:]] for seen in scene.script.seen[1::2]]
    assert asked == [["How many?"], ["How many?", "Hire two.", "When?"], ["When?"], ["When?"]]
