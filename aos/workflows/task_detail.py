"""A task as it is shown: what was asked, how it went, what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aos.workflows.task_state import TaskState, TaskStatus


def detail(task_id: str, version: int, state: TaskState, now: datetime) -> dict[str, Any]:
    """Everything known of a task.

    Besides the request and the state as they are, `assigned_agents`, `agent_results` (by agent), `output`,
    `summary`, `quality_score` (0..1, where the result has one), `success_rate` (share of the finished agents that
    succeeded, 0..1) and `duration_seconds`; these are None until they can be known.
    """
    content = state.model_dump(mode="json", exclude={"request", "participants"})
    request = state.request.model_dump(mode="json") if state.request else {}
    parts = list(state.participants.values())
    finished = [part for part in parts if part.status in (TaskStatus.COMPLETED, TaskStatus.FAILED)]
    succeeded = [part for part in finished if part.status is TaskStatus.COMPLETED]
    result = state.result or {}
    end = state.finished_at or now
    return {
        "id": task_id,
        **request,
        **content,
        "version": version,
        "created_by": request.get("owner"),
        "completed_at": content["finished_at"],
        "assigned_agents": [part.agent for part in parts],
        "participants": [part.model_dump(mode="json") for part in parts],
        "agent_results": {part.agent: part.result for part in parts if part.result is not None},
        "output": state.result,
        "summary": result.get("summary"),
        "quality_score": result.get("score"),
        "success_rate": round(len(succeeded) / len(finished), 4) if finished else None,
        "duration_seconds": round((end - state.created_at).total_seconds(), 3) if state.created_at else 0.0,
    }
