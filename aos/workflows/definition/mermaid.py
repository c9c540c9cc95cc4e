"""Mermaid flowcharts (https://mermaid.js.org/syntax/flowchart.html) of a workflow, and of a run of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from aos.workflows.definition.graph import Graph, as_graph
from aos.workflows.definition.step import Step
from aos.workflows.definition.step_record import StepRecord, step_records
from aos.workflows.definition.templates import expression_of
from aos.workflows.definition.workflow import Workflow
from aos.workflows.status import StepStatus

_SHAPES: Mapping[str, tuple[str, str]] = {
    "agent": ("[", "]"),
    "tool": ("[[", "]]"),
    "model": ("{{", "}}"),
    "workflow": ("[[", "]]"),
    "team": ("([", "])"),
    "wait": ("(", ")"),
    "map": ("[/", "/]"),
    "loop": ("[\\", "\\]"),
}
_COLOURS: Mapping[StepStatus, str] = {
    StepStatus.PENDING: "fill:#f6f8fa,stroke:#8c959f,color:#24292f",
    StepStatus.RUNNING: "fill:#ddf4ff,stroke:#0969da,color:#24292f",
    StepStatus.WAITING: "fill:#fff8c5,stroke:#9a6700,color:#24292f",
    StepStatus.COMPLETED: "fill:#dafbe1,stroke:#1a7f37,color:#24292f",
    StepStatus.FAILED: "fill:#ffebe9,stroke:#cf222e,color:#24292f",
    StepStatus.SKIPPED: "fill:#f6f8fa,stroke:#8c959f,color:#57606a,stroke-dasharray:4 3",
    StepStatus.CANCELLED: "fill:#eaeef2,stroke:#57606a,color:#57606a",
    StepStatus.COMPENSATED: "fill:#fbefff,stroke:#8250df,color:#24292f",
}
_LONGEST = 80
_PLAIN = re.compile(r"[^\w .,:/@+()\[\]='*!?-]")


def flowchart(workflow: Workflow) -> str:
    """A picture of a workflow. Raises `InvalidInput` where it is not a graph."""
    graph = as_graph(workflow)
    return "\n".join([*_head(workflow), *_nodes(graph, {}), *_edges(graph)]) + "\n"


def run_flowchart(
    workflow: Workflow, records: Iterable[StepRecord | Mapping[str, Any]], *, now: datetime | None = None
) -> str:
    """A picture of a run: each step's status as its colour, how long it took, and what it cost.

    Args:
        workflow: What was run.
        records: What the run keeps of its steps: `step`, `status`, `started_at`, `finished_at`, `agent`, `attempt`
            and `cost`; of several attempts at a step the last counts, with the cost of all.
        now: For how long steps at work have taken so far.

    Raises:
        InvalidInput: the workflow is not a graph.
    """
    graph = as_graph(workflow)
    last: dict[str, StepRecord] = {}
    costs: dict[str, float] = {}
    for record in step_records(records):
        costs[record.step] = costs.get(record.step, 0.0) + record.cost
        if record.step not in last or record.attempt >= last[record.step].attempt:
            last[record.step] = record
    notes = {id: _how_it_went(record, costs[id], now) for id, record in last.items()}
    status = {step.id: last[step.id].status if step.id in last else StepStatus.PENDING for step in graph.steps}
    used = [found for found in StepStatus if found in status.values()]
    lines = [*_head(workflow), *_nodes(graph, notes), *_edges(graph)]
    lines += [f"    classDef {found.value} {_COLOURS[found]}" for found in used]
    for found in used:
        places = ",".join(f"s{place}" for place, step in enumerate(graph.steps) if status[step.id] is found)
        lines.append(f"    class {places} {found.value}")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """A text as it may stand between the quotes of a label: what Mermaid or HTML would take for its own is encoded."""
    short = " ".join(text.split())
    short = short if len(short) <= _LONGEST else f"{short[: _LONGEST - 1]}…"
    return _PLAIN.sub(lambda found: f"#{ord(found[0])};", short)


def spoken(seconds: float) -> str:
    """`0.4 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _head(workflow: Workflow) -> list[str]:
    return ["flowchart TD", f"    accTitle: {escaped(workflow.title or workflow.name)}"]


def _nodes(graph: Graph, notes: Mapping[str, list[str]]) -> list[str]:
    lines = []
    for place, step in enumerate(graph.steps):
        left, right = _SHAPES[step.kind]
        label = "<br/>".join(
            escaped(line) for line in [step.title or step.id, *_said_of(step), *notes.get(step.id, [])]
        )
        lines.append(f'    s{place}{left}"{label}"{right}')
        if step.compensate is not None:
            undo = escaped(f"undo: {step.compensate.agent or step.compensate.tool}")
            lines.append(f'    u{place}("{undo}")')
    return lines


def _edges(graph: Graph) -> list[str]:
    lines = [f"    s{other} --> s{place}" for place, needs in enumerate(graph.needs) for other in needs]
    return lines + [f"    s{place} -.-> u{place}" for place, step in enumerate(graph.steps) if step.compensate]


def _said_of(step: Step) -> list[str]:
    said = [f"{step.kind} {_subject(step)}".strip()]
    if isinstance(step.when, str):
        said.append(f"if {expression_of(step.when)}")
    return [*said, "optional"] if step.optional else said


def _subject(step: Step) -> str:
    if step.wait is not None:
        return spoken(step.wait.length.total_seconds()) if step.wait.length is not None else step.wait.kind
    if step.map is not None:
        return f"of {step.map.step.kind} {step.map.step.agent or step.map.step.tool or ''}".strip()
    if step.loop is not None:
        return f"at most {step.loop.most} times"
    named = getattr(step, step.kind)
    return named if isinstance(named, str) and step.kind != "model" else ""


def _how_it_went(record: StepRecord, cost: float, now: datetime | None) -> list[str]:
    seconds = record.seconds(now)
    facts = [record.status.value]
    facts += [spoken(seconds)] if seconds is not None else []
    facts += [f"{record.attempt} attempts"] if record.attempt > 1 else []
    facts += [f"{cost:.4f} USD"] if cost else []
    return [", ".join(facts)]
