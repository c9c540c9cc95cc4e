"""How an agent's pursuit of its purpose goes: goals, metrics, and what the last turns were worth.

It lives in the agent's state under a name of its own, beside the author's model, and so is committed with each turn.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from aos.kernel.errors import InvalidInput, NotAllowedNow

PURSUIT = "aos.pursuit"
"""Member of an agent's stored state that holds its pursuit."""

MAX_ACTIVE_GOALS = 100
MAX_COMPLETED_GOALS = 100
MAX_NOTES = 50
MAX_TEXT = 1_000


class Note(BaseModel):
    timestamp: datetime
    note: str


class Goal(BaseModel):
    """Something to be reached. `progress` is 0 to 1; at 1 the goal is completed."""

    goal_id: str
    description: str
    success_criteria: list[str] = Field(default_factory=list)
    deadline: datetime | None = None
    status: Literal["active", "completed"] = "active"
    created_at: datetime
    progress: float = 0.0
    last_updated: datetime
    notes: list[Note] = Field(default_factory=list)
    completed_at: datetime | None = None


class PurposeMetrics(BaseModel):
    purpose_aligned_actions: int = 0
    purpose_evaluations: int = 0
    decisions_made: int = 0
    goals_achieved: int = 0


class Flag(BaseModel):
    """Something is wrong with the pursuit: why, and since when."""

    reason: str
    since: datetime


class Course(BaseModel):
    """What the turns so far were worth.

    Attributes:
        began: The first turn.
        scored: Turns that were scored.
        alignment: Moving average of their alignment, each 1 or 0.
        aligned_at: The last aligned one.
        without_progress: Turns in a row that brought nothing.
        value: The success metric.
        spent, spent_since: What the current period of the budget cost, and when it began.
    """

    began: datetime | None = None
    scored: int = 0
    alignment: float = 1.0
    aligned_at: datetime | None = None
    without_progress: int = 0
    value: float = 0.0
    spent: dict[str, float] = Field(default_factory=dict)
    spent_since: datetime | None = None


class Pursuit(BaseModel):
    """The pursuit of one agent's purpose.

    Attributes:
        purpose_metrics: Counters over its life.
        active_goals, completed_goals: By goal id; of the completed ones the newest are kept.
        goals_made: How many goals there ever were; ids are made of it.
        course: What the turns were worth.
        flags: What is wrong: `drifting`, `busy_but_useless`, `over_budget`, `behind`, `due_for_retirement`.
    """

    purpose_metrics: PurposeMetrics = Field(default_factory=PurposeMetrics)
    active_goals: dict[str, Goal] = Field(default_factory=dict)
    completed_goals: dict[str, Goal] = Field(default_factory=dict)
    goals_made: int = 0
    course: Course = Field(default_factory=Course)
    flags: dict[str, Flag] = Field(default_factory=dict)

    _progressed: bool = False

    @property
    def progressed(self) -> bool:
        """Whether this turn has brought the purpose forward: a goal, or the success metric."""
        return self._progressed

    def add_goal(
        self,
        description: str,
        success_criteria: list[str] | None = None,
        deadline: datetime | None = None,
        *,
        now: datetime,
    ) -> str:
        """Set a goal; returns its id.

        Raises:
            InvalidInput: it says nothing, or is too long.
            NotAllowedNow: too many goals are active.
        """
        if not description.strip() or len(description) > MAX_TEXT:
            raise InvalidInput(f"A goal needs a description of 1 to {MAX_TEXT:,} characters.")
        if len(self.active_goals) >= MAX_ACTIVE_GOALS:
            raise NotAllowedNow(f"There are {MAX_ACTIVE_GOALS} active goals. Complete some before adding another.")
        self.goals_made += 1
        goal_id = f"goal_{self.goals_made}"
        self.active_goals[goal_id] = Goal(
            goal_id=goal_id,
            description=description,
            success_criteria=success_criteria or [],
            deadline=deadline,
            created_at=now,
            last_updated=now,
        )
        return goal_id

    def update_goal_progress(self, goal_id: str, progress: float, notes: str | None = None, *, now: datetime) -> bool:
        """Say how far a goal is; at 1 it is completed. False where no such goal is active.

        Raises:
            InvalidInput: progress is not a number from 0 on.
        """
        if not progress >= 0:
            raise InvalidInput(f"Progress is {progress}; it must be a number from 0 (nothing) to 1 (done).")
        goal = self.active_goals.get(goal_id)
        if goal is None:
            return False
        self._progressed = self._progressed or progress > goal.progress
        goal.progress, goal.last_updated = min(1.0, progress), now
        if notes:
            goal.notes = [*goal.notes, Note(timestamp=now, note=notes[:MAX_TEXT])][-MAX_NOTES:]
        if goal.progress >= 1.0:
            self._complete(goal, now)
        return True

    def complete_goal(self, goal_id: str, notes: str | None = None, *, now: datetime) -> bool:
        """A goal is reached. False where no such goal is active."""
        return self.update_goal_progress(goal_id, 1.0, notes, now=now)

    def advance(self, by: float = 1.0) -> float:
        """Raise the success metric; returns its value."""
        self._progressed = self._progressed or by > 0
        self.course.value += by
        return self.course.value

    def _complete(self, goal: Goal, now: datetime) -> None:
        goal.status, goal.completed_at = "completed", now
        self.completed_goals[goal.goal_id] = self.active_goals.pop(goal.goal_id)
        while len(self.completed_goals) > MAX_COMPLETED_GOALS:
            self.completed_goals.pop(next(iter(self.completed_goals)))
        self.purpose_metrics.goals_achieved += 1

    def to_state(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_defaults=True)
