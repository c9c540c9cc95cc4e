"""What can be read of an agent over MCP: its context, history, memory, journal and state, as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from aos.agents import PurposeDrivenAgent
from aos.kernel.errors import AosError

if TYPE_CHECKING:
    from aos.system import AgentOperatingSystem

_JSON = "application/json"
_NEWEST = 50
RESOURCES = {
    "context": "The values it keeps from turn to turn",
    "history": "The events in its history, oldest first",
    "memory": "The items in its memory, oldest first",
    "statistics": "How often its context was read and written, and how much there is of what",
    "journal": f"What it did in its newest {_NEWEST} turns, newest first",
    "state": "Its state, and how its life has gone so far",
    "goals": "The goals of its purpose, with their progress",
}


class AgentResources:
    """The resources of one agent."""

    def __init__(self, system: AgentOperatingSystem, address: str) -> None:
        self._directory = system.directory
        self._agent = system.directory.expect(address)
        self._address = address
        pursues = isinstance(self._agent, PurposeDrivenAgent)
        self._resources = {name: said for name, said in RESOURCES.items() if name != "goals" or pursues}
        self._prefix = f"aos://agents/{address}/"

    def list(self, *, whole_name: bool = False) -> list[types.Resource]:
        """All resources; their names begin with the agent's where `whole_name` says that there are others beside."""
        prefix = f"{self._address}/" if whole_name else ""
        return [
            types.Resource(uri=self._prefix + name, name=prefix + name, description=description, mime_type=_JSON)
            for name, description in self._resources.items()
        ]

    async def read(self, uri: str) -> types.TextResourceContents:
        """The content of one. Raises `MCPError` where this agent has no such resource, or has not lived yet."""
        name = uri.removeprefix(self._prefix)
        if not uri.startswith(self._prefix) or name not in self._resources:
            known = ", ".join(self._prefix + name for name in self._resources)
            raise MCPError(types.INVALID_PARAMS, f"There is no resource {uri!r} here. There are: {known}.")
        try:
            content = await self._content(name)
        except AosError as error:
            raise MCPError(types.INVALID_PARAMS, error.message, error.to_json()) from error
        return types.TextResourceContents(uri=uri, mime_type=_JSON, text=json.dumps(content, ensure_ascii=False))

    async def _content(self, name: str) -> Any:
        if name == "goals" and isinstance(self._agent, PurposeDrivenAgent):
            return await self._agent.get_purpose_status(self._address)
        if name == "state":
            return await self._directory.detail(self._address)
        if name == "journal":
            version = (await self._directory.status(self._address))["version"]
            entries = await self._directory.journal(self._address, after=max(0, version - _NEWEST), limit=_NEWEST)
            return [entry.to_json() for entry in reversed(entries)]
        context = await self._directory.context(self._address)
        if name == "context":
            return await context.get_all_context()
        if name == "statistics":
            return {**await context.get_statistics(), "metadata": context.metadata}
        return await (context.get_event_history() if name == "history" else context.get_memory())
