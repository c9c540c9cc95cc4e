"""The registry: which agent types there are, found in the `agents` folder or registered by hand."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from aos.agents.agent import Agent
from aos.agents.surroundings import Surroundings
from aos.agents.topics import best
from aos.kernel.address import check_address
from aos.kernel.errors import AlreadyExists, SettingInvalid
from aos.kernel.message import Message

ENTRY_POINTS = "aos.agents"
"""Group of the entry points by which other installed packages offer agents."""


class AgentRegistry:
    """The agent types of this process. It is the kernel's catalogue.

    Most are there from the start; those declared at run time come and go with `declare` and `withdraw`.

    Attributes:
        folders: Where the application's agents are, and with them its files that declare more.
        subscriptions: Each gives the agents of types of many, such as `pattern:<name>`, that an event is for.
    """

    def __init__(self, agents: Iterable[Agent[Any]] = ()) -> None:
        self.surroundings = Surroundings(self)
        self.folders: tuple[str, ...] = ()
        self.subscriptions: list[Callable[[Message], Iterable[str]]] = []
        self._agents: dict[str, Agent[Any]] = {}
        self._declared: dict[str, Agent[Any]] = {}
        for agent in agents:
            self.register(agent)

    def __iter__(self) -> Iterator[Agent[Any]]:
        return iter([*self._agents.values(), *self._declared.values()])

    def register(self, agent: Agent[Any]) -> None:
        """Add an agent type.

        Raises:
            InvalidInput: its type cannot be an address.
            AlreadyExists: the type is taken, or the name of one of its tools is.
        """
        check_address(agent.type)
        if agent.type in self._agents:
            other = type(self._agents[agent.type]).__name__
            raise AlreadyExists(f"Agent type {agent.type!r} is registered already, by {other}. Choose another type.")
        for tool in agent.tools:
            if not isinstance(tool, str):
                self.surroundings.tools.register(tool)
        self._agents[agent.type] = agent
        agent.surroundings = self.surroundings

    def unregister(self, agent_type: str) -> bool:
        """Take an agent type out. Its agents keep their state; messages to them become dead letters."""
        return self._agents.pop(agent_type, None) is not None

    def is_fixed(self, agent_type: str) -> bool:
        """Whether the type is there from the start, so that none of its name can be declared at run time."""
        return agent_type in self._agents

    def declare(self, agent: Agent[Any]) -> None:
        """Have a type in force that was declared at run time, in place of an earlier declaration of it."""
        check_address(agent.type)
        if agent.type in self._agents:
            raise AlreadyExists(f"Agent type {agent.type!r} comes with the application. Choose another id.")
        self._declared = {**self._declared, agent.type: agent}
        agent.surroundings = self.surroundings

    def withdraw(self, agent_type: str) -> None:
        """Take back what `declare` did. Its agents keep their state."""
        self._declared = {type_: agent for type_, agent in self._declared.items() if type_ != agent_type}

    def behaviour(self, agent_type: str) -> Agent[Any] | None:
        return self._agents.get(agent_type) or self._declared.get(agent_type)

    def takers(self, message_type: str) -> list[str]:
        """The listed agents that handle messages of this type."""
        return [agent.type for agent in self if agent.listed and message_type in agent.message_types]

    def subscribers(self, event: Message) -> list[str]:
        """The listed agents that subscribed to the event's topic, by its name or by a pattern, and `subscriptions`."""
        topic = event.topic or ""
        listed = [agent.type for agent in self if agent.listed and best(agent.topics | agent.fact_topics, topic)]
        return [*listed, *(address for subscription in self.subscriptions for address in subscription(event))]


def discover(package: ModuleType, registry: AgentRegistry) -> None:
    """Register what the sub-packages of a package offer: `AGENT` (or `AGENTS`) and `TOOLS`.

    Raises:
        SettingInvalid: a sub-package cannot be imported; the message names it.
    """
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not found.ispkg:
            continue
        try:
            module = importlib.import_module(found.name)
        except Exception as error:
            raise SettingInvalid(f"Agent package {found.name!r} cannot be imported: {error}") from error
        _register_all(module, registry)


def discover_installed(registry: AgentRegistry) -> None:
    """Register what installed packages offer: each entry point of the group `aos.agents` names a class or a module.

    Raises:
        SettingInvalid: one cannot be loaded, or is neither; the message names it and its package.
    """
    for point in entry_points(group=ENTRY_POINTS):
        source = f"Entry point {point.name!r} of {point.dist.name if point.dist else 'a package'}"
        try:
            offered = point.load()
        except Exception as error:
            raise SettingInvalid(f"{source} cannot be loaded from {point.value!r}: {error}") from error
        if isinstance(offered, ModuleType):
            registry.folders += tuple(getattr(offered, "__path__", ()))
            _register_all(offered, registry)
        elif isinstance(offered, type) and issubclass(offered, Agent):
            registry.register(offered())
        else:
            raise SettingInvalid(f"{source} is {offered!r}. Name an `Agent` class, or a module with `AGENT` in it.")


def _register_all(module: ModuleType, registry: AgentRegistry) -> None:
    single = [module.AGENT] if hasattr(module, "AGENT") else []
    for agent in [*single, *getattr(module, "AGENTS", ())]:
        registry.register(agent())
    for tool in getattr(module, "TOOLS", ()):
        registry.surroundings.tools.register(tool)
