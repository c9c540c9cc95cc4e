"""What a lane is told: to admit work, that work is done, to take waiting work back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from aos.kernel.address import check_address
from aos.workflows.definition.duration import PositiveDuration

SCHEDULER_TYPE = "scheduler"
"""Agent type of a lane: `scheduler:<lane>`."""
DEFAULT_LANE = "main"

ADMIT = "schedule.admit"
DONE = "schedule.done"
WITHDRAW = "schedule.withdraw"
CHECK = "schedule.check"
FILL = "schedule.fill"
MISSED = "schedule.missed"
EXPIRED = "schedule.expired"

URGENT = 9
"""Priorities from here on have places of their own."""
WORDS = {"CRITICAL": 10, "HIGH": 8, "NORMAL": 5, "LOW": 3, "BACKGROUND": 1}

_SHAPE = ConfigDict(frozen=True, extra="forbid")


def priority_of(value: Any) -> Any:
    """The number of a priority's word, in any case; anything else as it is. Raises ValueError for another word."""
    if not isinstance(value, str) or value.strip().isdigit():
        return value
    word = value.strip().upper()
    if word not in WORDS:
        raise ValueError(f"{value!r} is no priority; write 1 to 10, or one of {', '.join(WORDS)}")
    return WORDS[word]


Priority = Annotated[int, BeforeValidator(priority_of), Field(ge=1, le=10)]
"""1 (least) to 10 (most), or one of `WORDS`."""


class Opening(BaseModel):
    """The message that has a piece of work begin."""

    model_config = _SHAPE

    type: str = Field(min_length=1, max_length=200)
    data: Any = None


class Admission(BaseModel):
    """A piece of work that wants a place.

    Attributes:
        work: Address of the agent that does it. It is in a lane once at a time.
        message: What that agent is sent when the work has a place.
        priority: Who goes first.
        deadline: Of two with one priority the earlier goes first. Work whose time has passed is not begun any more.
        affinity: Works of one key are done one after the other, in the order they were admitted.
        owner: Whose work it is, for those who read the lane.
        suspendable: Whether it takes `workflow.pause` and `workflow.resume`, and so may be put off for urgent work.
        limit: How long it may hold its place; the lane's own where it does not say.
        answers: Whether it answers `message` when it has ended, as runs, teams and tasks do: then it gives its place
            back by that, and need not say `schedule.done`.
        tell: The agent that is told where the work was not begun in time, or held its place for too long.
    """

    model_config = _SHAPE

    work: str
    message: Opening
    priority: Priority = 5
    deadline: datetime | None = None
    affinity: str | None = Field(default=None, min_length=1, max_length=500)
    owner: str | None = Field(default=None, max_length=200)
    suspendable: bool = False
    limit: PositiveDuration | None = None
    answers: bool = False
    tell: str | None = None

    @field_validator("work", "tell")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        return value if value is None else check_address(value)

    @field_validator("deadline")
    @classmethod
    def _zone(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("has no time zone; end it with Z or +00:00")
        return value if value is None else value.astimezone(UTC)


class WorkDone(BaseModel):
    """Work gives its place back. Without `work` it is the sender."""

    model_config = _SHAPE

    work: str | None = None


class Withdrawal(BaseModel):
    """Waiting work is no longer wanted."""

    model_config = _SHAPE

    work: str


def lane_address(lane: str = DEFAULT_LANE) -> str:
    """The address of a lane. Raises `InvalidInput` where its name cannot be part of one."""
    return check_address(f"{SCHEDULER_TYPE}:{lane}")
