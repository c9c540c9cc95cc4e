"""What is shown of a run: its status, its steps, its result; read from its head and rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aos.kernel.errors import NotAllowedNow
from aos.workflows.definition.graph import Graph
from aos.workflows.run.marks import Mark, Marks
from aos.workflows.run.run_state import Call, RunState
from aos.workflows.status import SKIPPED_TEXT, StepStatus


def summary(run_id: str, state: RunState) -> dict[str, Any]:
    """A run without its steps."""
    request = state.request
    assert request is not None  # noqa: S101  # only what was started is shown
    return {
        "workflow_id": run_id,
        "workflow": request.name,
        "version": request.definition[:12],
        "status": state.status.value,
        "progress": state.progress,
        "created_at": _time(state.created_at),
        "started_at": _time(state.started_at),
        "completed_at": _time(state.finished_at),
        "error": state.error,
        "owner": request.owner,
        "priority": request.priority,
        "cost_usd": round(state.cost_usd, 9),
        "tokens": state.tokens,
        "attempt": state.generation + 1,
        "metadata": dict(request.options.get("metadata", {})),
    }


def progress_document(state: RunState) -> dict[str, Any]:
    """How many steps there are of each kind."""
    marks = list(Marks(list(state.marks)))
    count = {status: sum(mark.status is status for mark in marks) for status in StepStatus}
    return {
        "total_steps": len(marks),
        "completed_steps": count[StepStatus.COMPLETED],
        "failed_steps": count[StepStatus.FAILED],
        "running_steps": count[StepStatus.RUNNING],
        "skipped_steps": count[StepStatus.SKIPPED],
        "progress_percentage": round(100 * state.progress, 1),
    }


def step_document(graph: Graph, state: RunState, place: int, row: Mapping[str, Any] | None) -> dict[str, Any]:
    """A step. `row` is what is on record of its end, which counts only while its mark says that it has ended."""
    mark, step = Marks(list(state.marks))[place], graph.steps[place]
    call = state.calls.get(str(place))
    shown: dict[str, Any] = {
        "id": step.id,
        "title": step.title or step.id,
        "kind": step.kind,
        "status": _status(mark, call).value,
        "agent_id": step.agent,
        "started_at": None,
        "completed_at": None,
        "error": SKIPPED_TEXT if mark is Mark.SKIPPED else None,
        "retry_count": 0,
        "needs": [graph.steps[need].id for need in graph.needs[place]],
    }
    if mark.has_record and row is not None:
        shown |= {
            "agent_id": row["agent"] or step.agent,
            "started_at": row["started_at"],
            "completed_at": row["finished_at"],
            "error": None if row["error"] is None else row["error"]["message"],
            "retry_count": row["attempt"] - 1,
            "output": row["output"],
            "cost_usd": row["cost"],
        }
    elif mark is Mark.RUNNING:
        shown |= _under_way(state, place, call)
    return shown


def timeline_record(graph: Graph, state: RunState, place: int, row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A step as pictures of the run show it; None where it has not begun."""
    step = step_document(graph, state, place, row)
    if step["started_at"] is None and step["status"] not in ("skipped", "cancelled"):
        return None
    return {
        "step": step["id"],
        "status": step["status"],
        "started_at": step["started_at"],
        "finished_at": step["completed_at"],
        "agent": step["agent_id"],
        "attempt": step["retry_count"] + 1,
        "cost": step.get("cost_usd", 0.0),
    }


def refuse_unfinished(run_id: str, state: RunState) -> None:
    """Raise `NotAllowedNow` while a run has no result."""
    if not state.status.is_final:
        raise NotAllowedNow(
            f"Run {run_id!r} is {state.status.value}. Its result is there once it has ended.",
            code="run_not_finished",
            details={"status": state.status.value, "progress": state.progress},
        )


def _under_way(state: RunState, place: int, call: Call | None) -> dict[str, Any]:
    fan, rounds = state.fans.get(str(place)), state.rounds.get(str(place))
    if call is not None:
        request = {"request_id": call.to} if call.kind == "human" else {}
        child = {"run_id": call.to.partition(":")[2]} if call.kind in ("workflow", "part", "team") else {}
        who = {"agent_id": call.to} if call.kind == "agent" else {}
        return {"started_at": _time(call.since), "retry_count": call.attempt - 1, **request, **child, **who}
    if fan is not None:
        counts = {"total": fan.size, "done": fan.done, "failed": fan.failed}
        return {"started_at": _time(fan.since), "retry_count": fan.attempt - 1, "items": counts}
    if rounds is not None:
        return {"started_at": _time(rounds.since), "retry_count": rounds.attempt - 1, "round": rounds.round}
    return {}


def _status(mark: Mark, call: Call | None) -> StepStatus:
    waits = mark is Mark.RUNNING and call is not None and (call.is_wait or call.kind == "retry")
    return StepStatus.WAITING if waits else mark.status


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
