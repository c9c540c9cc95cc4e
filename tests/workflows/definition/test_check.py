"""What is found wrong with a workflow before it runs, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.check import check, refuse_problems
from aos.workflows.definition.known import KnownNames
from aos.workflows.definition.workflow import Workflow

A: dict[str, Any] = {"id": "a", "agent": "cashier"}


def flow(*steps: dict[str, Any], name: str = "flow", **fields: Any) -> Workflow:
    return Workflow.from_json({"name": name, "steps": list(steps), **fields})


OTHER = flow(A, name="other", inputs={"amount": "number", "note": {"default": ""}})
LOOPING = flow({"id": "x", "workflow": "flow"}, name="looping")
WORKFLOWS = {"other": OTHER, "looping": LOOPING}
KNOWN = KnownNames(
    agents={"cashier", "cfo:emea"},
    tools={"payments.refund"},
    teams={"crew"},
    workflows=WORKFLOWS,
    find=lambda name, version: found if (found := WORKFLOWS.get(name)) and version in (None, found.version) else None,
)

STEPS: list[tuple[dict[str, Any], str, str]] = [
    ({"agent": "cashir"}, "unknown_agent", "Did you mean 'cashier'?"),
    ({"agent": "cfo:apac"}, "unknown_agent", "Did you mean 'cfo:emea'?"),
    ({"agent": "The CFO"}, "bad_address", "Write `type` or `type:key`"),
    ({"tool": "payment.refund"}, "unknown_tool", "Did you mean 'payments.refund'?"),
    ({"tool": "${{ inputs.tool }}"}, "template_forbidden", "named as it is"),
    ({"team": "crow"}, "unknown_team", "Did you mean 'crew'?"),
    ({"workflow": "othr", "with": {}}, "unknown_workflow", "Did you mean 'other'?"),
    ({"workflow": "other@000000000000", "with": {"amount": 1}}, "unknown_workflow", "has no version"),
    ({"workflow": "other", "with": {}}, "missing_input", "needs amount"),
    ({"workflow": "other", "with": {"amount": 1, "nte": 1}}, "unknown_input", "Did you mean 'note'?"),
    ({"workflow": "flow"}, "workflow_recursion", "flow -> flow"),
    ({"workflow": "looping"}, "workflow_recursion", "flow -> looping -> flow"),
    ({"agent": "cashier", "needs": ["aa"]}, "unknown_step", "Did you mean 'a'?"),
    ({"agent": "cashier", "with": {"x": "${{ inputs.amuont }}"}}, "unknown_input", "Did you mean 'amount'?"),
    ({"agent": "cashier", "with": {"x": "${{ steps.aa.output }}"}}, "unknown_step", "Did you mean 'a'?"),
    ({"agent": "cashier", "with": {"x": "${{ steps.a.total }}"}}, "unknown_name", "steps.a.output.total"),
    ({"agent": "cashier", "with": {"x": "${{ steps[inputs.amount] }}"}}, "unknown_step", "must name the step"),
    ({"agent": "cashier", "with": {"x": "${{ step.a.output }}"}}, "unknown_name", "Did you mean 'steps'?"),
    ({"agent": "cashier", "with": {"x": "${{ run.name }}"}}, "unknown_name", "There are id, attempt"),
    ({"agent": "cashier", "with": {"x": "${{ 1 + }}"}}, "expression_syntax", "is not an expression"),
    ({"agent": "cashier", "with": {"x": "${{ inputs.amount"}}, "expression_syntax", "has no end"),
    ({"agent": "cashier", "when": "open('x')"}, "expression_forbidden", "no function 'open'"),
    ({"agent": "cashier", "when": "item > 1"}, "unknown_name", "in a `map`"),
    ({"agent": "cashier", "when": "last > 1"}, "unknown_name", "in a `loop`"),
    ({"agent": "cashier", "when": "event.x"}, "unknown_name", "wait.event.where"),
    ({"agent": "cashier", "when": "pay-out"}, "unknown_name", 'steps["pay-out"]'),
    ({"map": {"over": "inputs.amount", "as": "it", "step": {"model": "${{ item }}"}}}, "unknown_name", "item"),
    ({"map": {"over": "inputs.amount", "step": {"tool": "payments.refnd"}}}, "unknown_tool", "payments.refund"),
    ({"loop": {"steps": [{**A, "id": "i", "needs": ["a"]}]}}, "misplaced", "Remove `needs`"),
    ({"loop": {"steps": [{**A, "id": "i", "compensate": {"agent": "cashier"}}]}}, "misplaced", "`compensate` at step"),
    ({"loop": {"steps": [A]}}, "duplicate_step", "another step has this id"),
    ({"wait": {"approval": {"prompt": "Sure?", "audiance": ["x"]}}}, "bad_field", "Did you mean 'audience'?"),
    ({"wait": {"approval": {"prompt": "${{ inputs.amount }}?", "expires_in": "soon"}}}, "bad_field", "not a duration"),
    ({"wait": {"question": {}}}, "bad_field", "Field required"),
    ({"team": {"kind": "crow"}}, "bad_field", "This is no team"),
    ({"agent": "cashier", "compensate": {"tool": "payments"}}, "unknown_tool", "payments.refund"),
    (
        {"agent": "cashier", "compensate": {"agent": "cashier", "with": {"x": "${{ steps.a.output }}"}}},
        "unknown_step",
        "does not need 'a'",
    ),
]


@pytest.mark.parametrize(("step", "code", "said"), STEPS)
def test_what_is_wrong_with_a_step(step: dict[str, Any], code: str, said: str) -> None:
    workflow = flow(A, {"id": "pay-out", **step}, inputs={"amount": "number", "tool": {"default": ""}})
    [problem] = [found for found in check(workflow, KNOWN) if found.code != "unknown_name" or code == "unknown_name"][
        :1
    ]
    assert problem.code == code
    assert said in problem.message
    assert problem.where.startswith("step 'pay-out'")
    assert problem.place[:2] == ("steps", 1)


def test_a_right_workflow_has_no_problems() -> None:
    workflow = flow(
        A,
        {"id": "b", "agent": "cfo:emea", "with": {"x": "${{ steps.a.output.total + inputs.amount }}"}},
        {
            "id": "c",
            "workflow": f"other@{OTHER.version}",
            "with": {"amount": 1},
            "compensate": {"tool": "payments.refund", "with": {"x": "${{ steps.c.output }} ${{ steps.a.output }}"}},
            "needs": ["b"],
        },
        {
            "id": "d",
            "map": {
                "over": "steps.b.output.lines",
                "as": "line",
                "step": {
                    "loop": {
                        "steps": [
                            {"id": "e", "model": "${{ line }} ${{ index }} ${{ last }}"},
                            {"id": "f", "team": "crew", "with": {"task": "${{ steps.e.output }}"}},
                        ],
                        "until": "last.ok and steps.f.status == 'completed'",
                    }
                },
            },
        },
        {"id": "g", "wait": {"event": {"topic": "paid", "where": "event.id == inputs.amount"}}},
        {"id": "ask", "wait": {"question": {"prompt": "Which?", "choices": ["${{ inputs.amount }}", "none"]}}},
        {"id": "yes", "wait": {"approval": {"prompt": "Sure?", "audience": "${{ steps.b.output.people }}"}}},
        {"id": "h", "agent": "${{ steps.b.output.who }}", "message": "x.y"},
        inputs={"amount": "number"},
        outputs={"total": "${{ steps.d.output }}", "fixed": 3},
    )
    assert check(workflow, KNOWN) == []


def test_all_problems_are_found_in_the_order_of_the_steps() -> None:
    workflow = flow(
        {"id": "x", "agent": "nobody", "needs": ["z"]},
        {"id": "y", "tool": "nothing"},
        {"id": "y", "agent": "cashier"},
        inputs={"n": {"type": "integer", "default": 1.5}},
        outputs={"o": "${{ steps.q.output }}"},
    )
    codes = [problem.code for problem in check(workflow, KNOWN)]
    assert codes == ["default_type", "unknown_step", "unknown_agent", "unknown_tool", "duplicate_step", "unknown_step"]
    with pytest.raises(InvalidInput, match=r"step 'x', needs: it needs 'z'.* and 1 more\.$") as refused:
        refuse_problems(workflow, KNOWN)
    assert refused.value.code == "workflow_invalid"
    assert [problem["code"] for problem in refused.value.details["problems"]] == codes


def test_a_cycle_through_expressions_says_where_it_comes_from() -> None:
    workflow = flow(
        {"id": "a", "agent": "x", "needs": ["c"]},
        {"id": "b", "agent": "x", "with": {"t": "${{ steps.a.output }}"}},
        {"id": "c", "agent": "x", "needs": ["b"]},
    )
    [problem] = check(workflow)
    assert (problem.code, problem.where) == ("cycle", "step 'a'")
    assert "a -> c -> b -> a" in problem.message
    assert "as 'b' does" in problem.message


def test_a_step_that_uses_its_own_result_is_a_cycle() -> None:
    [problem] = check(flow({"id": "a", "agent": "x", "when": "steps.a.output"}))
    assert "a -> a" in problem.message


@pytest.mark.parametrize(
    ("mode", "steps", "code"),
    [
        ("sequential", [A, {"id": "b", "agent": "x", "needs": ["a"]}], "needs_in_mode"),
        ("parallel", [A, {"id": "b", "agent": "x", "when": "steps.a.output"}], "needs_in_mode"),
        ("sequential", [{"id": "b", "agent": "x", "when": "steps.a.output"}, A], "cycle"),
        ("collaborative", [A], "too_few_steps"),
    ],
)
def test_a_mode_sets_the_order(mode: str, steps: list[dict[str, Any]], code: str) -> None:
    assert [problem.code for problem in check(flow(*steps, mode=mode))] == [code]


def test_names_that_are_not_known_are_not_looked_at() -> None:
    assert check(flow({"id": "a", "agent": "x"}, {"id": "b", "tool": "t"}, {"id": "c", "workflow": "w"})) == []


def test_repetitions_can_only_be_so_deep() -> None:
    step: dict[str, Any] = {"tool": "t"}
    for _ in range(5):
        step = {"loop": {"step": step}}
    assert [problem.code for problem in check(flow({"id": "a", **step}))] == ["too_deep"]


def test_a_long_circle_is_shown_by_its_ends() -> None:
    steps = [{"id": f"s{n}", "agent": "a", "needs": [f"s{(n - 1) % 500}"]} for n in range(500)]
    [problem] = check(Workflow.from_json({"name": "long", "steps": steps}))
    assert problem.message.startswith("steps need each other: s0 -> s499 -> s498")
    assert "... -> s3 -> s2 -> s1 -> s0" in problem.message
    assert len(problem.message) < 300
