"""Commands to agents in the words of other systems: start, stop, restart, reload_registry.

Nothing runs here that would have to be started: to start an agent is to let it take messages again.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aos.agents.declarations import Declarations
from aos.agents.directory import Directory
from aos.agents.registry import AgentRegistry
from aos.lifecycle.lifecycle import Lifecycle

_STOPPED = ("paused", "quarantined", "draining")


class AgentCommand(BaseModel):
    """One command.

    Attributes:
        command: What to do.
        agent_id: To whom; `reload_registry` needs none.
        params: `reason` and `by` are put on record; others are not taken.
    """

    model_config = ConfigDict(extra="forbid")

    command: Literal["start", "stop", "restart", "reload_registry"]
    agent_id: str | None = Field(default=None, min_length=1)
    params: dict[Literal["reason", "by"], str] = {}

    @model_validator(mode="after")
    def _whom(self) -> AgentCommand:
        if self.agent_id is None and self.command != "reload_registry":
            raise ValueError(f"`{self.command}` needs an `agent_id`")
        return self


class AgentCommands:
    """Carries commands out, as orders to agents."""

    def __init__(
        self, lifecycle: Lifecycle, directory: Directory, declarations: Declarations, registry: AgentRegistry
    ) -> None:
        self._lifecycle = lifecycle
        self._directory = directory
        self._declarations = declarations
        self._registry = registry

    async def run(self, command: AgentCommand) -> dict[str, Any]:
        """Carry one out. Repeated, it changes nothing more.

        Returns:
            `command`, `agent_id`, and the agent's `status`; for `reload_registry` the `agents` there are now.

        Raises:
            NotFound: there is no such agent.
            NotAllowedNow: where the agent stands, the command leads nowhere.
            StoreUnavailable: storage does not answer.
        """
        if command.agent_id is None or command.command == "reload_registry":
            await self._declarations.refresh()
            agents = sorted(agent.type for agent in self._registry if agent.listed)
            return {"command": command.command, "agent_id": None, "agents": agents}
        by = command.params.get("by", "operator")
        reason = command.params.get("reason", "")
        events = {"start": ("resume",), "stop": ("pause",), "restart": ("pause", "resume")}[command.command]
        status = ""
        for event in await self._leading(command.agent_id, events):
            status = (await self._lifecycle.order(command.agent_id, event, reason=reason, by=by))["status"]
        return {"command": command.command, "agent_id": command.agent_id, "status": status}

    async def _leading(self, agent: str, events: tuple[str, ...]) -> tuple[str, ...]:
        """The orders that bring it about: who has ended must be registered anew, who stands need not be paused."""
        status = (await self._directory.status(agent))["status"]
        if status == "terminated" and events[-1] == "resume":
            return ("register",)
        return ("resume",) if len(events) > 1 and status in _STOPPED else events
