"""Advice: what the runs of a workflow must have been like for each technique to be recommended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from aos.agents import Agent, Turn, on
from aos.kernel.errors import TerminalError
from aos.workflows.definition.graph import Graph, as_graph
from aos.workflows.definition.workflow import Workflow
from aos.workflows.optimizing.advice import Advice, advise
from aos.workflows.optimizing.figures import percentile
from aos.workflows.optimizing.finished_run import FinishedRun, FinishedStep
from aos.workflows.optimizing.recommendation import Recommendation
from aos.workflows.status import RunStatus, StepStatus
from tests.api.test_events import connect
from tests.harness import MemorySystem

START = datetime(2026, 1, 1, tzinfo=UTC)
Times = tuple[float, float]


def graph_of(*steps: dict[str, Any], **workflow: Any) -> Graph:
    listed = [{"tool": "t", **step} for step in steps]
    return as_graph(Workflow.from_json({"name": "w", "steps": listed, **workflow}))


def run(number: int, inputs: str | None = None, /, failed: str = "", cost: float = 0.0, **steps: Any) -> FinishedRun:
    """A run with the times of its steps from its start, or with more of each as `FinishedStep` has it."""
    done = {}
    for id, given in steps.items():
        fields = given if isinstance(given, dict) else {"at": given}
        begun, ended = fields.pop("at") if "at" in fields else (0, 1)
        status = StepStatus.FAILED if id == failed else StepStatus.COMPLETED
        done[id] = FinishedStep(
            status=status,
            started_at=START + timedelta(seconds=begun),
            finished_at=START + timedelta(seconds=ended),
            **{"output": f"{id}{number}", **fields},
        )
    end = max(step.finished_at for step in done.values() if step.finished_at)
    outcome = RunStatus.FAILED if failed else RunStatus.COMPLETED
    inputs = f"i{number}" if inputs is None else inputs
    return FinishedRun(
        run_id=str(number), status=outcome, started_at=START, finished_at=end, cost=cost, inputs=inputs, steps=done
    )


def only(advice: Advice, technique: str) -> Recommendation:
    [found] = [each for each in advice.recommendations if each.technique == technique]
    return found


CHAIN = graph_of(
    {"id": "a"}, {"id": "b", "needs": ["a"]}, {"id": "c", "with": {"x": "${{ steps.b.output }}"}, "needs": ["b"]}
)


def test_ten_runs_are_needed_and_the_latest_hundred_count() -> None:
    runs = [run(n, a=(0, 4), b=(4, 10), c=(10, 12)) for n in range(9)]
    assert advise(CHAIN, runs) == Advice(workflow="w", version=CHAIN.workflow.version, runs=9, enough=False)
    old = [run(n, a=(0, 400), b=(400, 1_000), c=(1_000, 1_200)) for n in range(50)]
    found = advise(CHAIN, [run(n, a=(0, 4), b=(4, 10), c=(10, 12)) for n in range(100)] + old)
    assert (found.runs, found.mean_seconds, found.failures) == (100, 12, 0)
    assert found.steps["b"].mean_seconds == 6
    assert found.steps["b"].wait_seconds == 0


def test_a_need_of_which_nothing_is_used_costs_time() -> None:
    found = only(advise(CHAIN, [run(n, a=(0, 4), b=(4, 10), c=(10, 12)) for n in range(10)]), "parallelization")
    assert found.steps == ["b", "a"]
    assert found.saves_seconds == 4
    assert found.numbers == {"longest_path_seconds": 12, "without_the_need": 8}


@pytest.mark.parametrize(
    "graph",
    [
        graph_of({"id": "a"}, {"id": "b", "with": {"x": "${{ steps.a.output }}"}}),
        graph_of({"id": "a", "tool": None, "wait": {"for": "5s"}}, {"id": "b", "needs": ["a"]}),
        graph_of({"id": "a"}, {"id": "b", "tool": None, "agent": "x", "needs": ["a"]}),
    ],
    ids=["used", "a gate", "given to the agent"],
)
def test_needs_that_have_their_reason_stay(graph: Graph) -> None:
    assert advise(graph, [run(n, a=(0, 5), b=(5, 9)) for n in range(10)]).recommendations == []


def test_what_comes_to_the_same_for_the_same_can_be_kept() -> None:
    graph = graph_of({"id": "a"}, {"id": "b"})
    runs = [
        run(n, f"input {n % 4}", a={"at": (0, 8), "output": f"same {n % 4}", "cost": 0.5}, b=(0, 1)) for n in range(12)
    ]
    found = only(advise(graph, runs), "caching")
    assert found.steps == ["a"], "b came to something else each time"
    assert found.numbers == {"runs": 12, "repeated": 8, "different_inputs": 4}
    assert found.saves_seconds == pytest.approx(5.333)
    assert found.saves_cost == pytest.approx(0.333333)


def test_what_fails_often_and_late_should_come_first() -> None:
    runs = [
        run(n, a={"at": (0, 4), "cost": 0.2}, b=(4, 5), **({"failed": "b"} if n % 5 == 0 else {"c": (5, 6)}))
        for n in range(20)
    ]
    found = only(advise(CHAIN, runs), "step_reordering")
    assert found.steps == ["b", "a"]
    assert found.numbers == {"failed_runs": 4, "seconds_lost": 4, "cost_lost": 0.2}
    assert found.saves_seconds == pytest.approx(0.8)
    assert found.saves_cost == pytest.approx(0.04)


def test_the_faster_agent_is_named_where_the_difference_is_no_chance() -> None:
    graph = graph_of({"id": "a"})
    runs = [
        run(n, a={"at": (0, 10 + n % 3 if n < 12 else 4 + n % 2), "agent": "x" if n < 12 else "y"}) for n in range(20)
    ]
    found = only(advise(graph, runs), "agent_selection")
    assert found.numbers["agents"]["x"] == {"runs": 12, "mean_seconds": 11}
    assert found.numbers["p"] < 0.001
    assert found.saves_seconds == pytest.approx(0.6 * 6.5)
    even = [run(n, a={"at": (0, 10 + n % 3), "agent": "xy"[n % 2]}) for n in range(20)]
    assert advise(graph, even).recommendations == []


def test_limits_that_are_too_tight_or_too_wide() -> None:
    graph = graph_of(
        {"id": "close", "timeout": 10}, {"id": "far", "timeout": 1_000}, {"id": "right", "timeout": 30}, budget=1.0
    )
    runs = [run(n, close=(0, 9), far=(0, 2), right=(0, 9), cost=0.9) for n in range(10)]
    found = [each for each in advise(graph, runs).recommendations if each.technique == "resource_right_sizing"]
    assert [each.steps for each in found] == [["close"], ["far"], []]
    assert "Raise it to 18 s" in found[0].what
    assert "6 s would do" in found[1].what
    assert found[2].numbers == {"budget": 1.0, "late_cost": 0.9}


def test_steps_that_wait_for_a_place_in_their_run() -> None:
    graph = graph_of(*({"id": f"s{n}"} for n in range(4)), concurrency=2)
    runs = [run(n, s0=(0, 5), s1=(0, 5), s2=(5, 10), s3=(5, 10)) for n in range(10)]
    found = only(advise(graph, runs), "resource_right_sizing")
    assert found.numbers == {"concurrency": 2, "runs_at_the_limit": 10, "wait_seconds_of_all_steps": 10}


def test_percentiles_are_of_the_nearest_rank() -> None:
    assert [percentile(range(1, 101), share) for share in (0.95, 0.5, 1.0)] == [95, 50, 100]
    assert percentile([7.0], 0.95) == 7
    assert percentile([], 0.95) == 0


class Nothing(BaseModel):
    pass


class Doer(Agent[Nothing]):
    type = "doer"
    purpose = "Do what a step wants"

    @on("do")
    async def do(self, turn: Turn, state: Nothing, data: dict[str, Any]) -> Any:
        if data.get("fail"):
            raise TerminalError("No.")
        return {"did": data["what"]}


async def test_runs_of_a_system_are_read_and_compared() -> None:
    world = MemorySystem(Doer())
    for name, second in (("one", "${{ inputs.fail }}"), ("two", False)):
        steps = [
            {"id": "a", "agent": "doer", "message": "do", "with": {"what": "a"}},
            {"id": "b", "agent": "doer", "message": "do", "needs": ["a"], "with": {"what": "b", "fail": second}},
        ]
        inputs = {"fail": {"type": "boolean", "default": False}}
        workflow = Workflow.from_json({"name": name, "inputs": inputs, "steps": steps})
        await world.system.definitions.store.put(workflow)
        for number in range(12):
            await world.system.workflows.start(name, {"fail": number % 2 == 0}, run_id=None)
            world.clock.advance(1)
    await world.settle(until=timedelta(minutes=1))
    async with connect(world) as api:
        advice = (await api.get("/workflow-advice/one")).json()
        test = {"name": "t", "variant_a": "one", "variant_b": "two", "metric": "success"}
        started = (world.clock.now() - timedelta(hours=1)).isoformat()
        result = (await api.post("/workflow-comparisons", json={**test, "started_at": started})).json()
        later = (
            await api.post("/workflow-comparisons", json={**test, "started_at": world.clock.now().isoformat()})
        ).json()
        assert (await api.get("/workflow-advice/none")).status_code == 404
    assert (advice["runs"], advice["enough"], advice["failures"]) == (12, True, 0.5)
    assert advice["steps"]["b"]["failures"] == 0.5
    assert {each["technique"] for each in advice["recommendations"]} == {"caching", "step_reordering"}
    assert (result["winner"], result["significant"]) == ("b", True)
    assert (result["a"]["mean"], result["b"]["mean"]) == (0.5, 1.0)
    assert later["winner"] is None
