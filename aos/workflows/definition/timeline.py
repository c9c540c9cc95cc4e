"""A run as trace events, which chrome://tracing and https://ui.perfetto.dev show as a timeline.

The format is described in https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from aos.workflows.definition.step_record import StepRecord, step_records

_RUN = 1
_NOBODY = "run"


def trace_events(
    records: Iterable[StepRecord | Mapping[str, Any]], *, name: str = "workflow", now: datetime | None = None
) -> dict[str, Any]:
    """The timeline of a run, one line for each agent, and another for what the agent does at the same time.

    Args:
        records: What the run keeps of its steps, as for `run_flowchart`; those that have not begun are left out.
        name: What the run is called.
        now: Until when steps at work are drawn; they are left out where it is not given.

    Returns:
        An object with `traceEvents`, times in microseconds since 1970.
    """
    begun = [record for record in step_records(records) if record.started_at and (record.finished_at or now)]
    events: list[dict[str, Any]] = [_called("process_name", 0, name)]
    lanes: dict[tuple[str, int], int] = {}
    busy: dict[str, list[int]] = {}
    drawn: list[dict[str, Any]] = []
    for start, end, record in sorted(((*_span(record, now), record) for record in begun), key=lambda found: found[:2]):
        who = record.agent or _NOBODY
        number = _free_lane(busy.setdefault(who, []), start, end)
        line = lanes.setdefault((who, number), len(lanes) + 1)
        drawn.append(_drawn(record, start, end, line))
    events += [
        _called("thread_name", line, who if number == 0 else f"{who} ({number + 1})")
        for (who, number), line in lanes.items()
    ]
    return {"traceEvents": events + drawn, "displayTimeUnit": "ms"}


def _free_lane(busy: list[int], start: int, end: int) -> int:
    """The first lane that is free by then; it is taken until the end."""
    for number, until in enumerate(busy):
        if until <= start:
            busy[number] = end
            return number
    busy.append(end)
    return len(busy) - 1


def _drawn(record: StepRecord, start: int, end: int, line: int) -> dict[str, Any]:
    return {
        "name": record.step,
        "cat": record.status.value,
        "ph": "X",
        "ts": start,
        "dur": end - start,
        "pid": _RUN,
        "tid": line,
        "args": {"status": record.status.value, "attempt": record.attempt, "cost_usd": record.cost},
    }


def _called(kind: str, line: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": _RUN, "tid": line, "args": {"name": name}}


def _span(record: StepRecord, now: datetime | None) -> tuple[int, int]:
    start, end = record.started_at, record.finished_at or now
    assert start is not None and end is not None  # noqa: S101, PT018  # others were left out
    first = _microseconds(start)
    return first, max(_microseconds(end), first)


def _microseconds(moment: datetime) -> int:
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = known - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
