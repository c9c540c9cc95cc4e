"""Finds agents that are stuck, from time to time, and repairs them, or quarantines what cannot be repaired.

Each repair is an order in the agent's journal, and a line in the list of repairs.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from aos.agents.agent_index import AgentIndex
from aos.agents.life import follow_order, state_of, timeout_of, waiting_in
from aos.kernel.address import agent_type
from aos.kernel.errors import NotFound
from aos.kernel.head import Head
from aos.kernel.kernel import Kernel
from aos.kernel.message import Message, format_time, parse_time
from aos.kernel.ports import Clock, Entity, TableStore, Upsert
from aos.kernel.standing import Standing
from aos.kernel.type_orders import Decide, following
from aos.lifecycle.repairs import Repairs

BY = "aos.recovery"
POISON = 20
"""Tries in a row that failed by the agent's own fault, with the same code, after which it is quarantined."""
OWN_FAULTS = frozenset({"handler_failed", "timeout_error", "state_too_large", "state_not_json"})
"""Codes of failures that lie with the agent, not with whoever sent the message."""
PATIENCE = timedelta(minutes=10)
"""How long what should have happened may be late."""
_LATELY = timedelta(days=1)
_AGENTS = 1_000
"""Agents looked at in one sweep; the next goes on behind them."""
_REMINDERS = 20
_POSITION = ("recovery", "position")


class Recovery:
    """Looks after agents that cannot look after themselves.

    Attributes:
        repairs: What it did.
    """

    def __init__(self, kernel: Kernel, index: AgentIndex, tables: TableStore, clock: Clock) -> None:
        self._kernel = kernel
        self._index = index
        self._tables = tables
        self._clock = clock
        self._table = kernel.settings.orders_table
        self.repairs = Repairs(tables, clock, self._table)

    async def sweep(self) -> int:
        """Look at the agents that are due, at most 1,000; returns how many repairs were made.

        Raises:
            StoreUnavailable, BusUnavailable: not all was done; the next sweep goes on.
        """
        types = await self._kernel.type_orders.all()
        row = await self._tables.get(self._table, *_POSITION)
        cursor = str(row.values["cursor"]) if row is not None and row.values["cursor"] else None
        addresses, following_cursor = await self._index.page(limit=_AGENTS, cursor=cursor)
        made = 0
        for address in addresses:
            head = await self._kernel.heads.read(address)
            if head is not None and self._kernel.catalogue.behaviour(agent_type(address)) is not None:
                made += await self._attend(head, types.get(agent_type(address)))
        place = Entity(*_POSITION, {"cursor": following_cursor or ""})
        await self._tables.commit(self._table, [Upsert(place)])
        await self.repairs.sweep()
        return made

    async def _attend(self, head: Head, ordered: Standing | None) -> int:
        made = 0
        if ordered is not None and following(ordered)(head) is not None:
            made += await self._order(head, "followed the order for its type", following(ordered))
        due = timeout_of(head.standing, self._clock.now())
        if due is not None:
            reason = "Draining took too long; it is paused with what is left."
            made += await self._order(head, reason, self._event("draining_timeout", reason))
        elif self._is_poisoned(head):
            error = head.vitals.error or {}
            reason = f"The last {head.vitals.same} tries failed with {error.get('code')!r}: {error.get('message')}"
            made += await self._order(head, reason, self._event("quarantine", reason))
        elif self._is_stuck(head):
            reason = f"{waiting_in(head)} messages were put aside, and nobody took them up."
            made += await self._order(head, reason, self._nudge(reason))
        return made + await self._send_what_was_not(head) + await self._remind(head)

    async def _order(self, head: Head, what: str, decide: Decide) -> int:
        before = head.version
        after = await self._kernel.order(head.agent, decide)
        if after.version == before:
            return 0
        await self.repairs.add(head.agent, what)
        return 1

    def _event(self, event: str, reason: str) -> Decide:
        """An order where it still leads somewhere: the agent may have gone on since it was looked at."""

        def decide(head: Head) -> Standing | None:
            if event == "quarantine" and not self._is_poisoned(head):
                return None
            if event == "draining_timeout" and timeout_of(head.standing, self._clock.now()) is None:
                return None
            return follow_order(
                state_of(head), event, waiting=waiting_in(head), reason=reason, by=BY, now=self._clock.now()
            )

        return decide

    def _nudge(self, reason: str) -> Decide:
        def decide(head: Head) -> Standing | None:
            if not self._is_stuck(head):
                return None
            if head.standing.state == "terminated":
                return replace(head.standing, event="recover")
            now = format_time(self._clock.now())
            return Standing(event="recover", reason=reason, by=BY, since=now, scope=head.standing.scope)

        return decide

    def _is_poisoned(self, head: Head) -> bool:
        error = head.vitals.error
        failing = error is not None and error["code"] in OWN_FAULTS and head.vitals.same >= POISON
        return failing and head.standing.state == "open"

    def _is_stuck(self, head: Head) -> bool:
        left = head.aside.count + (head.waiting.count if head.standing.state == "terminated" else 0)
        return bool(left) and head.standing.state in ("open", "terminated") and self._is_late(parse_time(head.updated))

    def _is_late(self, moment: datetime) -> bool:
        return self._clock.now() - moment > PATIENCE

    def _is_past(self, moment: datetime) -> bool:
        return self._clock.now() - moment > _LATELY

    async def _send_what_was_not(self, head: Head) -> int:
        """Publish an order again whose dead letters did not reach the store: no message comes back to have it done."""
        since = head.standing.since
        if not since or not self._is_late(parse_time(head.updated)) or self._is_past(parse_time(since)):
            return 0
        entry = await self._kernel.journal.entry(head.agent, head.version)
        if not entry.order or not entry.dead or await self._is_stored(entry.dead[-1]["id"]):
            return 0
        await self._kernel.publish_again(head.agent, head.version)
        await self.repairs.add(head.agent, f"published turn {head.version} again")
        return 1

    async def _is_stored(self, dead_letter_id: str) -> bool:
        try:
            await self._kernel.dead_letters.get(dead_letter_id)
        except NotFound:
            return False
        return True

    async def _remind(self, head: Head) -> int:
        """Send reminders again that should have come and did not. The bus lost them, or they were never sent."""
        if head.standing.state != "open" or head.aside.count:
            return 0
        made = 0
        for name, message_id in list(head.reminders.items())[:_REMINDERS]:
            message, due = await self._reminder(head.agent, message_id)
            if message is None or due is None or not self._is_late(due) or self._is_past(due):
                continue
            if head.recent.version_of(message.dedupe_key) is None:
                await self._kernel.mailbox.post(message)
                await self.repairs.add(head.agent, f"sent reminder {name!r} again, due at {format_time(due)}")
                made += 1
        return made

    async def _reminder(self, agent: str, message_id: str) -> tuple[Message | None, datetime | None]:
        version = message_id.removeprefix(f"{agent}:").partition(":")[0]
        if not version.isdigit():
            return None, None
        try:
            entry = await self._kernel.journal.entry(agent, int(version))
        except NotFound:
            return None, None
        for record in entry.sent:
            if record["body"].get("id") == message_id and "at" in record:
                return Message.from_json(record["body"]), parse_time(record["at"])
        return None, None
