"""A piece of work as a lane keeps it, and the keys of the rows in which it stands."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from aos.kernel.rows import Rows
from aos.workflows.scheduling.admission import URGENT, Admission

RECORD = "w:"
LINE = "q:"
AGE = "o:"
RUNNING = "x:"
SUSPENDABLE = "s:"
_NEVER = 10**14 - 1
_MOST_NUMBER = 10**12 - 1


class WorkStatus(StrEnum):
    """Where a work stands in its lane."""

    WAITING = "waiting"
    BEHIND = "behind"
    RUNNING = "running"
    SUSPENDED = "suspended"


class WorkRecord(BaseModel):
    """One work.

    Attributes:
        asked: What it was admitted with.
        number: Its place in the order of arrival.
        priority: As asked for, or that of a work that waits behind it.
        admitted_at, since: When it came, and when its status began.
        expires: When its place is taken from it, while it runs.
        urgent: Whether the place it has counts as one of urgent work.
    """

    asked: Admission
    number: int
    priority: int
    admitted_at: datetime
    since: datetime
    status: WorkStatus = WorkStatus.WAITING
    expires: datetime | None = None
    urgent: bool = False

    @property
    def id(self) -> str:
        return work_id(self.asked.work)

    @property
    def key(self) -> str:
        """Of the row that holds all of it."""
        return RECORD + self.id

    @property
    def line_key(self) -> str:
        """In line: by priority, the earliest deadline, arrival."""
        return f"{LINE}{10 - self.priority:02d}:{_moment(self.asked.deadline)}:{self.number:012d}"

    @property
    def age_key(self) -> str:
        """In line: by arrival alone."""
        return f"{AGE}{self.number:012d}"

    @property
    def running_key(self) -> str:
        """Among the running: by when its place is taken from it."""
        return f"{RUNNING}{_moment(self.expires)}:{self.number:012d}"

    @property
    def suspendable_key(self) -> str:
        """Among those that may be suspended: the least priority first, and of these the one that came last."""
        return f"{SUSPENDABLE}{self.priority:02d}:{_MOST_NUMBER - self.number:012d}"

    @property
    def is_urgent(self) -> bool:
        return self.priority >= URGENT

    @property
    def may_be_suspended(self) -> bool:
        return self.asked.suspendable and not self.urgent

    def shown(self) -> dict[str, Any]:
        """What rows of a list hold, for those who read the lane."""
        return {
            "id": self.id,
            "work": self.asked.work,
            "status": self.status.value,
            "priority": self.priority,
            "owner": self.asked.owner,
            "affinity": self.asked.affinity,
            "deadline": self.asked.deadline.isoformat() if self.asked.deadline else None,
            "admitted_at": self.admitted_at.isoformat(),
            "since": self.since.isoformat(),
        }

    def keep(self, rows: Rows) -> None:
        rows.put(self.key, self.model_dump(mode="json"))


def work_id(work: str) -> str:
    """What rows call a work: addresses may hold what keys may not."""
    return hashlib.sha256(work.encode()).hexdigest()[:32]


def running_before(moment: datetime) -> str:
    """The key below which works have held their places too long at this moment."""
    return f"{RUNNING}{_moment(moment)}:~"


async def record_of(rows: Rows, id: str) -> WorkRecord | None:
    """The work of an id, or None. One storage operation."""
    found = await rows.get(RECORD + id)
    return None if found is None else WorkRecord.model_validate(found)


def _moment(moment: datetime | None) -> str:
    return f"{_NEVER if moment is None else int(moment.timestamp() * 1000):014d}"
