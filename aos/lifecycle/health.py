"""How an agent does: what fails, what waits, and since when, from its head alone."""

from __future__ import annotations

from typing import Any

from aos.agents.directory import Directory
from aos.agents.life import state_of, waiting_in
from aos.kernel.head import Head
from aos.kernel.kernel import Kernel
from aos.kernel.message import format_time, parse_time
from aos.kernel.order import ASIDE, BEHIND, HeldRows
from aos.kernel.ports import BlobStore, Clock, TableStore
from aos.telemetry.redaction import redact_text

UNHEALTHY_RATE = 0.5
DEGRADED_RATE = 0.1
_ENOUGH = 10
"""Messages from which on a failure rate means something."""
_IN_A_ROW = 5
_PATIENCE = 600.0
"""Seconds after which an agent that may work should have taken up what was put aside."""


class Health:
    """Looks at agents."""

    def __init__(
        self, kernel: Kernel, directory: Directory, tables: TableStore, blobs: BlobStore, clock: Clock
    ) -> None:
        self._kernel = kernel
        self._directory = directory
        self._tables = tables
        self._blobs = blobs
        self._clock = clock

    async def of(self, address: str) -> dict[str, Any]:
        """How one agent does: `status` healthy, degraded or unhealthy, the `reasons`, and what they rest on.

        `backlog` has what is kept for the agent beside its mailbox; how many messages wait in a mailbox the bus does
        not tell.

        Raises:
            NotFound: there is no such agent.
        """
        known = await self._directory.status(address)
        head = await self._kernel.heads.read(address)
        now = self._clock.now()
        if head is None:
            return {
                "agent": address,
                "status": "healthy",
                "reasons": [],
                "state": "created",
                "checked_at": format_time(now),
            }
        oldest = await self._oldest(head)
        reasons = _unhealthy(head, registered=bool(known["registered"]))
        status = "unhealthy" if reasons else "healthy"
        lesser = _degraded(head, (now - parse_time(oldest)).total_seconds() if oldest else 0.0)
        if lesser and not reasons:
            status = "degraded"
        vitals = head.vitals
        error = vitals.error and {**vitals.error, "message": redact_text(str(vitals.error["message"]))}
        return {
            "agent": address,
            "status": status,
            "reasons": [*reasons, *lesser],
            "state": state_of(head, running=address in self._kernel.running),
            "last_error": error,
            "failures_in_a_row": vitals.same,
            "failure_rate": vitals.failure_rate,
            "messages_considered": len(vitals.latest),
            "backlog": {
                "put_aside": head.aside.count,
                "held_back": head.waiting.count,
                "questions": len(head.parked),
                "pending_requests": len(head.pending),
                "reminders": len(head.reminders),
            },
            "oldest_waiting": oldest,
            "checked_at": format_time(now),
        }

    async def _oldest(self, head: Head) -> str | None:
        """When the message was made that has waited longest."""
        table = self._kernel.settings.agents_table
        times = [str(parked["since"]) for parked in head.parked.values()]
        for prefix, line in ((ASIDE, head.aside), (BEHIND, head.waiting)):
            if line.count:
                rows = HeldRows(self._tables, self._blobs, table, head.agent, prefix=prefix)
                times += [format_time(message.time) for message in await rows.oldest(line, limit=1)]
        return min(times, key=parse_time, default=None)


def _unhealthy(head: Head, *, registered: bool) -> list[str]:
    reasons: list[str] = []
    standing, vitals = head.standing, head.vitals
    if not registered:
        reasons.append("Its type is not registered: nobody takes its messages.")
    if standing.state == "quarantined":
        reasons.append(f"It was quarantined by {standing.by}: {standing.reason}")
    if vitals.same >= _IN_A_ROW and vitals.error is not None:
        reasons.append(f"The last {vitals.same} tries failed with {vitals.error['code']!r}.")
    if len(vitals.latest) >= _ENOUGH and vitals.failure_rate >= UNHEALTHY_RATE:
        reasons.append(f"{vitals.failure_rate:.0%} of its last {len(vitals.latest)} tries failed.")
    return reasons


def _degraded(head: Head, waited: float) -> list[str]:
    reasons: list[str] = []
    standing, vitals = head.standing, head.vitals
    if standing.state in ("paused", "draining", "terminated"):
        reasons.append(f"It is {standing.state} by order of {standing.by}: {standing.reason or 'no reason given'}")
    if len(vitals.latest) >= _ENOUGH and DEGRADED_RATE <= vitals.failure_rate < UNHEALTHY_RATE:
        reasons.append(f"{vitals.failure_rate:.0%} of its last {len(vitals.latest)} tries failed.")
    if standing.state == "open" and waiting_in(head) and waited > _PATIENCE:
        reasons.append(f"{waiting_in(head)} messages wait for it, the oldest for {waited / 60:.0f} minutes.")
    return reasons
