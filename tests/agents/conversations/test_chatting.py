"""Those who are asked in a conversation remember it: a leader, and the concierge of the documentation."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from aos.agents import LeadershipAgent, NoState
from aos.llm.router import ModelRouter
from tests.agents.test_alignment import judgement
from tests.harness import MemorySystem
from tests.llm.scripted import said, stage
from tests.test_docs import snippets

PAGE = Path(__file__).resolve().parents[3] / "docs" / "conversations.md"


def _same(router: ModelRouter | None) -> ModelRouter | None:
    return router


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


async def test_the_documented_concierge_remembers_with_a_model_and_without() -> None:
    names: dict[str, Any] = {"__name__": "docs"}
    for code in snippets(PAGE, "python"):
        exec(compile(code, "conversations.md", "exec", dont_inherit=True), names)
    scene = stage(a=[said("At eight."), said("You asked about breakfast.")])
    for models in (scene, None):
        world = MemorySystem(names["Concierge"]())
        router = models.router if models else None
        world.registry.surroundings.find_router = partial(_same, router)
        for question in ("When is breakfast?", "What did I ask?"):
            await world.system.directory.send("concierge", "guest.asked", question, reply_to="queue:guests")
            await world.settle()
        answers = [body["data"] for body in world.sent_to("guests")]
        assert answers == (
            ["At eight.", "You asked about breakfast."] if models else ["I noted 1 remarks.", "I noted 3 remarks."]
        )
    asked = [message.text for message in scene.script.seen[-1].request.messages[1:]]
    assert asked == ["When is breakfast?", "At eight.", "What did I ask?"]
