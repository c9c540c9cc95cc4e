"""How a run of a workflow and each of its steps stand."""

from __future__ import annotations

from enum import StrEnum

SKIPPED_TEXT = "Skipped due to failed dependency"
"""The error of a step that was not done because one it needs failed."""


class RunStatus(StrEnum):
    """A run's status; `compensated` is a failure whose completed steps were undone."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"

    @property
    def is_final(self) -> bool:
        return self in (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.COMPENSATED)

    @property
    def plain(self) -> str:
        """In the words of other systems: pending, running, completed, failed or cancelled."""
        if self is RunStatus.COMPENSATED:
            return RunStatus.FAILED.value
        return self.value if self.is_final or self is RunStatus.PENDING else RunStatus.RUNNING.value


class StepStatus(StrEnum):
    """A step's status."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    COMPENSATED = "compensated"

    @property
    def is_final(self) -> bool:
        return self not in (StepStatus.PENDING, StepStatus.RUNNING, StepStatus.WAITING)
