"""The list of runs, and which of them wait for events: read models fed by what the runs' agents commit.

Runs that other runs started are not listed; they are found through those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aos.kernel.head import Head
from aos.kernel.journal import JournalEntry
from aos.kernel.message import format_time
from aos.kernel.ports import Clock, Delete, Entity, TableStore, Upsert, Value
from aos.workflows.messages import RUN_TYPE, StartRun
from aos.workflows.newest_list import NewestList, is_listed
from aos.workflows.run.run_state import RunState

TABLE = "runs"
WAITS_TABLE = "runwaits"
_SHOWN = frozenset({"request", "status", "progress", "topics", "error"})
"""Parts of a run's state that the read models show."""
_ADDRESS = f"{RUN_TYPE}:"


class RunIndex:
    """Reads and feeds the list of runs. It lags behind the runs by moments."""

    def __init__(self, tables: TableStore, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock
        self._list = NewestList(tables, TABLE)

    def chooses(self, entry: JournalEntry) -> bool:
        """Whether a turn changed what is shown; most turns of a run do not."""
        return entry.agent.startswith(_ADDRESS) and any(
            not operation[1] or operation[1][0] in _SHOWN for operation in entry.patch
        )

    async def apply_entry(self, entry: JournalEntry, head: Head) -> None:
        """Bring the rows of a run up to its newest known head."""
        run_id, state = entry.agent.removeprefix(_ADDRESS), RunState.model_validate_json(head.state)
        if state.request is None:
            return
        if _is_shown(run_id):
            await self._write(run_id, head.version, state.request, state)
        await self._write_waits(run_id, state.topics)

    async def announce(self, run_id: str, request: StartRun) -> None:
        """Show a run that was started and has not had its first turn. A later row is left as it is."""
        if _is_shown(run_id):
            await self._write(run_id, 0, request, RunState(created_at=self._clock.now()))

    async def get(self, run_id: str) -> dict[str, Any] | None:
        """What the list shows of a run, or None."""
        return await self._list.get(run_id)

    async def page(
        self,
        *,
        status: str | None = None,
        workflow: str | None = None,
        owner: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Runs, newest first, and a cursor where there are more."""
        where = {"status": status, "workflow": workflow, "owner": owner}
        return await self._list.page(where, limit=limit, cursor=cursor)

    async def waiting_for(
        self, topic: str, *, limit: int = 1_000, cursor: str | None = None
    ) -> tuple[list[str], str | None]:
        """Ids of runs that wait for events of a topic, or did a moment ago, and a cursor where there are more."""
        page = await self._tables.scan(WAITS_TABLE, _partition(topic), limit=limit, cursor=cursor)
        return [entity.row for entity in page.entities], page.cursor

    async def patterns(self) -> list[str]:
        """The topics and patterns of topics that runs have waited for."""
        page = await self._tables.scan(WAITS_TABLE, _TOPICS, limit=1_000)
        return [str(entity.values["topic"]) for entity in page.entities]

    async def _write(self, run_id: str, version: int, request: StartRun, state: RunState) -> None:
        shown = {
            "id": run_id,
            "workflow": request.name,
            "version": request.definition[:12],
            "status": state.status.value,
            "progress": state.progress,
            "owner": request.owner,
            "priority": request.priority,
            "created_at": format_time(state.created_at) if state.created_at else None,
            "completed_at": format_time(state.finished_at) if state.finished_at else None,
            "cost_usd": round(state.cost_usd, 6),
            "error": None if state.error is None else str(state.error.get("message", ""))[:500],
        }
        columns: dict[str, Value] = {"status": state.status.value, "workflow": request.name}
        if request.owner is not None:
            columns["owner"] = request.owner
        await self._list.write(run_id, version, columns, shown)

    async def _write_waits(self, run_id: str, topics: Mapping[str, bool]) -> None:
        for topic, waits in topics.items():
            partition = _partition(topic)
            if waits:
                await self._tables.commit(WAITS_TABLE, [Upsert(Entity(_TOPICS, partition, {"topic": topic}))])
                await self._tables.commit(WAITS_TABLE, [Upsert(Entity(partition, run_id, {"topic": topic}))])
            elif await self._tables.get(WAITS_TABLE, partition, run_id) is not None:
                await self._tables.commit(WAITS_TABLE, [Delete(partition, run_id)])


_TOPICS = "topics"


def _partition(topic: str) -> str:
    return "t:" + quote(topic, safe="").replace("%", "=")


def _is_shown(run_id: str) -> bool:
    return is_listed(run_id) and "." not in run_id
