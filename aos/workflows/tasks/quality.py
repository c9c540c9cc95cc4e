"""How good what agents did for a task is, as far as their results say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aos.workflows.status import StepStatus
from aos.workflows.tasks.task_state import TaskPart

_MODEL_FAILED, _FAILED = 0.3, 0.1
"""Credit of a part that failed because a model did, and of one that failed otherwise."""
_UNSAID = 0.8
"""Quality of a part that succeeded and says nothing of it."""
_SUMMARY = 1_000


def quality_of(result: Any) -> float | None:
    """What a result says of its own quality, 0..1: `quality_score`, or else `score`."""
    if not isinstance(result, Mapping):
        return None
    for name in ("quality_score", "score"):
        value = result.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
    return None


def summary_of(result: Any) -> str | None:
    """A result in short."""
    if isinstance(result, str):
        return result[:_SUMMARY]
    if isinstance(result, Mapping):
        found = next(
            (result[name] for name in ("summary", "answer", "content") if isinstance(result.get(name), str)), None
        )
        return None if found is None else str(found)[:_SUMMARY]
    return None


def overall(parts: Sequence[TaskPart], result: Any) -> float | None:
    """The quality of a task that has ended.

    What its result says; else the mean of the parts that succeeded; else the mean of what those that failed are
    credited with. None where nothing was done.
    """
    said = quality_of(result)
    if said is not None:
        return said
    done = [part for part in parts if part.status in (StepStatus.COMPLETED, StepStatus.FAILED)]
    good = [part for part in done if part.status is StepStatus.COMPLETED]
    marks = [_UNSAID if part.quality is None else part.quality for part in good] or [_credit(part) for part in done]
    return round(sum(marks) / len(marks), 4) if marks else None


def _credit(part: TaskPart) -> float:
    code = str((part.error or {}).get("code", ""))
    return _MODEL_FAILED if code.startswith(("llm_", "model_", "all_models", "no_model")) else _FAILED
