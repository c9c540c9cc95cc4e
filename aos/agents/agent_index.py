"""The list of agents that have lived: a read model fed by the first turn of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.kernel.address import agent_type
from aos.kernel.journal import JournalEntry
from aos.kernel.ports import Entity, TableStore, Upsert

TABLE = "agentindex"
PARTITION = "agents"


class AgentIndex:
    """Knows the addresses of all agents with a head."""

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    def concerns(self, agent: str, version: int) -> bool:  # noqa: ARG002  # the port's signature
        return version == 1

    async def apply(self, entry: JournalEntry, state: Mapping[str, Any]) -> None:  # noqa: ARG002
        row = Entity(PARTITION, entry.agent, {"type": agent_type(entry.agent), "since": entry.time})
        await self._tables.commit(TABLE, [Upsert(row)])

    async def page(
        self,
        *,
        type: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[str], str | None]:
        """Addresses in alphabetical order, and a cursor where there are more."""
        where: dict[str, str | int | bool] = {"type": type} if type else {}
        page = await self._tables.scan(TABLE, PARTITION, where=where, limit=limit, cursor=cursor)
        return [entity.row for entity in page.entities], page.cursor
