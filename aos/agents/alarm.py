"""The alarm clock of the agents: each minute it puts the wakes that are due into their agents' mailboxes.

Every host may run it. A wake's message has the same id wherever it is made, so that it takes effect once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from aos.agents.agent import Agent
from aos.agents.due import Due, following, to_send
from aos.agents.registry import AgentRegistry
from aos.agents.wake import Wake
from aos.kernel.address import agent_type, check_address
from aos.kernel.errors import Conflict, NotFound
from aos.kernel.mailbox import Mailbox
from aos.kernel.message import Message, format_time, parse_time
from aos.kernel.ports import Clock, Delete, Entity, Insert, Operation, Replace, TableStore

TABLE = "wakes"
PARTITION = "wakes"
AHEAD = timedelta(seconds=75)
"""Wakes are posted, for their exact moment, a little more than the minute ahead that passes until the next look."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class AlarmClock:
    """Posts what the wake plans of the registered agents ask for, and shows the plans."""

    def __init__(self, registry: AgentRegistry, tables: TableStore, mailbox: Mailbox, clock: Clock) -> None:
        self._registry = registry
        self._tables = tables
        self._mailbox = mailbox
        self._clock = clock

    async def ring(self) -> int:
        """Post the wakes that are due, those missed included; returns how many messages that were.

        Raises:
            BusUnavailable, StoreUnavailable: not all was done; the next call makes up for it.
        """
        plans = list(self._plans())
        if not plans:
            return 0
        rows = await self._rows()
        return sum([await self._attend(agent, wake, rows.get(_row(agent, wake))) for agent, wake in plans])

    async def sweep(self) -> int:
        """Forget the wakes that no agent has any more; returns how many."""
        known = {_row(agent, wake) for agent, wake in self._plans()}
        gone: list[Operation] = [Delete(PARTITION, row) for row in await self._rows() if row not in known]
        for start in range(0, len(gone), 100):
            await self._tables.commit(TABLE, gone[start : start + 100])
        return len(gone)

    async def plan(self, address: str) -> list[dict[str, Any]]:
        """The wake plan of an agent, a line for each thing that wakes it, with the moments of the timed ones.

        The clock wakes the one agent at the address of its type, not those that share its type.

        Raises:
            NotFound: the agent's type is not registered.
        """
        agent = self._registry.behaviour(agent_type(check_address(address)))
        if agent is None:
            raise NotFound(f"No agent type {agent_type(address)!r} is registered. List the agents to see which are.")
        lines: list[dict[str, Any]] = [{"kind": "message", "on": type_} for type_ in agent.message_types]
        if not agent.listed or address != agent.type:
            return lines
        lines += [{"kind": "topic", "on": topic} for topic in sorted(agent.topics)]
        now = self._clock.now()
        for wake in agent.wakes:
            entity = await self._tables.get(TABLE, PARTITION, _row(agent, wake))
            last = entity.values.get("at") if entity is not None else None
            lines.append(_line(wake, now, str(last) if last else None))
        return lines

    def _plans(self) -> Iterator[tuple[Agent[Any], Wake]]:
        return ((agent, wake) for agent in self._registry if agent.listed for wake in agent.wakes)

    async def _attend(self, agent: Agent[Any], wake: Wake, row: Entity | None) -> int:
        now = self._clock.now()
        known = row.values if row is not None and row.values.get("digest") == wake.digest else {}
        start = _NEVER if wake.at is not None else now
        after = parse_time(str(known["after"])) if "after" in known else start
        until = now + AHEAD
        last_due = parse_time(str(known["due"])) if known.get("due") else _NEVER
        previous = parse_time(str(known["at"])) if known.get("at") else None
        dues = [due for due in to_send(wake, after, until, now, previous) if due.due > last_due]
        for due in dues:
            await self._mailbox.post(_message(agent, wake, due, now), at=due.at if due.at > now else None)
        if dues or not known:
            values = {"digest": wake.digest, "after": format_time(max(until, after))}
            values["due"] = format_time(dues[-1].due) if dues else str(known.get("due", ""))
            values["at"] = format_time(dues[-1].at) if dues else str(known.get("at", ""))
            await self._keep(Entity(PARTITION, _row(agent, wake), values), row)
        return len(dues)

    async def _keep(self, entity: Entity, known: Entity | None) -> None:
        operation = Insert(entity) if known is None else Replace(entity, known.etag or "")
        try:
            await self._tables.commit(TABLE, [operation])
        except Conflict:
            return  # another host looked at the same time, and did the same

    async def _rows(self) -> dict[str, Entity]:
        rows: dict[str, Entity] = {}
        cursor: str | None = None
        while True:
            page = await self._tables.scan(TABLE, PARTITION, limit=1_000, cursor=cursor)
            rows.update({entity.row: entity for entity in page.entities})
            cursor = page.cursor
            if cursor is None:
                return rows


def _row(agent: Agent[Any], wake: Wake) -> str:
    return f"{agent.type}|{wake.name}"


def _message(agent: Agent[Any], wake: Wake, due: Due, now: datetime) -> Message:
    moment = format_time(due.due)
    identity = hashlib.sha256(f"{agent.type}\n{wake.name}\n{moment}".encode()).hexdigest()[:32]
    facts = {"wake": wake.name, "due": moment, "stands_for": due.stands_for}
    return Message(
        id=f"wake-{identity}",
        source=f"/wakes/{agent.type}/{wake.name}",
        type=wake.message,
        time=now,
        data=facts if wake.data is None else wake.data,
        to=agent.type,
        subject=f"wake:{wake.name}",
    )


def _line(wake: Wake, now: datetime, last: str | None) -> dict[str, Any]:
    coming = following(wake, now)
    return {
        "kind": wake.kind,
        "on": wake.when,
        "name": wake.name,
        "message": wake.message,
        "zone": wake.zone,
        "next": format_time(coming) if coming else None,
        "last": last,
        "catch_up": wake.catch_up,
        "spacing_seconds": wake.spacing.total_seconds(),
        "quiet": list(wake.quiet),
    }
