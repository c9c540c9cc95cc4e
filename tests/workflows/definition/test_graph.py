"""Graphs: what each step needs in each mode, and cycles."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.check import check
from aos.workflows.definition.graph import as_graph, cycle_in
from aos.workflows.definition.modes import rank_of
from aos.workflows.definition.workflow import Workflow

NAMES = "abcdef"


def flow(mode: str = "graph", *agents: str, **needs: list[str]) -> Workflow:
    names = agents or tuple(needs)
    steps: list[dict[str, Any]] = [{"id": NAMES[n] if agents else name, "agent": name} for n, name in enumerate(names)]
    for step in steps:
        step.update({"needs": needs[step["id"]]} if step["id"] in needs else {})
    return Workflow.from_json({"name": "flow", "mode": mode, "steps": steps})


def needed(workflow: Workflow) -> dict[str, list[str]]:
    graph = as_graph(workflow)
    return {
        step.id: [graph.steps[place].id for place in needs]
        for step, needs in zip(graph.steps, graph.needs, strict=True)
    }


def test_a_graph_goes_by_what_steps_need() -> None:
    workflow = flow(a=[], b=["a"], c=["a"], d=["b", "c"])
    graph = as_graph(workflow)
    assert graph.needs == ((), (0,), (0,), (1, 2))
    assert graph.needed_by == ((1, 2), (3,), (3,), ())
    assert graph.outputs == {"d": "${{ steps.d.output }}"}
    assert graph.followers(1) == [1, 3]
    assert graph.requirements(3) == [0, 1, 2, 3]


def test_in_sequence_each_needs_the_one_before() -> None:
    assert needed(flow("sequential", "x", "y", "z")) == {"a": [], "b": ["a"], "c": ["b"]}


def test_in_parallel_none_needs_another() -> None:
    workflow = flow("parallel", "x", "y")
    assert needed(workflow) == {"a": [], "b": []}
    assert list(as_graph(workflow).outputs) == ["a", "b"]


def test_in_a_hierarchy_each_rank_needs_the_one_above() -> None:
    workflow = flow("hierarchical", "crm", "sales-specialist", "leadership", "hr-specialist:emea", "ops")
    assert needed(workflow) == {"a": ["b", "d"], "b": ["c"], "c": [], "d": ["c"], "e": ["b", "d"]}


def test_in_collaboration_the_last_combines_what_the_others_came_to() -> None:
    assert needed(flow("collaborative", "x", "y", "z")) == {"a": [], "b": [], "c": ["a", "b"]}


@pytest.mark.parametrize(
    ("agent", "rank"),
    [
        ("leadership", 1),
        ("strategy-desk", 2),
        ("senior_buyer", 3),
        ("tax-specialist:42", 4),
        ("general", 5),
        ("senior-strategy", 2),
        ("generally", 10),
        (None, 10),
    ],
)
def test_ranks(agent: str | None, rank: int) -> None:
    assert rank_of(agent) == rank


USES: list[dict[str, Any]] = [
    {"agent": "x", "with": {"deep": [{"er": "about ${{ steps.a.output.name }}"}]}},
    {"agent": "${{ steps.a.output }}"},
    {"model": "Say ${{ steps.a.output }}"},
    {"agent": "x", "when": "steps.a.status == 'completed'"},
    {"wait": {"until": "steps.a.output.at"}},
    {"wait": {"event": {"topic": "t", "where": "event.id == steps.a.output.id"}}},
    {"wait": {"approval": {"prompt": "Is ${{ steps.a.output }} right?"}}},
    {"map": {"over": "steps.a.output", "step": {"tool": "t"}}},
    {"map": {"over": [1], "step": {"tool": "t", "with": {"x": "${{ [item, steps.a.output] }}"}}}},
    {"map": {"over": {"artifact": "${{ steps.a.output.id }}"}, "step": {"tool": "t"}}},
    {"loop": {"step": {"tool": "t"}, "until": "steps.a.output == last"}},
    {"loop": {"steps": [{"id": "in", "tool": "t", "when": "steps.a.output"}]}},
]


@pytest.mark.parametrize("step", USES)
def test_a_step_needs_those_whose_results_it_uses(step: dict[str, Any]) -> None:
    workflow = Workflow.from_json({"name": "flow", "steps": [{"id": "b", **step}, {"id": "a", "agent": "x"}]})
    assert check(workflow) == []
    assert needed(workflow) == {"b": ["a"], "a": []}


def test_a_compensation_needs_nothing() -> None:
    steps = [{"id": "a", "agent": "x", "compensate": {"tool": "t", "with": {"id": "${{ steps.a.output }}"}}}]
    assert needed(Workflow.from_json({"name": "flow", "steps": steps})) == {"a": []}


def test_steps_that_need_each_other_make_no_graph() -> None:
    with pytest.raises(InvalidInput, match="a -> c -> b -> a") as refused:
        as_graph(flow(a=["c"], b=["a"], c=["b"]))
    assert refused.value.code == "cycle"
    with pytest.raises(InvalidInput, match="which does not exist"):
        as_graph(flow(a=["x"]))


@st.composite
def orders(draw: st.DrawFn) -> list[list[int]]:
    """What each of some things needs, without circles, in any order of the things."""
    size = draw(st.integers(1, 12))
    shuffled = draw(st.permutations(range(size)))
    needs: list[list[int]] = [[] for _ in range(size)]
    for place in range(1, size):
        wanted = draw(st.lists(st.integers(0, place - 1), max_size=3, unique=True))
        needs[shuffled[place]] = [shuffled[other] for other in wanted]
    return needs


def workflow_of(needs: list[list[int]]) -> Workflow:
    steps = [{"id": f"s{n}", "agent": "x", "needs": [f"s{o}" for o in wanted]} for n, wanted in enumerate(needs)]
    return Workflow.from_json({"name": "flow", "steps": steps})


@given(orders())
def test_whatever_can_be_put_in_order_is_accepted(needs: list[list[int]]) -> None:
    workflow = workflow_of(needs)
    assert check(workflow) == []
    graph = as_graph(workflow)
    done: set[int] = set()
    ready = [place for place, wanted in enumerate(graph.needs) if not wanted]
    while ready:
        place = ready.pop()
        assert done.issuperset(graph.needs[place])
        done.add(place)
        ready += [other for other in graph.needed_by[place] if done.issuperset(graph.needs[other])]
    assert done == set(range(len(needs)))


@given(orders(), st.data())
def test_a_way_back_is_found_and_shown(needs: list[list[int]], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(needs) - 1))
    before = as_graph(workflow_of(needs)).requirements(start)
    needs[data.draw(st.sampled_from(before))].append(start)
    circle = cycle_in([sorted(wanted) for wanted in needs])
    assert circle[0] == circle[-1]
    assert len(set(circle)) == len(circle) - 1
    assert all(other in needs[one] for one, other in pairwise(circle))
    [problem] = check(workflow_of(needs))
    assert problem.code == "cycle"
    assert " -> ".join(f"s{place}" for place in circle) in problem.message


def test_a_thousand_steps_are_quickly_a_graph() -> None:
    """A chain this long would overflow the stack of anything that recurses along it."""
    needs = [[n - 1] if n else [] for n in range(2_000)]
    assert as_graph(workflow_of(needs)).requirements(1_999) == list(range(2_000))
    needs[0] = [1_999]
    assert len(cycle_in(needs)) == 2_001
