"""The alarm clock of the agents: each minute it puts the wakes that are due into their agents' mailboxes.

Every host may run it. A wake's message has the same id wherever it is made, so that it takes effect once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from aos.agents.agent import Agent
from aos.agents.due import Due, advance, following
from aos.agents.fact_wake import HELD, FactWake
from aos.agents.own_alarms import ALARMS, content
from aos.agents.registry import AgentRegistry
from aos.agents.wake import Wake
from aos.kernel.address import agent_type, check_address
from aos.kernel.errors import Conflict, NotFound
from aos.kernel.heads import Heads
from aos.kernel.mailbox import Mailbox
from aos.kernel.message import Message, format_time
from aos.kernel.ports import Clock, Delete, Entity, Insert, Operation, Replace, TableStore
from aos.kernel.scanning import all_rows

TABLE = "wakes"
PARTITION = "wakes"
AHEAD = timedelta(seconds=75)
"""Wakes are posted, for their exact moment, a little more than the minute ahead that passes until the next look."""


class AlarmClock:
    """Posts what the wake plans of the registered agents ask for, and shows the plans."""

    def __init__(
        self, registry: AgentRegistry, tables: TableStore, mailbox: Mailbox, clock: Clock, heads: Heads
    ) -> None:
        self._registry = registry
        self._tables = tables
        self._mailbox = mailbox
        self._clock = clock
        self._heads = heads

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

        What an agent of a type of many has of it is read from the agent itself: it has alarms from its first turn on.

        Raises:
            NotFound: the agent's type is not registered.
        """
        agent = self._registry.behaviour(agent_type(check_address(address)))
        if agent is None:
            raise NotFound(f"No agent type {agent_type(address)!r} is registered. List the agents to see which are.")
        lines: list[dict[str, Any]] = [{"kind": "message", "on": type_} for type_ in agent.message_types]
        kept = await self._kept(address)
        if not agent.listed or address != agent.type:
            alarms = kept.get(ALARMS, {})
            own = [wake for wake in timed(agent) if wake.name in alarms]
            return lines + [_line(wake, alarms[wake.name]["next"], alarms[wake.name].get("at")) for wake in own]
        lines += [{"kind": "topic", "on": topic} for topic in sorted(agent.topics)]
        now = self._clock.now()
        for wake in timed(agent):
            entity = await self._tables.get(TABLE, PARTITION, _row(agent, wake))
            last = entity.values.get("at") if entity is not None else None
            coming = following(wake, now)
            lines.append(_line(wake, format_time(coming) if coming else "", str(last) if last else ""))
        return lines + [_fact_line(wake, kept.get(HELD, {}).get(wake.name, {})) for wake in agent.fact_wakes]

    async def _kept(self, address: str) -> dict[str, Any]:
        head = await self._heads.read(address)
        state: dict[str, Any] = json.loads(head.state) if head is not None else {}
        return state

    def _plans(self) -> Iterator[tuple[Agent[Any], Wake]]:
        return ((agent, wake) for agent in self._registry if agent.listed for wake in timed(agent))

    async def _attend(self, agent: Agent[Any], wake: Wake, row: Entity | None) -> int:
        now = self._clock.now()
        known = row.values if row is not None and row.values.get("digest") == wake.digest else {}
        dues, values = advance(wake, known, now=now, until=now + AHEAD)
        for due in dues:
            await self._mailbox.post(_message(agent, wake, due, now), at=due.at if due.at > now else None)
        if dues or not known:
            await self._keep(Entity(PARTITION, _row(agent, wake), dict(values)), row)
        return len(dues)

    async def _keep(self, entity: Entity, known: Entity | None) -> None:
        operation = Insert(entity) if known is None else Replace(entity, known.etag or "")
        try:
            await self._tables.commit(TABLE, [operation])
        except Conflict:
            return  # another host looked at the same time, and did the same

    async def _rows(self) -> dict[str, Entity]:
        return {entity.row: entity for entity in await all_rows(self._tables, TABLE, PARTITION)}


def timed(agent: Agent[Any]) -> list[Wake]:
    """The wakes of a plan that the clock brings."""
    return [wake for wake in agent.wakes if isinstance(wake, Wake)]


def _row(agent: Agent[Any], wake: Wake) -> str:
    return f"{agent.type}|{wake.name}"


def _message(agent: Agent[Any], wake: Wake, due: Due, now: datetime) -> Message:
    moment = format_time(due.due)
    identity = hashlib.sha256(f"{agent.type}\n{wake.name}\n{moment}".encode()).hexdigest()[:32]
    return Message(
        id=f"wake-{identity}",
        source=f"/wakes/{agent.type}/{wake.name}",
        type=wake.message,
        time=now,
        data=content(wake, due),
        to=agent.type,
        subject=f"wake:{wake.name}",
    )


def _fact_line(wake: FactWake, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "fact",
        "on": wake.condition.words,
        "name": wake.name,
        "message": wake.message,
        "last": row.get("last"),
        "armed": row.get("digest") != wake.condition.digest or not row["held"],
    }


def _line(wake: Wake, coming: str, last: str | None) -> dict[str, Any]:
    return {
        "kind": wake.kind,
        "on": wake.schedule,
        "name": wake.name,
        "message": wake.message,
        "zone": wake.zone,
        "next": coming or None,
        "last": last or None,
        "catch_up": wake.catch_up,
        "spacing_seconds": wake.spacing.total_seconds(),
        "quiet": list(wake.quiet),
    }
