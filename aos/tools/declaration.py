"""A tool: a typed async function with a name, the schema of its arguments, and the effect it has on the world."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from aos.kernel.errors import InvalidInput, SettingInvalid
from aos.kernel.message import check_labels
from aos.reliability.retry import RetryConfig
from aos.tools.signature import arguments_of, described

Effect = Literal["read", "idempotent", "reversible", "irreversible"]
"""What a call does to the world.

read: Nothing; it may be repeated.
idempotent: The same however often it is called with the same idempotency key.
reversible: Something that its compensation takes back.
irreversible: Something that cannot be taken back.
"""

Risk = Literal["low", "medium", "high", "critical"]
RISKS: tuple[Risk, ...] = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Given to a tool's parameter that is annotated with this class.

    Attributes:
        agent: On whose behalf it is called.
        idempotency_key: The same whenever this call is repeated; hand it to the other system.
        seconds: How long the call may take.
    """

    agent: str
    idempotency_key: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Undo:
    """What a compensation is to take back. It must be harmless where nothing was done, and when it is repeated.

    Attributes:
        agent: On whose behalf.
        arguments: Of the call, as JSON.
        result: Of the call; None where its outcome is not known.
        known: Whether the call is known to have been done.
        idempotency_key: That the call was given.
    """

    agent: str
    arguments: dict[str, Any]
    result: Any
    known: bool
    idempotency_key: str


Compensation = Callable[[Undo], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool. Made by the `tool` decorator.

    Attributes:
        name: What it is called by.
        description: What it does, for a model and for people.
        function: What is called.
        arguments: Model of its arguments.
        effect: What a call does to the world.
        risk: How much harm a wrong call can do.
        timeout: Seconds one try may take.
        retry: Tries within a turn; only failures after which a repetition does no harm are tried again.
        permissions: What a caller must be allowed to.
        compensation: Takes a reversible call back.
        outside: Where its results come from, if from outside; they are then labelled `untrusted:<outside>`.
        context: Name of the parameter that takes a `ToolContext`.
    """

    name: str
    description: str
    function: Callable[..., Awaitable[Any]]
    arguments: type[BaseModel]
    effect: Effect
    risk: Risk
    timeout: float = 30.0
    retry: RetryConfig = field(default_factory=RetryConfig)
    permissions: tuple[str, ...] = ()
    compensation: Compensation | None = None
    outside: str | None = None
    context: str | None = None

    def __post_init__(self) -> None:
        if (self.effect == "reversible") != (self.compensation is not None):
            raise SettingInvalid(f"Tool {self.name!r}: give `compensation` to a reversible tool, and to no other.")
        if self.timeout <= 0:
            raise SettingInvalid(f"Tool {self.name!r}: `timeout` must be above zero, not {self.timeout:g} seconds.")
        check_labels(self.labels)

    @property
    def labels(self) -> tuple[str, ...]:
        return () if self.outside is None else (f"untrusted:{self.outside}",)

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return self.arguments.model_json_schema()

    def missing(self, permissions: Collection[str]) -> list[str]:
        """What a caller with these permissions lacks to use it."""
        return [permission for permission in self.permissions if permission not in permissions]

    def row(self) -> dict[str, Any]:
        """The tool as lists of tools show it."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
            "required_permissions": list(self.permissions),
            "is_async": True,
            "effect": self.effect,
            "risk": self.risk,
            "timeout_seconds": self.timeout,
        }

    def read(self, arguments: Mapping[str, Any]) -> BaseModel:
        """Validate arguments. Raises `InvalidInput`, naming each that is wrong."""
        try:
            return self.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
            known = ", ".join(self.arguments.model_fields) or "none"
            raise InvalidInput(
                f"The arguments of tool {self.name!r} are wrong: {problems}. It takes: {known}.",
                details={"errors": error.errors(include_url=False, include_context=False, include_input=False)},
            ) from error

    async def run(self, arguments: BaseModel, context: ToolContext) -> Any:
        """Call the function; its result as JSON."""
        given = {name: getattr(arguments, name) for name in type(arguments).model_fields}
        if self.context is not None:
            given[self.context] = context
        return to_jsonable_python(await self.function(**given))


def tool(
    *,
    effect: Effect,
    risk: Risk = "low",
    name: str | None = None,
    timeout: float = 30.0,
    retry: RetryConfig | None = None,
    permissions: tuple[str, ...] = (),
    compensation: Compensation | None = None,
    outside: str | None = None,
) -> Callable[[Callable[..., Awaitable[Any]]], Tool]:
    """Make a tool of a typed async function.

    The schema of its arguments comes from the annotations, the descriptions from its docstring. What it raises
    says what happened: `TerminalError` that it will not do it, `NotDone` or `Throttled` that nothing happened
    yet; after any other error of a reversible or irreversible tool the outcome counts as unknown.

    Args:
        effect: What a call does to the world.
        risk: How much harm a wrong call can do.
        name: What it is called by; the function's name by default.
        timeout: Seconds one try may take.
        retry: Tries within a turn.
        permissions: What a caller must be allowed to.
        compensation: Takes a reversible call back.
        outside: Where its results come from, if from outside.

    Raises:
        SettingInvalid: the function is not async, or a parameter has no annotation.
    """

    def make(function: Callable[..., Awaitable[Any]]) -> Tool:
        called = name or function.__name__
        if not inspect.iscoroutinefunction(function):
            raise SettingInvalid(f"Tool {called!r} must be an `async def` function.")
        arguments, context = arguments_of(function, called, ToolContext)
        return Tool(
            name=called,
            description=described(function)[0],
            function=function,
            arguments=arguments,
            effect=effect,
            risk=risk,
            timeout=timeout,
            retry=retry or RetryConfig(),
            permissions=permissions,
            compensation=compensation,
            outside=outside,
            context=context,
        )

    return make
