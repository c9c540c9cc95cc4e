"""A declared agent: what a `.agent.md` file, the API or an agent registry say of an agent without code of its own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from aos.agents.fact_wake import FactCondition, FactWake
from aos.agents.wake import CatchUp, Wake
from aos.kernel.errors import InvalidInput

_SHAPE = ConfigDict(frozen=True, extra="forbid")
MAX_INSTRUCTIONS = 100_000


class Trigger(BaseModel):
    """What wakes a declared agent. One of `cron`, `every`, `at`, `topic`, `message` and `when` says what.

    Attributes:
        topic: A topic, or a pattern: `orders.*`.
        message: A type of message.
        when: What must begin to hold of a fact that another agent publishes.
        prompt: What it is asked then; an event's or a message's data is put below it.
        name, cron, every, at, zone, catch_up, spacing, quiet: As in `Wake`.
    """

    model_config = _SHAPE

    name: str | None = None
    cron: str | None = None
    every: str | timedelta | None = None
    at: datetime | None = None
    topic: str | None = Field(default=None, min_length=1, max_length=200)
    message: str | None = Field(default=None, min_length=1, max_length=200)
    when: FactCondition | None = None
    prompt: str = ""
    zone: str = "UTC"
    catch_up: CatchUp = "latest"
    spacing: str | timedelta = timedelta()
    quiet: tuple[str, ...] | str = ()

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = (self.cron, self.every, self.at, self.topic, self.message, self.when)
        if sum(given is not None for given in kinds) != 1:
            raise ValueError("a trigger needs exactly one of `cron`, `every`, `at`, `topic`, `message` and `when`")
        if self.is_timed:
            self.wake("check")
        return self

    @property
    def is_wake(self) -> bool:
        return self.topic is None and self.message is None

    @property
    def is_timed(self) -> bool:
        return self.topic is None and self.message is None and self.when is None

    def wake(self, name: str) -> Wake | FactWake:
        """The line of the wake plan; `name` where the trigger has none."""
        if self.when is not None:
            return FactWake(name=self.name or name, condition=self.when)
        fields = self.model_dump(exclude={"name", "topic", "message", "when", "prompt"}, exclude_unset=True)
        return Wake(name=self.name or name, **fields)


class DailyBudget(BaseModel):
    """What an agent may spend on models in a day (UTC). Queries beyond it are refused."""

    model_config = _SHAPE

    usd_per_day: float | None = Field(default=None, gt=0)
    calls_per_day: int | None = Field(default=None, ge=1)


class AnswerLimits(BaseModel):
    """Bounds of an agent's answers and memory.

    Attributes:
        max_tokens, temperature: As the model is asked.
        seconds: Longest time for an answer.
        messages: Kept of each conversation, the latest.
        characters: Kept of each conversation, the latest.
        conversations: Kept, those used last.
    """

    model_config = _SHAPE

    max_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    seconds: float = Field(default=120.0, gt=0, le=3_600)
    messages: int = Field(default=20, ge=2, le=200)
    characters: int = Field(default=24_000, ge=1_000, le=400_000)
    conversations: int = Field(default=50, ge=1, le=1_000)


class ToolGrant(BaseModel):
    """A tool of an MCP server that the agent may use, and how it is set up for it."""

    model_config = _SHAPE

    server_name: str = Field(min_length=1)
    tool_name: str = Field(min_length=1)
    configuration: Mapping[str, Any] = Field(default_factory=dict)


McpGrant = Annotated[str, Field(pattern=r"^[A-Za-z0-9_*?-]+\..+$", max_length=200)]
"""A server, a dot, and the name or pattern of a tool of it."""


class Declaration(BaseModel):
    """An agent without code.

    Attributes:
        id: Its type, and so its address.
        name: What people call it.
        description: What it does, and when to use it.
        purpose: What it is there for; the description where it is not said.
        instructions: What the model is told.
        kind: Of the three kinds of an agent registry.
        purpose_scope, success_criteria: What belongs to the purpose, and by what it is measured.
        domain: Of its knowledge; also the name of its adapter.
        model: The chain of models, as in `Route.models`; empty for the system's own.
        tools: Names of the tools it is granted.
        permissions: What it is allowed to, for tools that require permissions.
        mcp: Tools of MCP servers it is granted, by pattern: `files.*`, `search.find`.
        tool_calling: How a model is given the tools: by its own tool calls, or in text where it has none.
        mcp_tools: Likewise, one by one, as an agent registry names them.
        triggers: What wakes it beside `agent.query`.
        publish: Topic under which it publishes what it answers to its triggers.
        budget: Of a day.
        limits: Of answers and memory.
        response_schema: JSON Schema its answers must have.
        capabilities: For those who look for an agent.
        enabled: Whether it takes part.
        metadata: The user's own.
    """

    model_config = _SHAPE

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")
    name: str = Field(min_length=1, max_length=200)
    description: str = Field(min_length=1, max_length=2_000)
    purpose: str = Field(default="", max_length=2_000)
    instructions: str = Field(min_length=1, max_length=MAX_INSTRUCTIONS)
    kind: Literal["purpose_driven", "perpetual", "leadership"] = "purpose_driven"
    purpose_scope: str = ""
    success_criteria: tuple[str, ...] = ()
    domain: str | None = None
    model: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    mcp: tuple[McpGrant, ...] = ()
    tool_calling: Literal["native", "text"] = "native"
    mcp_tools: tuple[ToolGrant, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    publish: str | None = Field(default=None, min_length=1, max_length=200)
    budget: DailyBudget = DailyBudget()
    limits: AnswerLimits = AnswerLimits()
    response_schema: Mapping[str, Any] | None = None
    capabilities: tuple[str, ...] = ()
    enabled: bool = True
    metadata: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("model", mode="before")
    @classmethod
    def _chain(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _text_has_no_schema(self) -> Self:
        if self.tool_calling == "text" and self.response_schema is not None:
            raise ValueError("tool_calling: `text` gives an answer in words; leave `response_schema` out")
        return self

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [wake.name for wake in self.wakes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"triggers: two are named {twice[0]!r}; give each a name of its own")
        return self

    @property
    def wakes(self) -> tuple[Wake | FactWake, ...]:
        """The triggers that send wakes, those without a name named after their place."""
        return tuple(
            trigger.wake(f"wake-{place}") for place, trigger in enumerate(self.triggers, start=1) if trigger.is_wake
        )

    @property
    def mcp_grants(self) -> tuple[str, ...]:
        """The tools of MCP servers it is granted, in either way."""
        return (*self.mcp, *(f"{tool.server_name}.{tool.tool_name}" for tool in self.mcp_tools))

    def missing_servers(self, servers: Collection[str]) -> list[str]:
        """A sentence for each MCP server that its grants name and that is not among those there are."""
        granted = {"mcp": {grant.partition(".")[0] for grant in self.mcp}}
        granted["mcp_tools"] = {tool.server_name for tool in self.mcp_tools}
        known = ", ".join(sorted(servers)) or "none"
        return [
            f"`{field}` names the server {name!r}, which is not registered. There are: {known}."
            for field, names in granted.items()
            for name in sorted(names)
            if name not in servers and not set(name) & set("*?")
        ]

    def prompt_of_wake(self, name: str) -> str:
        """What the agent is asked when this wake comes."""
        for place, trigger in enumerate(self.triggers, start=1):
            if trigger.is_wake and (trigger.name or f"wake-{place}") == name:
                return trigger.prompt
        return ""

    def to_json(self) -> dict[str, Any]:
        """As it is stored and shown: what is as by default is left out."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def digest(self) -> str:
        """The same for the same declaration."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def agent_id(text: str) -> str:
    """An id made from a file name or another system's id.

    Raises:
        InvalidInput: nothing of it can be used.
    """
    name = re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_-")
    if name[:1].isdigit():
        name = f"fn_{name}"
    if not name:
        raise InvalidInput(f"{text!r} cannot be made into an agent's id. Give one: a lower-case word.")
    return name[:63]
