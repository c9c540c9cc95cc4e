"""A task as it is shown: what was asked, how it went, what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aos.workflows.status import StepStatus
from aos.workflows.tasks.quality import overall, summary_of
from aos.workflows.tasks.task_state import TaskState

_INNER = {"request", "execution", "parts", "run", "is_wanted", "is_queued", "is_paused", "is_suspended"}
"""What is shown in another way, or not at all."""


def detail(
    task_id: str, version: int, state: TaskState, results: Mapping[str, Mapping[str, Any]], now: datetime
) -> dict[str, Any]:
    """Everything known of a task.

    Besides the request and the state as they are: `participants` (its steps), `assigned_agents`, `agent_results` (by
    agent, of its last step), `output`, `summary`, `quality_score` (0..1), `success_rate` (share of the finished steps
    that succeeded, 0..1), `duration_seconds`, and `orchestration`, which says how it came to be done so. These are None
    until they can be known.

    Args:
        task_id: Of the task.
        version: Of its agent.
        state: Of its agent.
        results: By step: `agent` and `result`.
        now: The time, for a task that has not ended.
    """
    content = state.model_dump(
        mode="json", exclude={"request", "execution", "parts", "run", "is_queued", "is_paused", "is_suspended"}
    )
    request = state.request.model_dump(mode="json") if state.request else {}
    parts = list(state.parts.values())
    finished = [part for part in parts if part.status in (StepStatus.COMPLETED, StepStatus.FAILED)]
    succeeded = [part for part in finished if part.status is StepStatus.COMPLETED]
    ended = state.status.is_final
    return {
        "id": task_id,
        **request,
        **content,
        "version": version,
        "created_by": request.get("owner"),
        "completed_at": content["finished_at"],
        "workflow": state.execution.workflow if state.execution else None,
        "run_id": state.run.partition(":")[2] if state.run else None,
        "assigned_agents": list(dict.fromkeys(part.agent for part in parts if part.agent)),
        "participants": [part.model_dump(mode="json") for part in parts],
        "agent_results": {str(each["agent"]): each["result"] for each in results.values() if each["agent"]},
        "output": state.result,
        "summary": summary_of(state.result),
        "quality_score": overall(parts, state.result) if ended else None,
        "success_rate": round(len(succeeded) / len(finished), 4) if finished else None,
        "duration_seconds": _seconds(state, now),
        "orchestration": _orchestration(task_id, state, len(succeeded)),
    }


def _seconds(state: TaskState, now: datetime) -> float:
    if state.created_at is None:
        return 0.0
    return round(((state.finished_at or now) - state.created_at).total_seconds(), 3)


def _orchestration(task_id: str, state: TaskState, completed: int) -> dict[str, Any] | None:
    if state.execution is None:
        return None
    plan = state.execution.plan or {"execution_mode": "azure_workflow", "workflow": state.execution.workflow}
    at = state.created_at.isoformat() if state.created_at else None
    return {"execution_id": task_id, **plan, "steps_completed": completed, "orchestrated_at": at}
