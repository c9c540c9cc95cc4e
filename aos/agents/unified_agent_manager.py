"""Registers agents with the running system, and says how they all are: registry and directory under one contract."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from aos.agents.agent import Agent
from aos.agents.directory import Directory
from aos.agents.perpetual_agent import PerpetualAgent
from aos.agents.registry import AgentRegistry
from aos.kernel.errors import AosError, NotFound
from aos.kernel.ports import Clock

_AT_ONCE = 16


class UnifiedAgentManager:
    """The agents of a system as their operator sees them.

    An agent is perpetual when it is always there under its type; agents of a type of many (`task:<id>`) come with a
    piece of work, and count as task-based.
    """

    def __init__(self, registry: AgentRegistry, directory: Directory, clock: Clock) -> None:
        self._registry = registry
        self._directory = directory
        self._clock = clock

    async def register_agent(self, agent: Agent[Any], *, perpetual: bool = True) -> bool:
        """Have an agent take messages in this process, from now on.

        Args:
            agent: The agent.
            perpetual: False only registers it; otherwise it is looked whether it can be woken, too.

        Raises:
            AlreadyExists: its type is taken.
            StoreUnavailable: it could not be woken now; it is not registered then.
        """
        self._registry.register(agent)
        if not perpetual or not isinstance(agent, PerpetualAgent):
            return True
        try:
            return await agent.start()
        except AosError:
            self._registry.unregister(agent.type)
            raise

    async def deregister_agent(self, agent_id: str) -> bool:
        """Have an agent take no more messages in this process; it keeps its state. False where there is none."""
        return self._registry.unregister(agent_id)

    def get_agent(self, agent_id: str) -> Agent[Any] | None:
        """The code of an agent."""
        return self._registry.behaviour(agent_id)

    async def list_agents(self) -> list[dict[str, Any]]:
        """All agents, with `operational_mode` and `is_persistent`; see `Directory.status` for the rest."""
        return [self._with_mode(status) for status in await self._directory.all()]

    async def list_perpetual_agents(self) -> list[dict[str, Any]]:
        """Those that are always there."""
        return [status for status in await self.list_agents() if status["operational_mode"] == "perpetual"]

    async def get_agent_statistics(self) -> dict[str, Any]:
        """How many agents there are of which kind and in which state, and what they did in all."""
        agents = await self.list_agents()
        perpetual = sum(status["operational_mode"] == "perpetual" for status in agents)
        states = Counter(str(status["status"]) for status in agents)
        messages: Counter[str] = Counter()
        for status in agents:
            messages.update(status["counters"])
        return {
            "total_agents": len(agents),
            "perpetual_agents": perpetual,
            "task_based_agents": len(agents) - perpetual,
            "perpetual_percentage": round(100 * perpetual / len(agents), 2) if agents else 0.0,
            "by_status": dict(sorted(states.items())),
            "sleeping_agents": states["sleeping"],
            "total_wakes": sum(status["wakes"] for status in agents),
            "total_events_processed": messages["applied"],
            "messages": dict(sorted(messages.items())),
            "waiting_messages": sum(status.get("waiting", 0) for status in agents),
        }

    async def health_check(self, agent_id: str) -> dict[str, Any]:
        """How one agent is: `agent_id`, `state`, `healthy`, `timestamp`, `operational_mode`, and what its kind adds.

        Raises:
            NotFound: there is no such agent.
        """
        agent = self._registry.behaviour(agent_id)
        if agent is None:
            raise NotFound(f"There is no agent {agent_id!r}. List the agents to see which there are.")
        mode = _mode(agent)
        if isinstance(agent, PerpetualAgent):
            return {**await agent.health_check(), "operational_mode": mode}
        status = await self._directory.status(agent_id)
        return {
            "agent_id": agent_id,
            "state": status["status"],
            "healthy": status["registered"],
            "timestamp": self._clock.now().isoformat(),
            "operational_mode": mode,
        }

    async def health_check_all(self) -> dict[str, dict[str, Any]]:
        """How each registered single agent is; one that cannot be looked at is unhealthy, with the `error`."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def look(agent_id: str) -> dict[str, Any]:
            async with gate:
                try:
                    return await self.health_check(agent_id)
                except AosError as error:
                    return {"agent_id": agent_id, "healthy": False, "error": error.message}

        ids = [agent.type for agent in self._registry if agent.listed]
        return dict(zip(ids, await asyncio.gather(*map(look, ids)), strict=True))

    def _with_mode(self, status: dict[str, Any]) -> dict[str, Any]:
        agent = self._registry.behaviour(str(status["type"]))
        mode = _mode(agent) if agent is not None else "task-based"
        return {**status, "operational_mode": mode, "is_persistent": mode == "perpetual"}


def _mode(agent: Agent[Any]) -> str:
    return "perpetual" if agent.listed else "task-based"
