"""Agents made of functions: `new_agent(...)` names one, its decorators give it functions for messages."""

from __future__ import annotations

import builtins
import inspect
import types
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from aos.agents.agent import Agent, NoState
from aos.agents.handlers import annotation_of, on, on_event, on_reply
from aos.agents.migration import migrates
from aos.agents.turn import Turn
from aos.kernel.errors import SettingInvalid

State = TypeVar("State", bound=BaseModel)
Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])
Step = TypeVar("Step", bound=Callable[[dict[str, Any]], dict[str, Any]])
Mark = Callable[[Any], Any]


class AgentFunctions(Generic[State]):
    """An agent under construction. Calling it gives the agent, as calling a subclass of `Agent` would."""

    def __init__(
        self, type: str, state: builtins.type[State], base: builtins.type[Agent[Any]], attributes: dict[str, Any]
    ) -> None:
        self._type = type
        self._state = state
        self._base = base
        self._members: dict[str, Any] = {"type": type, **attributes}

    def on(self, message_type: str) -> Callable[[Function], Function]:
        """As `aos.agents.on`, for `async def name(turn, state, data)`."""
        return lambda function: self._handler(on(message_type), function)

    def on_reply(self, request_type: str) -> Callable[[Function], Function]:
        """As `aos.agents.on_reply`."""
        return lambda function: self._handler(on_reply(request_type), function)

    def on_event(self, topic: str) -> Callable[[Function], Function]:
        """As `aos.agents.on_event`."""
        return lambda function: self._handler(on_event(topic), function)

    def migrates(self, from_version: int) -> Callable[[Step], Step]:
        """As `aos.agents.migrates`, for `def name(state)`."""

        def mark(function: Step) -> Step:
            def method(_: Agent[State], state: dict[str, Any]) -> dict[str, Any]:
                return function(state)

            self._add(function, migrates(from_version)(method))
            return function

        return mark

    def __call__(self) -> Agent[State]:
        """The agent. Raises `SettingInvalid` as a class would: see `Agent`."""
        name = "".join(part.capitalize() for part in self._type.replace("-", "_").split("_"))
        base = self._base[self._state]  # type: ignore[index]  # a generic class, whatever it is
        made = types.new_class(name, (base,), exec_body=lambda namespace: namespace.update(self._members))
        agent: Agent[State] = made()
        return agent

    def _handler(self, decorate: Mark, function: Function) -> Function:
        name = getattr(function, "__name__", "function")
        parameters = list(inspect.signature(function).parameters)
        is_async = inspect.iscoroutinefunction(function)
        if len(parameters) != 3 or not is_async:
            raise SettingInvalid(f"{name} of agent {self._type!r} must be `async def {name}(turn, state, data)`.")
        # The class reads what the data must look like from the method's last parameter.
        wanted = annotation_of(f"{name} of agent {self._type!r}", function, parameters[2])

        async def method(_: Agent[State], turn: Turn, state: State, data: Any) -> Any:
            return await function(turn, state, data)

        method.__annotations__["data"] = wanted
        self._add(function, decorate(method))
        return function

    def _add(self, function: Callable[..., Any], method: Callable[..., Any]) -> None:
        # Stacked decorators and functions of one name each get a method of their own.
        self._members[f"{function.__name__}_{len(self._members)}"] = method


def new_agent(
    type: str,
    *,
    purpose: str = "",
    state: builtins.type[State] = NoState,  # type: ignore[assignment]  # the default of a type parameter
    base: builtins.type[Agent[Any]] = Agent,
    **attributes: Any,
) -> AgentFunctions[State]:
    """Begin an agent made of functions.

    ::

        clerk = new_agent("sales", purpose="Know what was sold", state=Sales)

        @clerk.on("order.placed")
        async def sold(turn: Turn, state: Sales, order: Order) -> None: ...

        AGENT = clerk

    Args:
        type: The first part of its address.
        purpose: What it is there for.
        state: The model of its state.
        base: `Agent`, or a subclass whose abilities it should have.
        **attributes: Further attributes of the class: `name`, `capabilities`, `policy`, `state_version`, …

    Raises:
        SettingInvalid: there is no such attribute.
    """
    unknown = [name for name in attributes if not hasattr(base, name)]
    if unknown:
        raise SettingInvalid(f"Agents of {base.__name__} have no attribute {unknown[0]!r}. Leave it out.")
    return AgentFunctions(type, state, base, {"purpose": purpose, **attributes})
