"""What business apps and people do with lanes: have work admitted, take it back, see what runs and what waits."""

from __future__ import annotations

from typing import Any

from aos.kernel.errors import NotFound
from aos.kernel.kernel import Kernel
from aos.kernel.message import Message
from aos.kernel.ports import Clock, Ids
from aos.workflows.scheduling.admission import (
    ADMIT,
    DEFAULT_LANE,
    DONE,
    WITHDRAW,
    Admission,
    Withdrawal,
    WorkDone,
    lane_address,
)
from aos.workflows.scheduling.lane_state import LaneLimits, LaneState
from aos.workflows.scheduling.work_record import LINE, RECORD, RUNNING, WorkRecord, WorkStatus, work_id

SOURCE = "/api/schedules"
_COUNTS = ("running", "urgent", "waiting", "suspended", "behind")
_STATISTICS = ("admitted", "started", "finished", "expired", "withdrawn", "missed", "suspensions", "aged")
_FURTHEST = 1_000
"""Positions are counted as far as this."""


class Schedules:
    """The lanes.

    Attributes:
        limits: Of each of them.
    """

    def __init__(self, kernel: Kernel, limits: LaneLimits, clock: Clock, ids: Ids) -> None:
        self.limits = limits
        self._kernel = kernel
        self._clock = clock
        self._ids = ids

    async def admit(self, asked: Admission, *, lane: str = DEFAULT_LANE) -> str:
        """Ask for a place for a work; the id of the message that does. Raises `InvalidInput` for another lane name."""
        return await self._post(lane, ADMIT, asked)

    async def done(self, work: str, *, lane: str = DEFAULT_LANE) -> str:
        """Give back the place of a work that does not do so itself."""
        return await self._post(lane, DONE, WorkDone(work=work))

    async def withdraw(self, work: str, *, lane: str = DEFAULT_LANE) -> str:
        """Take back a work that waits; one that was begun stays."""
        return await self._post(lane, WITHDRAW, Withdrawal(work=work))

    async def show(self, lane: str = DEFAULT_LANE, *, limit: int = 50) -> dict[str, Any]:
        """A lane: its numbers, and the first of those that run and of those that wait, in their order.

        Raises:
            NotFound: no work was ever admitted to a lane of this name; the default lane is always there.
        """
        state = await self._state(lane)
        address = lane_address(lane)
        running = await self._kernel.rows.page(address, RUNNING, limit=limit)
        waiting = await self._kernel.rows.page(address, LINE, limit=limit)
        return {
            "lane": lane,
            "max_running": self.limits.max_running,
            "ordinary": self.limits.ordinary,
            "counts": {name: getattr(state, name) for name in _COUNTS},
            "statistics": {
                **{name: getattr(state, name) for name in _STATISTICS},
                "mean_wait_seconds": round(state.waited_seconds / state.started, 3) if state.started else None,
            },
            "running": [_shown(value) for _, value in running],
            "waiting": [{"position": place, **_shown(value)} for place, (_, value) in enumerate(waiting, start=1)],
        }

    async def running(self, lane: str = DEFAULT_LANE) -> int:
        """How many works have a place; none in a lane that nothing was admitted to. One read."""
        head = await self._kernel.heads.read(lane_address(lane))
        return 0 if head is None else LaneState.model_validate_json(head.state).running

    async def work(self, work: str, *, lane: str = DEFAULT_LANE) -> dict[str, Any]:
        """Where a work stands; its `position` is None where it has a place, stands behind another, or beyond 1,000.

        Raises:
            NotFound: it is not in the lane.
        """
        address = lane_address(lane)
        found = await self._kernel.rows.get(address, RECORD + work_id(work))
        if found is None:
            raise NotFound(f"There is no {work!r} in lane {lane!r}. It has ended, or was not admitted.")
        record = WorkRecord.model_validate_json(found)
        position: int | None = None
        if record.status in (WorkStatus.WAITING, WorkStatus.SUSPENDED):
            before = await self._kernel.rows.page(address, LINE, before=record.line_key, limit=_FURTHEST)
            position = len(before) + 1 if len(before) < _FURTHEST else None
        return {**_shown(record.shown()), "lane": lane, "position": position}

    async def _state(self, lane: str) -> LaneState:
        head = await self._kernel.heads.read(lane_address(lane))
        if head is None:
            if lane != DEFAULT_LANE:
                raise NotFound(f"There is no lane {lane!r}: no work was admitted to it.")
            return LaneState()
        return LaneState.model_validate_json(head.state)

    async def _post(self, lane: str, type_: str, content: Admission | WorkDone | Withdrawal) -> str:
        message = Message(
            id=self._ids.new(),
            source=SOURCE,
            type=type_,
            time=self._clock.now(),
            to=lane_address(lane),
            data=content.model_dump(mode="json"),
        )
        await self._kernel.mailbox.post(message)
        return message.id


def _shown(value: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in value.items() if name != "id"}
