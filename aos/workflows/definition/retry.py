"""How often a step is tried, and how long it waits before it is tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from aos.kernel.errors import Throttled, TurnTimedOut
from aos.workflows.definition.duration import Duration

_SEED_NAMES = {
    "max_attempts": "attempts",
    "backoff_multiplier": "backoff",
    "retry_on": "on",
    "retry_delay": "delay",
    "max_delay": "most",
}


class Retry(BaseModel):
    """When a failed step is tried again.

    Attributes:
        attempts: Tries in all.
        delay: Before the second try.
        backoff: Each further delay is this many times the one before.
        most: No delay is longer.
        on: Which errors: the classes `retryable` (another try may help), `timeout` (the step or who did it ran out of
            time) and `terminal` (all others), or codes such as `throttled`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts: int = Field(default=1, ge=1, le=100)
    delay: Duration = timedelta(seconds=1)
    backoff: float = Field(default=2.0, ge=1, le=100)
    most: Duration = timedelta(seconds=60)
    on: tuple[str, ...] = ("retryable", "timeout")

    @model_validator(mode="before")
    @classmethod
    def _seed_names(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {_SEED_NAMES.get(name, name): given for name, given in value.items()}

    @field_validator("on", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    def covers(self, error: dict[str, Any]) -> bool:
        """Whether a step that failed with this error, an `AosError` as JSON, is tried again."""
        code = str(error.get("code", ""))
        return code in self.on or _class_of(code, error) in self.on

    def wait_before(self, attempt: int) -> timedelta:
        """How long attempt number 2, 3, ... waits."""
        seconds = self.delay.total_seconds()
        for _ in range(attempt - 2):
            seconds = min(seconds * self.backoff, self.most.total_seconds())
        return min(timedelta(seconds=seconds), self.most)


def _class_of(code: str, error: dict[str, Any]) -> str:
    if code in (TurnTimedOut.code, "deadline_exceeded", "request_expired", "step_timeout"):
        return "timeout"
    return "retryable" if error.get("retryable") or code == Throttled.code else "terminal"
