"""A run that has ended, as far as it is looked at to find out how its workflow could do better."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from aos.workflows.status import RunStatus, StepStatus


class FinishedStep(BaseModel):
    """How a step ended. `output` is a digest, None where there is none; `cost` is in US dollars."""

    model_config = ConfigDict(frozen=True)

    status: StepStatus
    started_at: datetime | None = None
    finished_at: datetime | None = None
    agent: str | None = None
    attempts: int = 1
    cost: float = 0.0
    output: str | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took, all attempts together as far as they are on record; None where it was not done."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class FinishedRun(BaseModel):
    """A run that has ended.

    Attributes:
        inputs: Digest of what it was given.
        steps: By id; those that were never begun are left out.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    status: RunStatus
    started_at: datetime
    finished_at: datetime
    cost: float = 0.0
    inputs: str = ""
    steps: dict[str, FinishedStep] = {}

    @property
    def seconds(self) -> float:
        return (self.finished_at - self.started_at).total_seconds()


def digest_of(value: Any) -> str:
    """The same for the same JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]
