"""Members that are roles or declared agents: a model speaks for them, and answers as the team needs it."""

from __future__ import annotations

from typing import Any

from aos.agents.declaration import Declaration
from aos.agents.declarative_agent import DeclarativeAgent
from aos.agents.work import WORK, Work
from aos.workflows.messages import TEAM_START
from tests.agents.test_declarative_agent import WRITER
from tests.harness import MemorySystem
from tests.llm.scripted import Stage, said, stage
from tests.workflows.teams.test_teams import result_of


def world_of(scene: Stage) -> MemorySystem:
    world = MemorySystem(DeclarativeAgent(Declaration.model_validate(WRITER)))
    world.registry.surroundings.find_router = lambda: scene.router
    return world


async def let_work(world: MemorySystem, definition: dict[str, Any]) -> dict[str, Any]:
    await world.system.directory.send("team:t", TEAM_START, {"definition": definition, "task": "A line on spring"})
    await world.settle()
    result: dict[str, Any] = await result_of(world)
    return result


async def test_a_role_and_a_declared_agent_talk_until_they_agree() -> None:
    scene = stage(a=[said("Spring is here."), said("Fine. %APPR%")])
    members = [{"name": "poet", "role": "a poet", "goal": "Move people"}, {"name": "writer", "agent": "writer"}]
    result = await let_work(world_of(scene), {"kind": "conversation", "members": members})
    assert (result["approved"], result["output"]) == (True, "Fine.")
    first, second = [[part.text for part in seen.request.messages] for seen in scene.script.seen]
    assert "You are poet, a poet of a team." in first[0]
    assert "Your goal: Move people" in first[0]
    assert "Write briefly." in second[0]
    assert "poet: Spring is here." in second[1]


async def test_a_vote_of_a_role_is_one_of_the_options() -> None:
    ballot = '{"content": "Too dear.", "vote": "reject", "confidence": 0.75}'
    scene = stage(a=[said(ballot)])
    members = [{"name": "cfo", "role": "the CFO"}]
    result = await let_work(world_of(scene), {"kind": "boardroom", "members": members})
    assert result["output"]["outcome"] == "reject"
    assert result["output"]["confidence_score"] == 0.75
    asked = scene.script.seen[0].request.response_format
    assert asked is not None
    assert asked.json_schema["properties"]["vote"]["enum"] == ["approve", "reject"]


async def test_a_judge_that_is_a_role_scores_what_it_was_asked_to() -> None:
    scene = stage(a=[said("Spring!"), said('{"content": "Nice.", "scores": {"beauty": 0.9}}')])
    rubric = {"criteria": [{"name": "beauty", "description": "Is it beautiful?"}]}
    members = [{"name": "poet", "role": "a poet"}, {"name": "critic", "role": "a critic"}]
    team = {"kind": "judge", "producer": "poet", "judge": "critic", "rubric": rubric, "members": members}
    result = await let_work(world_of(scene), team)
    assert result["scores"] == {"score": 0.9, "tries": 1, "beauty": 0.9}


async def test_a_declared_agent_does_a_step_of_a_workflow() -> None:
    scene = stage(a=[said("Done.")])
    world = world_of(scene)
    work = Work(task_id="t1", run_id="r1", step="draft", title="Draft the letter", results={"facts": ["one"]})
    await world.system.directory.send("writer", WORK, work.model_dump(mode="json"), reply_to="queue:app")
    await world.settle()
    assert [message["data"]["answer"] for message in world.sent_to("app")] == ["Done."]
    prompt = scene.script.seen[0].request.messages[-1].text
    assert "Draft the letter" in prompt
    assert '"facts"' in prompt


async def test_what_is_no_step_is_refused_with_the_field() -> None:
    world = world_of(stage(a=[said("x")]))
    await world.system.directory.send("writer", WORK, {"step": "x"}, reply_to="queue:app")
    await world.settle()
    answer = world.sent_to("app")[0]
    assert (answer["type"], answer["data"]["code"]) == ("aos.error", "validation_error")
    assert "task_id" in answer["data"]["message"]
