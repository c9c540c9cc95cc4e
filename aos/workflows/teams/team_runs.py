"""What business apps do with teams: set one to work, see how it goes, read what was said, stop it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aos.kernel.address import is_address
from aos.kernel.errors import NotAllowedNow, NotFound
from aos.kernel.kernel import Kernel
from aos.kernel.message import Message
from aos.kernel.ports import Clock, Ids
from aos.workflows.messages import TEAM_START, TEAM_TYPE, TeamStart
from aos.workflows.newest_list import new_id
from aos.workflows.teams.declared_teams import DeclaredTeams, team_of
from aos.workflows.teams.team_agent import TEAM_CANCEL
from aos.workflows.teams.team_index import TeamIndex
from aos.workflows.teams.team_state import LINE, ORDER, RESULT, Order, TeamState, line_key

SOURCE = "/api/teams"


class TeamRuns:
    """The teams at work, and those that can be set to work.

    Attributes:
        declared: Those that have a name.
        index: The list of those at work, and of those that were.
    """

    def __init__(self, kernel: Kernel, declared: DeclaredTeams, index: TeamIndex, clock: Clock, ids: Ids) -> None:
        self.declared = declared
        self.index = index
        self._kernel = kernel
        self._clock = clock
        self._ids = ids

    async def start(
        self,
        task: str,
        *,
        name: str | None = None,
        definition: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        limits: Mapping[str, Any] | None = None,
        traceparent: str | None = None,
    ) -> str:
        """Set a team to work; either its `name` or its `definition` says which.

        Returns:
            The id of the team at work.

        Raises:
            NotFound, InvalidInput: there is no such team, or the definition or the limits are none.
        """
        given = dict(definition) if definition is not None else None
        team = team_of(TeamStart(name=name, definition=given, task=task, limits=dict(limits or {})), self.declared.find)
        team_id = new_id(self._clock.now(), self._ids)
        # As it is now: another instance may have another declaration of this name by the time the team begins.
        start = TeamStart(definition=team.model_dump(mode="json"), task=task, inputs=dict(inputs or {}))
        await self.index.announce(team_id, team, task)
        await self._post(team_id, TEAM_START, start.model_dump(mode="json"), f"start-{team_id}", traceparent)
        return team_id

    async def show(self, team_id: str) -> dict[str, Any]:
        """A team at work, without its transcript. Raises `NotFound`."""
        state = await self._state(team_id)
        if state is None:
            return {**await self._announced(team_id), "members": [], "open": [], "transcript_length": 0, "result": None}
        order = Order.model_validate(await self._row(team_id, ORDER))
        members = [
            {"name": member["name"], "agent": member["agent"], "role": member["role"]}
            for member in order.team["members"]
        ]
        return {
            "id": team_id,
            **state.model_dump(mode="json", exclude={"memo", "held", "lines", "stopped"}),
            "task": order.task,
            "inputs": order.inputs,
            "members": members,
            "open": sorted(state.open),
            "transcript_length": state.lines,
            "result": await self._row(team_id, RESULT) if state.status.is_final else None,
        }

    async def result(self, team_id: str) -> dict[str, Any]:
        """What a team came to.

        Raises:
            NotFound: there is no such team.
            NotAllowedNow: it is at work still.
        """
        state = await self._state(team_id)
        if state is None:
            await self._announced(team_id)
        if state is None or not state.status.is_final:
            raise NotAllowedNow(f"Team {team_id!r} is at work still. Look again later.", code="team_not_finished")
        found: dict[str, Any] = await self._row(team_id, RESULT)
        return found

    async def transcript(self, team_id: str, *, after: int = 0, limit: int = 50) -> list[dict[str, Any]]:
        """Lines above number `after`, oldest first. Raises `NotFound`."""
        if await self._state(team_id) is None:
            await self._announced(team_id)
            return []
        found = await self._kernel.rows.page(f"{TEAM_TYPE}:{team_id}", LINE, after=line_key(after), limit=limit)
        return [line for _, line in found]

    async def cancel(self, team_id: str, reason: str) -> None:
        """Ask a team to stop. One that has ended stays as it is. Raises `NotFound`."""
        if await self._state(team_id) is None:
            await self._announced(team_id)
        await self._post(team_id, TEAM_CANCEL, {"reason": reason}, f"cancel-{team_id}", None)

    async def _state(self, team_id: str) -> TeamState | None:
        """The state of a team that has begun."""
        address = f"{TEAM_TYPE}:{team_id}"
        head = await self._kernel.heads.read(address) if is_address(address) else None
        state = TeamState() if head is None else TeamState.model_validate_json(head.state)
        return None if state.started_at is None else state

    async def _row(self, team_id: str, key: str) -> Any:
        found = await self._kernel.rows.get(f"{TEAM_TYPE}:{team_id}", key)
        return None if found is None else json.loads(found)

    async def _announced(self, team_id: str) -> dict[str, Any]:
        shown = await self.index.get(team_id)
        if shown is None:
            raise NotFound(f"There is no team {team_id!r} at work. List the teams at work to see which there are.")
        return shown

    async def _post(self, team_id: str, type_: str, data: Any, message_id: str, traceparent: str | None) -> None:
        address = f"{TEAM_TYPE}:{team_id}"
        message = Message(
            id=message_id,
            source=SOURCE,
            type=type_,
            time=self._clock.now(),
            to=address,
            data=data,
            conversation_id=address,
            traceparent=traceparent,
        )
        await self._kernel.mailbox.post(message)
