"""Orders for whole agent types: in force for agents that live, and for those that are yet to be born."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aos.kernel.address import agent_type
from aos.kernel.head import Head
from aos.kernel.journal import JournalEntry
from aos.kernel.message import parse_time
from aos.kernel.ports import Entity, TableStore, Upsert
from aos.kernel.scanning import all_rows
from aos.kernel.standing import OPEN, Standing

PARTITION = "types"

Decide = Callable[[Head], Standing | None]
"""What an agent's standing is to become, given its head; None to leave it."""


class TypeOrders:
    """One row for each type that an order was given to."""

    def __init__(self, tables: TableStore, table: str) -> None:
        self._tables = tables
        self._table = table

    async def get(self, agent_type: str) -> Standing:
        """The order in force for a type. One storage transaction."""
        entity = await self._tables.get(self._table, PARTITION, agent_type)
        return OPEN if entity is None else _standing(entity)

    async def put(self, agent_type: str, standing: Standing) -> None:
        entity = Entity(PARTITION, agent_type, {**standing.to_json()})
        await self._tables.commit(self._table, [Upsert(entity)])

    async def all(self) -> dict[str, Standing]:
        """The latest order of each type that ever had one, by type."""
        return {entity.row: _standing(entity) for entity in await all_rows(self._tables, self._table, PARTITION)}


class BirthCheck:
    """Looks, once an agent is born and listed, whether its type was given an order meanwhile.

    Whoever gives one writes it down, and then goes through the list: so either he finds the agent, or this finds it.
    """

    def __init__(self, orders: TypeOrders, order: Callable[[str, Decide], Awaitable[object]]) -> None:
        self._orders = orders
        self._order = order

    def concerns(self, agent: str, version: int) -> bool:  # noqa: ARG002  # the port's signature
        return version == 1

    async def apply(self, entry: JournalEntry, state: Mapping[str, Any]) -> None:  # noqa: ARG002
        ordered = await self._orders.get(agent_type(entry.agent))
        if ordered.since and ordered.since != entry.order.get("since"):
            await self._order(entry.agent, following(ordered))


def following(ordered: Standing) -> Decide:
    """Has an agent follow an order for its type, where that is newer than what stands for the agent.

    An agent that was stopped on its own stays as it is, unless its type is terminated.
    """

    def decide(head: Head) -> Standing | None:
        own = head.standing
        if own.since and parse_time(own.since) >= parse_time(ordered.since):
            return None
        if own.state == ordered.state:
            return None
        if own.state != "open" and own.scope != ordered.scope and ordered.state != "terminated":
            return None
        return ordered

    return decide


def _standing(entity: Entity) -> Standing:
    return Standing(**entity.values)  # type: ignore[arg-type]  # as `put` wrote them
