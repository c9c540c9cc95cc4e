"""The shape of workflows: what a step can be, the names of the seeds, versions, durations, retries, inputs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.kernel.errors import InvalidInput, Throttled, TurnTimedOut
from aos.workflows.definition.duration import parse_duration
from aos.workflows.definition.expressions import ExpressionError
from aos.workflows.definition.inputs import checked_inputs
from aos.workflows.definition.retry import Retry
from aos.workflows.definition.step import KINDS, Step
from aos.workflows.definition.wait import Wait
from aos.workflows.definition.workflow import Workflow


def workflow(*steps: dict[str, Any], **fields: Any) -> Workflow:
    return Workflow.from_json({"name": "flow", "steps": list(steps), **fields})


ONE_OF_EACH: dict[str, Any] = {
    "agent": "cashier",
    "tool": "payments.refund",
    "model": "Say hello",
    "workflow": "other@0123456789ab",
    "team": {"kind": "crew"},
    "wait": {"for": "5m"},
    "map": {"over": "inputs.orders", "as": "order", "step": {"tool": "payments.refund"}},
    "loop": {"steps": [{"id": "draft", "model": "Write"}], "until": "last == 'done'", "while": "index < 3"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_one_of_eight_kinds_and_reads_back_as_it_was_written(kind: str) -> None:
    flow = workflow({"id": "a", kind: ONE_OF_EACH[kind]})
    assert flow.steps[0].kind == kind
    again = Workflow.from_json(json.loads(flow.canonical()))
    assert again == flow
    assert again.digest == flow.digest


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"id": "a"}, "it has none"),
        ({"id": "a", "agent": "x", "tool": "y"}, "it has `agent` and `tool`"),
        ({"id": "a", "agent": "x", "system": "Be kind"}, "go with `model` only"),
        ({"id": "a b", "agent": "x"}, "should match pattern"),
        ({"id": "a", "agent": "x", "agent_id": "y"}, "one field"),
        ({"id": "a", "agent": "x", "priority": 11}, "less than or equal to 10"),
        ({"id": "a", "agent": "x", "timeout": "0s"}, "longer than zero"),
        ({"id": "a", "agent": "x", "timeout": "soon"}, "write '30s'"),
        ({"id": "a", "wait": {}}, "exactly one of `for`, `until`"),
        ({"id": "a", "wait": {"for": "1s", "until": "2030-01-01"}}, "exactly one of `for`, `until`"),
        ({"id": "a", "loop": {}}, "exactly one of `step` and `steps`"),
        ({"id": "a", "agent": "x", "compensate": {}}, "exactly one of `agent` and `tool`"),
        ({"id": "a", "map": {"over": "x", "step": {"tool": "t"}, "tolerate": 2}}, "less than or equal to 1"),
    ],
)
def test_a_step_that_cannot_be_is_refused(step: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match="The workflow is not right") as refused:
        workflow(step)
    assert said in refused.value.message
    assert refused.value.details["errors"]


def test_the_names_of_the_seeds_are_taken() -> None:
    step = {
        "id": "b",
        "agent_id": "cfo",
        "task": {"do": "it"},
        "depends_on": ["a"],
        "retry_config": {"max_attempts": 4, "backoff_multiplier": 3, "retry_on": ["timeout"]},
    }
    found = workflow({"id": "a", "agent_id": "ceo", "task": "decide"}, step).steps
    assert found[1] == Step(
        id="b",
        agent="cfo",
        with_={"do": "it"},
        needs=("a",),
        retry=Retry(attempts=4, backoff=3, on=("timeout",)),
    )
    assert found[0].with_ == {"task": "decide"}


def test_the_version_is_that_of_the_content() -> None:
    first = workflow({"id": "a", "agent": "x", "timeout": "1m"})
    same = workflow({"timeout": 60, "agent": "x", "id": "a", "needs": []}, mode="graph")
    assert first.digest == same.digest
    assert first.version == first.digest[:12]
    assert workflow({"id": "a", "agent": "x", "timeout": "61s"}).version != first.version
    assert workflow({"id": "a", "agent": "x", "timeout": "1m"}, revision=2).version != first.version


def test_a_stored_workflow_keeps_its_version() -> None:
    """Digests name what is stored: a change that moves this one orphans every stored workflow."""
    flow = workflow({"id": "a", "agent": "x"}, {"id": "b", "tool": "t", "needs": ["a"], "with": {"n": 1.5, "t": "ä"}})
    assert (
        flow.canonical()
        == (
            '{"name":"flow","steps":[{"agent":"x","id":"a"},'
            '{"id":"b","needs":["a"],"tool":"t","with":{"n":1.5,"t":"ä"}}]}'
        ).encode()
    )
    assert flow.version == "190f74cae110"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("1h30m", 5_400),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("250ms", 0.25),
        ("1.5h", 5_400),
        ("PT5M", 300),
        ("P1DT2H3M4.5S", 93_784.5),
        ("P2W", 1_209_600),
        (90, 90),
        ("90", 90),
        (0.5, 0.5),
    ],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "P", "PT", "5M", True, None, "1e400", "nan", "inf", "11y"])
def test_what_is_no_duration(text: Any) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_a_duration_over_ten_years_is_refused() -> None:
    with pytest.raises(ValueError, match="ten years"):
        parse_duration("4000d")


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3_000)))
def test_durations_survive_their_writing_as_json(length: timedelta) -> None:
    written = Wait.model_validate({"for": length}).model_dump(mode="json", by_alias=True)["for"]
    assert parse_duration(written) == length


def test_when_a_step_is_tried_again() -> None:
    retry = Retry(attempts=6, delay=timedelta(seconds=2), backoff=3, most=timedelta(seconds=30))
    assert [retry.wait_before(attempt).total_seconds() for attempt in range(2, 7)] == [2, 6, 18, 30, 30]
    assert retry.covers(Throttled("later").to_json())
    assert retry.covers(TurnTimedOut("too long").to_json())
    assert not retry.covers(InvalidInput("no").to_json())
    assert Retry(on=("validation_error",)).covers(InvalidInput("no").to_json())
    assert not Retry(on=("timeout",)).covers(Throttled("later").to_json())
    assert Retry(on=("terminal",)).covers(InvalidInput("no").to_json())


def test_until_is_a_time_or_an_expression_that_gives_one() -> None:
    context = {"inputs": {"at": "2030-01-31T12:00:00+02:00", "n": 3}}
    assert Wait(until="2030-01-31").moment(context) == datetime(2030, 1, 31, tzinfo=UTC)
    assert Wait(until="${{ inputs.at }}").moment(context) == datetime(2030, 1, 31, 10, tzinfo=UTC)
    with pytest.raises(ExpressionError, match="is not a time"):
        Wait(until="inputs.n").moment(context)


INPUTS = {
    "amount": "number",
    "currency": {"type": "string", "default": "EUR"},
    "note": {"type": "string", "required": False},
}


def test_inputs_are_held_against_what_is_declared() -> None:
    flow = workflow({"id": "a", "agent": "x"}, inputs=INPUTS)
    assert checked_inputs(flow, {"amount": 3, "note": None}) == {"amount": 3, "currency": "EUR", "note": None}
    with pytest.raises(InvalidInput) as refused:
        checked_inputs(flow, {"currency": 3, "amuont": "secret", "note": "x"})
    assert refused.value.details["errors"] == [
        {"field": "amuont", "problem": "there is no such input. Did you mean 'amount'?"},
        {"field": "amount", "problem": "it is missing"},
        {"field": "currency", "problem": "it is a number; it must be of type string"},
    ]
    assert "secret" not in refused.value.message
    with pytest.raises(InvalidInput, match="true or false"):
        checked_inputs(flow, {"amount": True})


def test_a_workflow_without_declared_inputs_takes_any() -> None:
    assert checked_inputs(workflow({"id": "a", "agent": "x"}), {"anything": 1}) == {"anything": 1}
