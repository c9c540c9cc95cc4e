"""Workflows made for a request are workflows like any other: they pass the check."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aos.kernel.errors import InvalidInput
from aos.llm.request import ModelRequest
from aos.llm.response import ModelResponse
from aos.workflows.definition.check import check
from aos.workflows.definition.graph import as_graph
from aos.workflows.definition.known import KnownNames
from aos.workflows.planning.composing import compose, from_goal, from_intent
from aos.workflows.planning.execution import Coordination, ExecutionMode, Overrides, plan
from aos.workflows.planning.model_planner import plan_with_model
from aos.workflows.planning.selection import Wanted
from tests.llm.scripted import Stage, said, stage
from tests.workflows.planning.test_planning import ALL

KNOWN = KnownNames(agents={"cfo", "crm", "analyst"})


def needs_of(workflow: Any) -> dict[str, set[str]]:
    graph = as_graph(workflow)
    ids = [step.id for step in graph.workflow.steps]
    return {ids[place]: {ids[other] for other in needs} for place, needs in enumerate(graph.needs)}


@pytest.mark.parametrize(
    ("order", "needs"),
    [
        (Coordination.SEQUENTIAL, {"cfo": set(), "crm": {"cfo"}}),
        (Coordination.PARALLEL, {"cfo": set(), "crm": set()}),
        (Coordination.COLLABORATIVE, {"cfo": set(), "crm": set(), "combine": {"cfo", "crm"}}),
    ],
)
def test_a_plan_becomes_a_workflow_in_its_order(order: Coordination, needs: dict[str, set[str]]) -> None:
    stated = Overrides(ExecutionMode.MULTI_AGENT, order, ("cfo", "crm"))
    workflow = compose(plan(Wanted("Pay"), ALL, overrides=stated), name="planned")
    assert check(workflow, KNOWN) == []
    assert needs_of(workflow) == needs
    assert workflow.steps[0].with_["prompt"] == "${{ inputs.task }}"


def test_instances_of_one_type_get_steps_of_their_own() -> None:
    stated = Overrides(coordination=Coordination.PARALLEL, agents=("cfo:a", "cfo:b", "cfo-a"))
    candidates = [*ALL, type(ALL[0])("cfo-a")]
    workflow = compose(plan(Wanted("x"), candidates, overrides=stated), name="planned")
    assert [step.id for step in workflow.steps] == ["cfo-a", "cfo-b", "cfo-a-2"]


def test_a_goal_goes_through_four_phases_by_the_agents_in_turn() -> None:
    workflow = from_goal("Enter the market", ["crm", "cfo"], key="k1", constraints={"budget": 5})
    assert workflow.name == "dynamic_k1"
    assert [(step.id, step.agent) for step in workflow.steps] == [
        ("research", "crm"),
        ("analysis", "cfo"),
        ("execution", "crm"),
        ("validation", "cfo"),
    ]
    hours = [step.timeout.total_seconds() / 3600 for step in workflow.steps if step.timeout]
    assert hours == [2, 4, 8, 2]
    assert check(workflow, KNOWN) == []


def test_an_intent_is_planned_carried_out_by_each_and_reviewed() -> None:
    workflow = from_intent("Grow", ["cfo", "crm"], key="k2", timeline="Q3", success_metrics=["revenue"])
    assert needs_of(workflow) == {
        "plan": set(),
        "execute_1": {"plan"},
        "execute_2": {"plan"},
        "review": {"execute_1", "execute_2"},
    }
    assert workflow.steps[-1].with_["success_metrics"] == ["revenue"]
    assert workflow.name == "intent_k2"


def test_nobody_cannot_reach_a_goal() -> None:
    with pytest.raises(InvalidInput, match="at least one agent"):
        from_goal("x", [], key="k")
    with pytest.raises(InvalidInput):
        from_intent("x", [], key="k")


def thinker(scene: Stage) -> Any:
    async def think(request: ModelRequest) -> ModelResponse:
        response = await scene.router.complete(request)
        return response.model_copy(update={"parsed": json.loads(response.text)})

    return think


def step(id: str, agent: str, *needs: str) -> dict[str, Any]:
    return {"id": id, "agent": agent, "prompt": f"Do ${{{{ {id} }}}}", "needs": list(needs)}


async def test_a_model_plans_and_is_shown_what_is_wrong_until_it_is_right() -> None:
    bad = json.dumps({"steps": [step("a", "nobody"), step("b", "cfo", "c"), step("c", "crm", "b")]})
    good = json.dumps({"steps": [step("a", "cfo"), step("b", "crm", "a")]})
    scene = stage(a=[said(bad), said(good)])
    found = await plan_with_model("Get paid", ALL, KNOWN, thinker(scene), name="planned")
    assert found.tries == 2
    assert needs_of(found.workflow) == {"a": set(), "b": {"a"}}
    shown = scene.script.seen[1].request.messages[-1].text
    assert "'nobody'" in shown
    assert "b -> c -> b" in shown
    assert found.workflow.steps[0].with_["prompt"] == "Do $ {{ a }}"


async def test_a_model_that_plans_nothing_that_can_run_is_refused_with_the_reasons() -> None:
    bad = json.dumps({"steps": [step("a", "nobody")]})
    scene = stage(a=[said(bad)] * 3)
    with pytest.raises(InvalidInput, match="'nobody'") as caught:
        await plan_with_model("Get paid", ALL, KNOWN, thinker(scene), name="planned")
    assert caught.value.code == "plan_invalid"
