"""Pictures of workflows and runs: Mermaid flowcharts and timelines."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aos.workflows.definition.mermaid import escaped, flowchart, run_flowchart, spoken
from aos.workflows.definition.timeline import trace_events
from aos.workflows.definition.workflow import Workflow

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


REFUND = Workflow.from_json(
    {
        "name": "refund",
        "steps": [
            {"id": "check", "agent": "cashier"},
            {"id": "ok", "wait": {"approval": {"prompt": "Sure?"}}, "when": "steps.check.output.total > 100"},
            {
                "id": "pay",
                "title": 'Pay "back"; end',
                "tool": "payments.refund",
                "needs": ["ok"],
                "compensate": {"tool": "payments.take"},
            },
            {"id": "tell", "map": {"over": "steps.check.output.x", "step": {"agent": "mail"}}, "optional": True},
        ],
    }
)
RECORDS: list[dict[str, Any]] = [
    {"step": "check", "status": "failed", "started_at": at(0), "finished_at": at(1), "agent": "cashier", "cost": 0.01},
    {"step": "check", "status": "completed", "started_at": at(2), "finished_at": at(202), "agent": "cashier"}
    | {"attempt": 2, "cost": 0.02},
    {"step": "ok", "status": "waiting", "started_at": at(202), "more": "is passed over"},
    {"step": "tell", "status": "running", "started_at": at(200.5), "agent": "cashier"},
]


def test_a_picture_of_a_workflow() -> None:
    assert flowchart(REFUND).splitlines() == [
        "flowchart TD",
        "    accTitle: refund",
        '    s0["check<br/>agent cashier"]',
        '    s1("ok<br/>wait approval<br/>if steps.check.output.total #62; 100")',
        '    s2[["Pay #34;back#34;#59; end<br/>tool payments.refund"]]',
        '    u2("undo: payments.take")',
        '    s3[/"tell<br/>map of agent mail<br/>optional"/]',
        "    s0 --> s1",
        "    s1 --> s2",
        "    s0 --> s3",
        "    s2 -.-> u2",
    ]


def test_a_picture_of_a_run() -> None:
    lines = run_flowchart(REFUND, RECORDS, now=START + timedelta(seconds=203)).splitlines()
    assert '    s0["check<br/>agent cashier<br/>completed, 3 min 20 s, 2 attempts, 0.0300 USD"]' in lines
    assert any(line.endswith('waiting, 1.0 s")') for line in lines)
    assert lines[-4:] == [
        "    class s2 pending",
        "    class s3 running",
        "    class s1 waiting",
        "    class s0 completed",
    ]
    defined = {line.split()[1] for line in lines if line.startswith("    classDef")}
    assert defined == {"pending", "running", "waiting", "completed"}


@given(st.text(max_size=120))
def test_no_text_gets_out_of_its_label(text: str) -> None:
    shown = escaped(text)
    without_codes = re.sub(r"#\d+;", "", shown)
    assert not set('"#;<>&`{}|\\%\n\r~$^') & set(without_codes)
    workflow = Workflow.from_json({"name": "f", "steps": [{"id": "a", "agent": "x", "title": text}]})
    assert len(flowchart(workflow).splitlines()) == 3


def test_lengths_of_time_are_spoken() -> None:
    spans = {0.04: "0.0 s", 59.9: "59.9 s", 60: "1 min 0 s", 3_599.6: "1 h 0 min", 7_500: "2 h 5 min"}
    assert {seconds: spoken(seconds) for seconds in spans} == spans


def test_a_timeline_has_a_line_for_each_agent_and_what_it_does_meanwhile() -> None:
    trace = trace_events(RECORDS, name="refund", now=START + timedelta(seconds=203))
    names = {event["tid"]: event["args"]["name"] for event in trace["traceEvents"] if event["name"] == "thread_name"}
    drawn = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert [(event["name"], names[event["tid"]], event["dur"]) for event in drawn] == [
        ("check", "cashier", 1_000_000),
        ("check", "cashier", 200_000_000),
        ("tell", "cashier (2)", 2_500_000),
        ("ok", "run", 1_000_000),
    ]
    assert drawn[0]["ts"] == int(START.timestamp() * 1_000_000)
    assert drawn[1]["args"] == {"status": "completed", "attempt": 2, "cost_usd": 0.02}
    json.dumps(trace)


def test_steps_at_work_are_left_out_of_a_timeline_without_an_end() -> None:
    drawn = [event["name"] for event in trace_events(RECORDS)["traceEvents"] if event["ph"] == "X"]
    assert drawn == ["check", "check"]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20), st.sampled_from(["a", "b"])), max_size=30))
def test_on_one_line_nothing_overlaps(spans: list[tuple[int, int, str]]) -> None:
    records = [
        {"step": f"s{n}", "status": "completed", "started_at": at(start), "finished_at": at(start + took), "agent": who}
        for n, (start, took, who) in enumerate(spans)
    ]
    drawn = [event for event in trace_events(records)["traceEvents"] if event["ph"] == "X"]
    assert len(drawn) == len(records)
    until: dict[int, int] = {}
    for event in drawn:
        assert event["ts"] >= until.get(event["tid"], 0)
        until[event["tid"]] = event["ts"] + event["dur"]
