"""What a run keeps of one attempt at one step, as far as pictures of the run show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from aos.workflows.status import StepStatus


class StepRecord(BaseModel):
    """One attempt at one step. `cost` is in US dollars; whatever else a record has is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    step: str
    status: StepStatus
    started_at: datetime | None = None
    finished_at: datetime | None = None
    agent: str | None = None
    attempt: int = 1
    cost: float = 0.0

    def seconds(self, now: datetime | None = None) -> float | None:
        """How long it took, or has taken so far; None where that is not known."""
        end = self.finished_at or now
        return (end - self.started_at).total_seconds() if self.started_at and end else None


def step_records(records: Iterable[StepRecord | Mapping[str, Any]]) -> list[StepRecord]:
    """Records as such."""
    return [record if isinstance(record, StepRecord) else StepRecord.model_validate(dict(record)) for record in records]
