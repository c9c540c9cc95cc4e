"""Orders of an operator: for one agent, for all agents of a type, for a team. In force once the call has returned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from aos.agents.agent_index import AgentIndex
from aos.agents.directory import Directory
from aos.agents.life import ORDERS, follow_order, state_of, waiting_in
from aos.kernel.errors import AosError, InvalidInput
from aos.kernel.head import Head
from aos.kernel.kernel import Kernel
from aos.kernel.ports import Clock
from aos.kernel.standing import Standing
from aos.kernel.type_orders import following
from aos.lifecycle.teams import Teams, whole_type

_AT_ONCE = 16


class Lifecycle:
    """Stops agents, lets them go on, ends and revives them.

    Attributes:
        teams: The named lists of agents that take orders together.
    """

    def __init__(self, kernel: Kernel, directory: Directory, index: AgentIndex, teams: Teams, clock: Clock) -> None:
        self._kernel = kernel
        self._directory = directory
        self._index = index
        self._clock = clock
        self.teams = teams

    async def order(
        self, address: str, event: str, *, reason: str = "", by: str = "operator", scope: str = ""
    ) -> dict[str, Any]:
        """Give one agent an order.

        Args:
            address: Whom.
            event: `pause`, `quarantine`, `drain`, `resume`, `terminate` (also called deregister) or `register`.
            reason: Why; one that is quarantined or terminated needs it.
            by: Who gives the order.
            scope: `team:<name>` where it is given to a team.

        Returns:
            `agent`, `status`, and who ordered it, why and when.

        Raises:
            NotFound: there is no such agent.
            NotAllowedNow: where the agent stands, the order leads nowhere.
            InvalidInput: it is no order, or lacks its reason.
        """
        _check(event, reason)
        if event == "register":
            self._directory.expect(address)
        else:
            await self._directory.status(address)

        def decide(head: Head) -> Standing | None:
            unborn = head.version == 0 and head.standing.state == "open"
            state, waiting = state_of(None if unborn else head), waiting_in(head)
            return follow_order(state, event, waiting=waiting, reason=reason, by=by, now=self._clock.now(), scope=scope)

        head = await self._kernel.order(address, decide)
        return {"agent": address, "status": state_of(head), **_shown(head.standing), "waiting": waiting_in(head)}

    async def order_type(self, type: str, event: str, *, reason: str = "", by: str = "operator") -> dict[str, Any]:
        """Give all agents of a type an order, those yet to be born included.

        An agent that was stopped on its own stays as it is, unless its type is terminated. Given again, the order
        reaches those that it did not reach before.

        Returns:
            `type`, `status`, who ordered it, why and when; `changed`: how many agents follow it from now on; `failed`:
            a sentence for each that could not be reached.

        Raises:
            UnknownAgentType: nobody registered the type.
            NotAllowedNow, InvalidInput: as for `order`.
        """
        _check(event, reason)
        self._directory.expect(type)
        current = await self._kernel.type_orders.get(type)
        state = "sleeping" if current.state == "open" else current.state
        standing = follow_order(
            state, event, waiting=0, reason=reason, by=by, now=self._clock.now(), scope=f"type:{type}"
        )
        if standing is not None:
            await self._kernel.type_orders.put(type, standing)
        in_force = standing or current
        told = {"type": type, "status": "open" if in_force.state == "open" else in_force.state, **_shown(in_force)}
        if not in_force.since:
            return {**told, "changed": 0, "failed": {}}
        return {**told, **await self._tell_all(type, in_force)}

    async def order_team(self, team: str, event: str, *, reason: str = "", by: str = "operator") -> dict[str, Any]:
        """Give every member of a team an order; one that cannot take it does not keep the others from it.

        Returns:
            `team`, `members`: what each answered, and `failed`: a sentence for each that could not take it.

        Raises:
            NotFound: there is no such team.
            InvalidInput: it is no order, or lacks its reason.
        """
        _check(event, reason)
        answers: dict[str, Any] = {}
        failed: dict[str, str] = {}
        for member in (await self.teams.get(team))["members"]:
            type_ = whole_type(member)
            try:
                if type_ is None:
                    answers[member] = await self.order(member, event, reason=reason, by=by, scope=f"team:{team}")
                else:
                    answers[member] = await self.order_type(type_, event, reason=reason, by=by)
            except AosError as error:
                failed[member] = error.message
        return {"team": team, "event": event, "members": answers, "failed": failed}

    async def type_status(self, type: str) -> dict[str, Any]:
        """The order in force for a type. Raises `UnknownAgentType`."""
        self._directory.expect(type)
        standing = await self._kernel.type_orders.get(type)
        return {"type": type, "status": standing.state, **_shown(standing)}

    async def history(self, address: str, *, after: int = 0, limit: int = 50) -> list[dict[str, Any]]:
        """The orders an agent was given, oldest first, from its journal; of turns above version `after`."""
        await self._directory.status(address)
        entries = await self._kernel.journal.orders(address, after=after, limit=limit)
        return [{"version": entry.version, "time": entry.time, **entry.order} for entry in entries]

    async def _tell_all(self, type: str, standing: Standing) -> dict[str, Any]:
        gate = asyncio.Semaphore(_AT_ONCE)
        failed: dict[str, str] = {}
        changed = 0

        async def tell(address: str) -> None:
            nonlocal changed
            async with gate:
                try:
                    head = await self._kernel.order(address, following(standing))
                except AosError as error:
                    failed[address] = error.message
                else:
                    changed += head.standing == standing

        async for addresses in self._pages(type):
            await asyncio.gather(*map(tell, addresses))
        return {"changed": changed, "failed": failed}

    async def _pages(self, type: str) -> AsyncIterator[list[str]]:
        cursor: str | None = None
        while True:
            addresses, cursor = await self._index.page(type=type, limit=1_000, cursor=cursor)
            yield addresses
            if cursor is None:
                return


def _check(event: str, reason: str) -> None:
    if event not in ORDERS:
        raise InvalidInput(f"{event!r} is no order. There are: {', '.join(ORDERS)}.")
    if event in ("quarantine", "terminate") and not reason.strip():
        raise InvalidInput(f"Say why: {event} needs a `reason`, for whoever finds the agent that way.")


def _shown(standing: Standing) -> dict[str, Any]:
    return {"reason": standing.reason, "since": standing.since, "by": standing.by, "scope": standing.scope}
