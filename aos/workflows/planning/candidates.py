"""The agents that could take part in a piece of work, with what is known of each."""

from __future__ import annotations

from typing import Any

from aos.agents import Agent, AgentRegistry
from aos.agents.directory import Directory
from aos.agents.work import WORK
from aos.workflows.planning.selection import Candidate

_AVAILABLE = ("created", "sleeping", "running")


class Candidates:
    """The listed agents that do steps of work (`work.do`)."""

    def __init__(self, registry: AgentRegistry, directory: Directory) -> None:
        self._registry = registry
        self._directory = directory

    @property
    def capabilities(self) -> dict[str, list[str]]:
        """What there is that can be done, in order, and the agents that can do it."""
        found: dict[str, list[str]] = {}
        for agent in self._agents():
            for capability in agent.capabilities:
                found.setdefault(capability, []).append(agent.type)
        return dict(sorted(found.items()))

    async def all(self) -> list[Candidate]:
        """All of them, each with how its work went so far. One read for each agent."""
        return [await self._candidate(agent) for agent in self._agents()]

    def _agents(self) -> list[Agent[Any]]:
        return [agent for agent in self._registry if agent.listed and WORK in agent.message_types]

    async def _candidate(self, agent: Agent[Any]) -> Candidate:
        status = await self._directory.status(agent.type)
        counters = status["counters"]
        domain = getattr(getattr(agent, "declaration", None), "domain", None)
        return Candidate(
            agent=agent.type,
            capabilities=frozenset(agent.capabilities),
            domains=frozenset({agent.type, *([domain] if domain else [])}),
            succeeded=counters.get("applied", 0),
            failed=counters.get("dead", 0),
            waiting=status.get("waiting", 0),
            available=status["status"] in _AVAILABLE,
        )
