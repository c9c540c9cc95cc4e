"""The agent behind a lane, `scheduler:<lane>`: works ask it for a place, and give it back."""

from __future__ import annotations

from typing import Any

from aos.agents import Agent, Turn, on, on_reply
from aos.kernel.message import parse_time
from aos.kernel.policy import AgentPolicy
from aos.kernel.turn import ERROR_TYPE
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
from aos.workflows.scheduling.work_record import WorkRecord, WorkStatus

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
        # Questions are open for as long as works run or are suspended, and a limit longer where these never end.
        self.policy = AgentPolicy(max_pending_requests=max(1_000, 4 * self._limits.max_running))

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
            await self._finish(turn, state, lane, record)
        return {"work": work, "status": GONE}

    @on_reply("*")
    async def answered(self, turn: Turn, state: LaneState, _: Any) -> None:
        """Release the place of a work that has ended, however it did."""
        note = turn.request.note if turn.request is not None else {}
        if turn.message.type == ERROR_TYPE and turn.now >= parse_time(note["until"]):
            # It did not answer in time; when its place is taken from it is seen to by `check`.
            return
        lane = self._lane(turn, state)
        record = await lane.find(note["work"])
        if record is not None and record.number == note["number"]:
            await self._finish(turn, state, lane, record)

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

    async def _finish(self, turn: Turn, state: LaneState, lane: Lane, record: WorkRecord) -> None:
        state.finished += 1
        turn.record("schedule.finished", work=record.asked.work, since=record.since.isoformat())
        await lane.end(record)
        await lane.fill()

    def _lane(self, turn: Turn, state: LaneState) -> Lane:
        return Lane(turn, state, self._limits)
