"""Goals become workflows that are kept and run: by a template, or by a model whose plan was checked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aos.workflows.planning.planner_agent import PLAN
from tests.harness import MemorySystem
from tests.llm.scripted import Stage, said, stage
from tests.workflows.planning.test_composing import step
from tests.workflows.test_task_execution import Clumsy, Framer, Painter


def world_of(scene: Stage | None = None) -> MemorySystem:
    world = MemorySystem(Painter(), Framer(), Clumsy())
    world.registry.surroundings.find_router = lambda: scene.router if scene else None
    return world


async def ask(world: MemorySystem, **fields: Any) -> dict[str, Any]:
    data = {"goal": "Paint the hall", **fields}
    await world.system.directory.send("planner", PLAN, data, reply_to="queue:app")
    await world.settle()
    return world.sent_to("app")[-1]


async def test_without_a_model_a_goal_goes_through_phases_and_the_plan_can_be_run() -> None:
    world = world_of()
    planned = (await ask(world, agents=["painter", "framer"]))["data"]
    assert (planned["by"], planned["notes"]) == ("phases", [])
    run = await world.system.workflows.start(planned["name"])
    await world.settle()
    result = await world.system.workflows.result(run)
    assert result["status"] == "completed"
    entries = await world.system.directory.journal("painter")
    goals = [entry.received[0]["message"]["data"]["parameters"]["goal"] for entry in entries]
    assert goals == ["Paint the hall", "Paint the hall"]


async def test_an_intent_is_planned_and_reviewed_by_the_first() -> None:
    planned = (await ask(world_of(), agents=["painter", "framer"], by="intent", success_metrics=["dry"]))["data"]
    assert [step["id"] for step in planned["workflow"]["steps"]] == ["plan", "execute_1", "execute_2", "review"]


async def test_where_nobody_is_named_those_work_on_it_that_fit() -> None:
    planned = (await ask(world_of(), goal="Some painting and framing"))["data"]
    assert {step["agent"] for step in planned["workflow"]["steps"]} == {"painter", "framer"}


async def test_a_model_plans_and_its_plan_is_kept() -> None:
    plan = json.dumps({"steps": [step("base", "painter"), step("frame", "framer", "base")]})
    world = world_of(stage(a=[said(plan)]))
    planned = (await ask(world))["data"]
    assert (planned["by"], planned["tries"]) == ("model", 1)
    assert (await world.system.definitions.find(planned["name"])).digest == planned["digest"]
    decided = [d for entry in await world.system.directory.journal("planner") for d in entry.decisions]
    assert decided[0]["selected"] == planned["name"]


async def test_a_model_that_cannot_plan_leaves_it_to_a_template_unless_it_was_insisted_on() -> None:
    nonsense = json.dumps({"steps": [step("base", "nobody")]})
    planned = (await ask(world_of(stage(a=[said(nonsense)] * 3))))["data"]
    assert planned["by"] == "phases"
    assert "plan_invalid" in planned["notes"][0]
    refused = await ask(world_of(stage(a=[said(nonsense)] * 3)), by="model")
    assert (refused["type"], refused["data"]["code"]) == ("aos.error", "plan_invalid")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"by": "model"}, "no_model_configured"),
        ({"agents": ["nobody"]}, "validation_error"),
        ({"goal": ""}, "validation_error"),
    ],
)
async def test_what_cannot_be_planned_is_refused(fields: dict[str, Any], code: str) -> None:
    refused = await ask(world_of(), **fields)
    assert (refused["type"], refused["data"]["code"]) == ("aos.error", code)


async def test_where_all_agents_are_stopped_nobody_can_work_on_it() -> None:
    world = world_of()
    for agent in ("painter", "framer", "clumsy"):
        await world.system.lifecycle.order(agent, "pause")
    assert (await ask(world))["data"]["code"] == "no_agent_fits"
