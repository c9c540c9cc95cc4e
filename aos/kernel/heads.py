"""Reads heads, and keeps those of recent turns: while a mailbox stays here nobody else writes its head."""

from __future__ import annotations

from collections import OrderedDict

from aos.kernel.head import ROW, Head, decode_head
from aos.kernel.ports import BlobStore, Clock, TableStore
from aos.kernel.settings import KernelSettings


class Heads:
    """The heads of agents, from memory where they can be trusted."""

    def __init__(self, tables: TableStore, blobs: BlobStore, clock: Clock, settings: KernelSettings) -> None:
        self._tables = tables
        self._blobs = blobs
        self._clock = clock
        self._settings = settings
        self._cached: OrderedDict[str, tuple[float, Head]] = OrderedDict()

    def remembered(self, agent: str) -> Head | None:
        """The head this instance wrote a moment ago, if it did."""
        kept = self._cached.get(agent)
        if kept is None or self._clock.monotonic() - kept[0] > self._settings.cache_seconds:
            return None
        return kept[1]

    async def read(self, agent: str, *, window: int = 256) -> Head | None:
        """The stored head, None where the agent has not lived yet. One storage transaction."""
        entity = await self._tables.get(self._settings.agents_table, agent, ROW)
        if entity is None:
            return None
        return await decode_head(entity, window=window, blobs=self._blobs)

    def remember(self, head: Head) -> None:
        self._cached[head.agent] = (self._clock.monotonic(), head)
        self._cached.move_to_end(head.agent)
        while len(self._cached) > self._settings.cache_size:
            self._cached.popitem(last=False)

    def forget(self, agent: str) -> None:
        self._cached.pop(agent, None)
