"""The agent behind a lane, `scheduler:<lane>`: works ask it for a place, and give it back."""

from __future__ import annotations

from typing import Any

from aos.agents import Agent, Turn, on
from aos.workflows.scheduling.admission import (
    ADMIT,
    CHECK,
    DONE,
    FILL,
    SCHEDULER_TYPE,
    WITHDRAW,
    Admission,
    Withdrawal,
    WorkDone,
)
from aos.workflows.scheduling.lane import Lane
from aos.workflows.scheduling.lane_state import LaneLimits, LaneState
from aos.workflows.scheduling.work_record import WorkStatus

GONE = "gone"
"""Status of work that is not, or no longer, in the lane."""


class SchedulerAgent(Agent[LaneState]):
    """Admits works by priority, deadline and age.

    Args:
        limits: Of each lane.
    """

    type = SCHEDULER_TYPE
    name = "Scheduler"
    purpose = "Let the most important work go first, and all work go in the end"
    listed = False

    def __init__(self, limits: LaneLimits | None = None) -> None:
        super().__init__()
        self._limits = limits or LaneLimits()

    @on(ADMIT)
    async def admit(self, turn: Turn, state: LaneState, asked: Admission) -> dict[str, Any]:
        record = await self._lane(turn, state).admit(asked)
        return {"work": asked.work, "status": record.status.value}

    @on(DONE)
    async def done(self, turn: Turn, state: LaneState, said: WorkDone) -> dict[str, Any]:
        """Release a work's place. For work that has none, as when it is said twice, nothing happens."""
        lane, work = self._lane(turn, state), said.work or turn.message.source
        record = await lane.find(work)
        if record is not None:
            state.finished += 1
            turn.record("schedule.finished", work=work, since=record.since.isoformat())
            await lane.end(record)
            await lane.fill()
        return {"work": work, "status": GONE}

    @on(WITHDRAW)
    async def withdraw(self, turn: Turn, state: LaneState, asked: Withdrawal) -> dict[str, Any]:
        """Take back a work that was not begun. One that was stays: stop it, and it will say that it is done."""
        lane = self._lane(turn, state)
        record = await lane.find(asked.work)
        if record is None:
            return {"work": asked.work, "status": GONE, "withdrawn": False}
        if record.status in (WorkStatus.RUNNING, WorkStatus.SUSPENDED):
            return {"work": asked.work, "status": record.status.value, "withdrawn": False}
        state.withdrawn += 1
        turn.record("schedule.withdrawn", work=asked.work)
        await lane.end(record)
        await lane.fill()
        return {"work": asked.work, "status": GONE, "withdrawn": True}

    @on(CHECK)
    async def check(self, turn: Turn, state: LaneState, _: Any) -> None:
        lane = self._lane(turn, state)
        await lane.expire()
        await lane.fill()

    @on(FILL)
    async def fill(self, turn: Turn, state: LaneState, _: Any) -> None:
        await self._lane(turn, state).fill()

    def _lane(self, turn: Turn, state: LaneState) -> Lane:
        return Lane(turn, state, self._limits)
