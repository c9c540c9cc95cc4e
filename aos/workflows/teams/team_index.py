"""The list of teams at work, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.kernel.journal import JournalEntry
from aos.kernel.message import format_time
from aos.kernel.ports import TableStore, Value
from aos.workflows.messages import TEAM_TYPE
from aos.workflows.newest_list import NewestList, is_listed
from aos.workflows.teams.definition import Team
from aos.workflows.teams.team_state import MOST_TASK, TeamState, TeamStatus

TABLE = "teamruns"


class TeamIndex:
    """A read model fed by the turns in which a team begins and ends; teams within teams are not listed."""

    def __init__(self, tables: TableStore) -> None:
        self._list = NewestList(tables, TABLE)

    def concerns(self, agent: str, version: int) -> bool:  # noqa: ARG002  # whether it ended is in the state
        type_, _, run_id = agent.partition(":")
        return type_ == TEAM_TYPE and "." not in run_id and is_listed(run_id)

    async def apply(self, entry: JournalEntry, state: Mapping[str, Any]) -> None:
        """Bring a team's row up to this entry where it has begun or ended."""
        team = TeamState.model_validate(state)
        if team.started_at is None or not (team.status.is_final or entry.version == 1):
            return
        columns, shown = _row(entry.agent.partition(":")[2], team.name, team.kind, team.task, team.status)
        shown |= {
            "reason": team.reason,
            "created_at": format_time(team.started_at),
            "completed_at": format_time(team.finished_at) if team.finished_at else None,
            "cost_usd": team.cost_usd,
        }
        await self._list.write(shown["id"], entry.version, columns, shown)

    async def announce(self, run_id: str, team: Team, task: str) -> None:
        """Show a team that was set to work and has not had its first turn."""
        columns, shown = _row(run_id, team.name, team.kind, task, TeamStatus.PENDING)
        await self._list.write(run_id, 0, columns, shown)

    async def get(self, run_id: str) -> dict[str, Any] | None:
        return await self._list.get(run_id)

    async def page(
        self,
        *,
        status: str | None = None,
        kind: str | None = None,
        name: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Teams at work and those that were, newest first, and a cursor where there are more."""
        return await self._list.page({"status": status, "kind": kind, "name": name}, limit=limit, cursor=cursor)


def _row(run_id: str, name: str, kind: str, task: str, status: TeamStatus) -> tuple[dict[str, Value], dict[str, Any]]:
    columns: dict[str, Value] = {"status": status.value, "kind": kind, "name": name}
    return columns, {"id": run_id, **columns, "task": task[:MOST_TASK]}
