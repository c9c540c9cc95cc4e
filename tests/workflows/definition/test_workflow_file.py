"""Workflows in files: what is taken, and that every error names its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from aos.kernel.errors import AlreadyExists, InvalidInput
from aos.workflows.definition.known import KnownNames
from aos.workflows.definition.workflow import Workflow
from aos.workflows.definition.workflow_file import (
    parse_workflow,
    read_workflow_file,
    read_workflow_files,
    workflow_from_json,
)

REFUND = """\
title: Refund
inputs:
  amount: number
steps:
  - id: check
    agent: cashier
    with: {amount: "${{ inputs.amount }}", sure: yes, at: 12:30, code: 010, day: 2030-01-31, share: 1e-3}
    retry: {attempts: 3, on: [timeout]}
  - id: pay
    tool: payments.refund
    when: steps.check.output.ok
"""


def refused(text: str, *, is_json: bool = False, known: KnownNames | None = None) -> str:
    with pytest.raises(InvalidInput) as found:
        parse_workflow(text, source="refund.workflow.yaml", name="refund", is_json=is_json, known=known)
    return found.value.message


def test_a_file_is_a_workflow_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "refund.workflow.yaml"
    path.write_text(REFUND, encoding="utf-8")
    workflow = read_workflow_file(path).workflow
    assert (workflow.name, workflow.title) == ("refund", "Refund")
    assert workflow.steps[0].retry.on == ("timeout",)
    assert workflow.steps[0].with_ == {
        "amount": "${{ inputs.amount }}",
        "sure": "yes",
        "at": "12:30",
        "code": "010",
        "day": "2030-01-31",
        "share": 0.001,
    }


def test_yaml_and_json_of_the_same_content_are_the_same_version(tmp_path: Path) -> None:
    path = tmp_path / "refund.workflow.json"
    first = parse_workflow(REFUND, name="refund").workflow
    path.write_bytes(first.canonical())
    assert read_workflow_file(path).workflow.digest == first.digest


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("agent: cashier", "agnet: cashier", 6, "Did you mean 'agent'?"),
        ("agent: cashier", "agent: [1]", 6, "valid string"),
        ("tool: payments.refund", "tool: x\n    tool: y", 11, "`tool` is there twice"),
        ("tool: payments.refund", "tool: x\n    needs: [chekc]", 11, "Did you mean 'check'?"),
        ("steps.check.output.ok", "steps.chek.output.ok", 11, "Did you mean 'check'?"),
        ("inputs.amount }", "inputs.amuont }", 7, "Did you mean 'amount'?"),
        ("attempts: 3", "attempts: 0", 8, "greater than or equal to 1"),
        ("title: Refund", "title: *x", 1, "aliases"),
        ("title: Refund", "title: [", 3, "this YAML cannot be read"),
        ("title: Refund", "timeout: soon", 1, "is not a duration"),
    ],
)
def test_an_error_names_the_line_and_the_remedy(old: str, new: str, line: int, said: str) -> None:
    message = refused(REFUND.replace(old, new, 1))
    assert f"refund.workflow.yaml, line {line}: " in message
    assert said in message


def test_what_it_refers_to_is_looked_for() -> None:
    known = KnownNames(agents={"cashier"}, tools={"payments.refunds"})
    assert "line 10: step 'pay', tool: there is no tool 'payments.refund'" in refused(REFUND, known=known)


@pytest.mark.parametrize("text", ["", "[]", "just text", "3"])
def test_what_is_no_workflow_is_refused(text: str) -> None:
    assert "must be an object with `steps`" in refused(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"steps": [{"id": "a", "id": "b"}]}', "`id` is there twice"),
        ('{"steps": [\n}', "line 2: this JSON cannot be read"),
        ('{"steps": []}', "at least one is needed"),
        ('{"steps": [{"id": "a",\n\t"agent": "x",\n\t"needs": ["b"]}]}', "line 3: step 'a', needs"),
    ],
)
def test_errors_in_json(text: str, said: str) -> None:
    assert said in refused(text, is_json=True)


def test_too_much_is_refused() -> None:
    assert "longer than" in refused("x" * 1_000_001)
    assert "nested too deep" in refused("steps: " + "[" * 5_000 + "]" * 5_000)
    assert "nested too deep" in refused("[" * 100_000, is_json=True)


def test_the_shape_of_the_seeds_needs_no_name() -> None:
    steps = [
        {"id": "one", "agent_id": "ceo", "task": {"goal": "plan"}},
        {"id": "two", "agent_id": "cfo", "task": {}, "depends_on": ["one"]},
    ]
    workflow = workflow_from_json({"steps": steps, "metadata": {"name": "Yearly Plan"}})
    assert workflow.name == "yearly-plan"
    assert workflow.steps[1].needs == ("one",)
    assert workflow_from_json({"steps": steps}).name == "workflow"
    with pytest.raises(InvalidInput, match="exactly one of `agent`"):
        workflow_from_json({"steps": [{"id": "one"}]})


def test_workflows_are_found_beside_the_agents(tmp_path: Path) -> None:
    package = tmp_path / "shop_agents"
    (package / "till").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "till" / "refund.workflow.yml").write_text(REFUND, encoding="utf-8")
    (package / "close.workflow.json").write_text('{"steps": [{"id": "a", "agent": "x"}]}', encoding="utf-8")
    found = read_workflow_files([str(package)])
    assert sorted(found) == ["close", "refund"]
    assert isinstance(found["refund"].workflow, Workflow)
    with pytest.raises(InvalidInput, match=r"refund\.workflow\.yml, line 6: step 'check', agent"):
        found["refund"].refuse_problems(KnownNames(agents={"till"}))

    (package / "refund.workflow.yaml").write_text(REFUND, encoding="utf-8")
    with pytest.raises(AlreadyExists, match="Rename one"):
        read_workflow_files([str(package)])
