"""What a lane remembers at hand: numbers only. The works themselves, and their order, are in rows."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class LaneLimits(BaseModel):
    """How much a lane lets run.

    Attributes:
        max_running: Places.
        reserved: Of these only for urgent work; a tenth where it is not said.
        limit_seconds: How long work may hold a place that does not say so itself.
        patience_seconds: Work that has waited longer is in for every tenth place, whatever its priority.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_running: int = Field(default=100, ge=1, le=100_000)
    reserved: int | None = Field(default=None, ge=0)
    limit_seconds: float = Field(default=3_600.0, gt=0)
    patience_seconds: float = Field(default=300.0, ge=0)

    @property
    def ordinary(self) -> int:
        """Places that work of any priority may have; at least one."""
        reserved = self.max_running // 10 if self.reserved is None else self.reserved
        return max(1, self.max_running - reserved)


class LaneState(BaseModel):
    """The state of a lane.

    Attributes:
        running: Works that have a place.
        urgent: Of these the urgent ones.
        waiting: Works in line, suspended ones among them.
        suspended: Of these the ones that were begun.
        behind: Works that wait for another of their affinity key.
        number: Of the work admitted last.
        picks: Places that went to the line.
        next_check: When the lane looks next for works that hold their places too long.
        admitted, started, finished, expired, withdrawn, missed, suspensions, aged: How often that happened.
        waited_seconds: How long those that were started had waited, together.
    """

    running: int = 0
    urgent: int = 0
    waiting: int = 0
    suspended: int = 0
    behind: int = 0
    number: int = 0
    picks: int = 0
    next_check: datetime | None = None
    admitted: int = 0
    started: int = 0
    finished: int = 0
    expired: int = 0
    withdrawn: int = 0
    missed: int = 0
    suspensions: int = 0
    aged: int = 0
    waited_seconds: float = 0.0
