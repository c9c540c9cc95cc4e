"""A kind of task a business app may ask for: who looks at it side by side, and who decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class TaskType:
    """How tasks of one kind are done.

    Attributes:
        name: What `task_type` says in a request.
        title: What people call it.
        request: Type of the message each examiner is asked with.
        examiners: Agents that work on it side by side.
        verdict: Type of the message the decider is asked with; it carries what the examiners answered.
        decider: Agent that weighs their results and answers with the task's result.
        patience: How long each of them may take.
    """

    name: str
    title: str
    request: str
    examiners: tuple[str, ...]
    verdict: str
    decider: str
    patience: timedelta = timedelta(minutes=10)
