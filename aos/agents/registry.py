"""The registry: which agent types and task types there are, found in the `agents` folder or registered by hand."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from aos.agents.agent import Agent
from aos.agents.task_type import TaskType
from aos.kernel.address import check_address
from aos.kernel.errors import AlreadyExists, NotFound, SettingInvalid
from aos.kernel.message import Message


class AgentRegistry:
    """The agent types of this process. It is the kernel's catalogue."""

    def __init__(self, agents: Iterable[Agent[Any]] = (), task_types: Iterable[TaskType] = ()) -> None:
        self._agents: dict[str, Agent[Any]] = {}
        self._task_types: dict[str, TaskType] = {}
        for agent in agents:
            self.register(agent)
        for task_type in task_types:
            self.register_task_type(task_type)

    def __iter__(self) -> Iterator[Agent[Any]]:
        return iter(self._agents.values())

    def register(self, agent: Agent[Any]) -> None:
        """Add an agent type.

        Raises:
            InvalidInput: its type cannot be an address.
            AlreadyExists: the type is taken.
        """
        check_address(agent.type)
        if agent.type in self._agents:
            other = type(self._agents[agent.type]).__name__
            raise AlreadyExists(f"Agent type {agent.type!r} is registered already, by {other}. Choose another type.")
        self._agents[agent.type] = agent

    def unregister(self, agent_type: str) -> bool:
        """Take an agent type out. Its agents keep their state; messages to them become dead letters."""
        return self._agents.pop(agent_type, None) is not None

    def behaviour(self, agent_type: str) -> Agent[Any] | None:
        return self._agents.get(agent_type)

    def subscribers(self, event: Message) -> list[str]:
        """The listed agents that subscribed to the event's topic."""
        return [agent.type for agent in self if agent.listed and event.topic in agent.topics]

    def register_task_type(self, task_type: TaskType) -> None:
        if task_type.name in self._task_types:
            raise AlreadyExists(f"Task type {task_type.name!r} is registered already. Choose another name.")
        self._task_types[task_type.name] = task_type

    def task_type(self, name: str) -> TaskType:
        """A task type. Raises `NotFound`, naming those there are."""
        found = self._task_types.get(name)
        if found is None:
            known = ", ".join(sorted(self._task_types)) or "none"
            raise NotFound(f"There is no task type {name!r}. There are: {known}.", code="unknown_task_type")
        return found

    @property
    def task_types(self) -> list[TaskType]:
        return list(self._task_types.values())


def discover(package: ModuleType, registry: AgentRegistry) -> None:
    """Register what the sub-packages of a package offer: `AGENT` (or `AGENTS`) and `TASK_TYPE`.

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
        single = [module.AGENT] if hasattr(module, "AGENT") else []
        for agent in [*single, *getattr(module, "AGENTS", ())]:
            registry.register(agent())
        if hasattr(module, "TASK_TYPE"):
            registry.register_task_type(module.TASK_TYPE)
