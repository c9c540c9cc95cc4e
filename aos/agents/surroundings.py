"""What an agent finds around it in the system it is registered with: the other agents, models, and the kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from aos.kernel.errors import NotAllowedNow
from aos.kernel.ports import Clock, Ids
from aos.tools.calculator import calculator
from aos.tools.registry import ToolRegistry
from aos.tools.tool_source import ToolSource

if TYPE_CHECKING:
    from aos.agents.agent import Agent
    from aos.kernel.kernel import Kernel
    from aos.llm.router import ModelRouter


class Roster(Protocol):
    """The agents there are. `AgentRegistry` is one."""

    def takers(self, message_type: str) -> list[str]: ...

    def behaviour(self, agent_type: str) -> Agent[Any] | None: ...

    def register(self, agent: Agent[Any]) -> None: ...

    def unregister(self, agent_type: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class House:
    """The running system: who takes turns, by what clock, under which ids."""

    kernel: Kernel
    clock: Clock
    ids: Ids


@dataclass(slots=True)
class Surroundings:
    """What there is; an agent that is not registered has nothing.

    Attributes:
        roster: The other agents.
        house: The running system.
        tools: The tools there are, of which each agent sees those it was granted.
        servers: The MCP servers, of whose tools each agent sees those it was granted.
        find_router: Gives the model router, or None where no model is configured; called when first a model is asked.
    """

    roster: Roster | None = None
    house: House | None = None
    tools: ToolRegistry = field(default_factory=lambda: ToolRegistry([calculator]))
    servers: ToolSource | None = None
    find_router: Callable[[], ModelRouter | None] | None = None

    @property
    def router(self) -> ModelRouter | None:
        return self.find_router() if self.find_router is not None else None

    def expect_roster(self, agent_type: str) -> Roster:
        """The other agents. Raises `NotAllowedNow`."""
        if self.roster is None:
            raise NotAllowedNow(
                f"Agent type {agent_type!r} is not registered. Register it with `AgentRegistry.register`."
            )
        return self.roster

    def expect_house(self, agent_type: str) -> House:
        """The running system. Raises `NotAllowedNow`."""
        if self.house is None:
            raise NotAllowedNow(
                f"Agent type {agent_type!r} is not registered with a running system. Use "
                "`AgentOperatingSystem.register_agent`, or put it into the agents package."
            )
        return self.house
