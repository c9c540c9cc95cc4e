"""One lane in one of its turns: admits, starts, suspends and ends works at a cost that does not grow with the line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aos.agents import Turn
from aos.kernel.message import format_time
from aos.workflows.messages import PAUSE, RESUME
from aos.workflows.scheduling.admission import CHECK, EXPIRED, FILL, MISSED, URGENT, Admission
from aos.workflows.scheduling.affinity import Affinity
from aos.workflows.scheduling.lane_state import LaneLimits, LaneState
from aos.workflows.scheduling.line import Line
from aos.workflows.scheduling.work_record import (
    RUNNING,
    SUSPENDABLE,
    WorkRecord,
    WorkStatus,
    record_of,
    running_before,
    work_id,
)

AGED_EVERY = 10
"""Every so manieth place goes to the work that has waited longest, if it has waited long enough."""
_PICKS = 2
"""Works taken from the line for one message; each writes up to eight rows of the forty that a message may."""


class Lane:
    """The lane whose turn it is."""

    def __init__(self, turn: Turn, state: LaneState, limits: LaneLimits) -> None:
        self._turn = turn
        self._state = state
        self._limits = limits
        self._line = Line(turn.rows)
        self._affinity = Affinity(turn.rows)

    async def find(self, work: str) -> WorkRecord | None:
        return await record_of(self._turn.rows, work_id(work))

    async def admit(self, asked: Admission) -> WorkRecord:
        """Take a work in; one that is in already stays as it is."""
        there = await self.find(asked.work)
        if there is not None:
            return there
        state, now = self._state, self._turn.now
        state.number += 1
        state.admitted += 1
        record = WorkRecord(asked=asked, number=state.number, priority=asked.priority, admitted_at=now, since=now)
        if not await self._affinity.enter(record):
            state.behind += 1
            await self._lend(record)
        elif not state.waiting and self._has_room(record):
            self._start(record)
            return record
        else:
            self._line.put(record)
            state.waiting += 1
        await self.fill()
        if record.is_urgent and state.waiting and state.running >= self._limits.max_running:
            await self._make_room()
        return await self.find(asked.work) or record

    async def end(self, record: WorkRecord) -> None:
        """Take a work out, wherever it stands, and give its place and its key to the next."""
        if record.status is WorkStatus.RUNNING:
            await self._leave_place(record)
        elif record.status is WorkStatus.BEHIND:
            await self._affinity.withdraw(record)
            self._state.behind -= 1
        else:
            await self._line.take(record)
            self._state.waiting -= 1
            self._state.suspended -= record.status is WorkStatus.SUSPENDED
        await self._gone(record)

    async def fill(self, picks: int = _PICKS) -> None:
        """Start works from the line while there are places for them."""
        state = self._state
        for _ in range(picks):
            record = await self._next()
            if record is None:
                return
            await self._line.take(record)
            state.waiting -= 1
            if record.status is WorkStatus.WAITING and self._is_too_late(record):
                state.missed += 1
                self._tell(record, MISSED)
                await self._gone(record)
                continue
            state.picks += 1
            self._start(record)
        if state.waiting and state.running < self._limits.max_running:
            self._turn.send(self._turn.agent, FILL)

    async def expire(self) -> None:
        """Take the place of one work that has held it too long, and see when to look again."""
        rows, state = self._turn.rows, self._state
        late = await rows.page(RUNNING, before=running_before(self._turn.now), limit=1)
        record = await record_of(rows, late[0][1]["id"]) if late else None
        if record is not None:
            state.expired += 1
            self._tell(record, EXPIRED)
            await self.end(record)
        state.next_check = None
        following = await rows.page(RUNNING, limit=1)
        left = await record_of(rows, following[0][1]["id"]) if following else None
        if left is not None:
            self._watch(left)

    async def _gone(self, record: WorkRecord) -> None:
        await self._turn.rows.delete(record.key)
        if record.status is WorkStatus.BEHIND:
            return
        following = await self._affinity.leave(record)
        if following is not None:
            self._state.behind -= 1
            self._state.waiting += 1
            self._line.put(following)

    async def _next(self) -> WorkRecord | None:
        """The work that the next place goes to; None where there is none for it, or nobody to have it."""
        state, limits = self._state, self._limits
        if not state.waiting or state.running >= limits.max_running:
            return None
        ordinary = state.running - state.urgent < limits.ordinary
        if ordinary and state.picks % AGED_EVERY == AGED_EVERY - 1:
            oldest = await self._line.oldest()
            patience = timedelta(seconds=limits.patience_seconds)
            if oldest is not None and self._turn.now - oldest.admitted_at >= patience:
                state.aged += 1
                return oldest
        first = await self._line.first()
        return first if first is not None and (ordinary or first.is_urgent) else None

    def _has_room(self, record: WorkRecord) -> bool:
        state, limits = self._state, self._limits
        if state.running >= limits.max_running or self._is_too_late(record):
            return False
        return record.is_urgent or state.running - state.urgent < limits.ordinary

    def _is_too_late(self, record: WorkRecord) -> bool:
        return record.asked.deadline is not None and record.asked.deadline <= self._turn.now

    async def _lend(self, record: WorkRecord) -> None:
        holder = await self._affinity.holder(record)
        if holder is None or holder.status is WorkStatus.RUNNING or holder.priority >= record.priority:
            return
        await self._line.raise_to(holder, record.priority)

    async def _make_room(self) -> None:
        """Suspend the running work of least priority for urgent work in line, if there is one that may be."""
        found = await self._turn.rows.page(SUSPENDABLE, before=f"{SUSPENDABLE}{URGENT:02d}", limit=1)
        first = await self._line.first() if found else None
        victim = await record_of(self._turn.rows, found[0][1]["id"]) if found else None
        crowded = self._state.suspended >= self._limits.max_running
        if first is None or not first.is_urgent or victim is None or crowded:
            return
        await self._leave_place(victim)
        victim.status, victim.since = WorkStatus.SUSPENDED, self._turn.now
        self._line.put(victim)
        self._state.waiting += 1
        self._state.suspended += 1
        self._state.suspensions += 1
        self._turn.send(victim.asked.work, PAUSE, conversation_id=victim.asked.work)
        self._turn.record("schedule.suspended", work=victim.asked.work, priority=victim.priority)
        await self.fill(1)

    def _start(self, record: WorkRecord) -> None:
        """Give a work a place: have it begin, or go on."""
        turn, state, asked = self._turn, self._state, record.asked
        if record.status is WorkStatus.SUSPENDED:
            state.suspended -= 1
            turn.send(asked.work, RESUME, conversation_id=asked.work)
        else:
            state.started += 1
            waited = (turn.now - record.admitted_at).total_seconds()
            state.waited_seconds = round(state.waited_seconds + waited, 3)
            turn.record("schedule.started", work=asked.work, priority=record.priority, waited_seconds=waited)
            self._open(record)
        record.status, record.since, record.urgent = WorkStatus.RUNNING, turn.now, record.is_urgent
        record.expires = turn.now + self._limit(record)
        state.running += 1
        state.urgent += record.urgent
        turn.rows.put(record.running_key, record.shown())
        if record.may_be_suspended:
            turn.rows.put(record.suspendable_key, {"id": record.id})
        record.keep(turn.rows)
        self._watch(record)

    def _open(self, record: WorkRecord) -> None:
        """Send a work the message that has it begin."""
        asked, turn = record.asked, self._turn
        options: dict[str, Any] = {
            "priority": record.priority,
            "deadline": asked.deadline,
            "conversation_id": asked.work,
        }
        if not asked.answers:
            turn.send(asked.work, asked.message.type, asked.message.data, **options)
            return
        limit = self._limit(record)
        note = {"work": asked.work, "number": record.number, "until": format_time(turn.now + limit)}
        turn.ask(asked.work, asked.message.type, asked.message.data, note=note, timeout=limit, **options)

    def _limit(self, record: WorkRecord) -> timedelta:
        return record.asked.limit or timedelta(seconds=self._limits.limit_seconds)

    async def _leave_place(self, record: WorkRecord) -> None:
        await self._turn.rows.delete(record.running_key)
        if record.may_be_suspended:
            await self._turn.rows.delete(record.suspendable_key)
        self._state.running -= 1
        self._state.urgent -= record.urgent
        record.expires, record.urgent = None, False

    def _watch(self, record: WorkRecord) -> None:
        """See to it that the lane looks no later than when this work has held its place too long."""
        state = self._state
        if record.expires is not None and (state.next_check is None or record.expires < state.next_check):
            state.next_check = record.expires
            self._turn.remind("check", CHECK, at=record.expires)

    def _tell(self, record: WorkRecord, what: str) -> None:
        facts = {"work": record.asked.work, "owner": record.asked.owner, "since": record.since.isoformat()}
        self._turn.record(what, **facts)
        if record.asked.tell is not None:
            self._turn.send(record.asked.tell, what, {**facts, "lane": self._turn.agent})
