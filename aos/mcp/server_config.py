"""What the configuration says of one MCP server: how to reach it, its limits, and what its tools do to the world."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aos.tools.declaration import Risk

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"


class ToolRule(BaseModel):
    """What is to be held of a tool, whatever the server says of it.

    Attributes:
        effect: What a call does to the world.
        risk: How much harm a wrong call can do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    effect: Literal["read", "idempotent", "irreversible"] | None = None
    risk: Risk | None = None


class ServerConfig(BaseModel):
    """One server. Strings in `args`, `env`, `url` and `headers` may hold `${NAME}`.

    Attributes:
        name: What it is called by; the first part of its tools' names.
        type: `stdio` is a process that is started here, `http` a server at an address (streamable HTTP).
        command, args, env, cwd: The process. It sees `PATH`, `HOME` and the like, and `env`; nothing else.
        url, headers: The address.
        enabled: Whether it takes part.
        auto_start: Kept; a server is connected to when it is first needed.
        timeout_seconds: For one answer, and for connecting.
        max_retries: Tries for what only reads.
        max_result_bytes: What is read of one answer; text over it is cut off.
        calls_per_minute: How many calls may be made, by this process; any number where it is left out.
        tools: Rules for tools by name or pattern (`delete_*`); the first that fits counts.
        description, metadata: The user's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=NAME)
    type: Literal["stdio", "http"]
    command: str | None = Field(default=None, min_length=1)
    args: tuple[str, ...] = Field(default=(), repr=False)
    env: Mapping[str, str] = Field(default_factory=dict, repr=False)
    cwd: str | None = None
    url: str | None = Field(default=None, repr=False)
    headers: Mapping[str, str] = Field(default_factory=dict, repr=False)
    enabled: bool = True
    auto_start: bool = True
    timeout_seconds: float = Field(default=30.0, gt=0, le=600)
    max_retries: int = Field(default=3, ge=1, le=10)
    max_result_bytes: int = Field(default=256 * 1024, ge=1024, le=16 * 1024 * 1024)
    calls_per_minute: int | None = Field(default=None, ge=1)
    tools: Mapping[str, ToolRule] = Field(default_factory=dict)
    description: str = ""
    metadata: Mapping[str, Any] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        foreign = {"stdio": ("url", "headers"), "http": ("command", "args", "env", "cwd")}[self.type]
        needed = {"stdio": "command", "http": "url"}[self.type]
        if not getattr(self, needed):
            raise ValueError(f"a server of type {self.type!r} needs `{needed}`")
        for field in foreign:
            if getattr(self, field):
                raise ValueError(f"`{field}` means nothing for a server of type {self.type!r}; remove it")
        if self.url is not None and not self.url.startswith(("http://", "https://", "${", "@Microsoft.KeyVault")):
            raise ValueError("`url` must start with http:// or https://")
        return self

    def rule(self, tool: str) -> ToolRule:
        """What is to be held of a tool."""
        for pattern, rule in self.tools.items():
            if fnmatch.fnmatchcase(tool, pattern):
                return rule
        return ToolRule()

    def where(self) -> str:
        """Where it is, without what may be secret: the command without arguments, or the address without its query."""
        if self.url is None:
            return self.command or ""
        split = urlsplit(self.url)
        host = split.netloc.rpartition("@")[2]
        return f"{split.scheme}://{host}{split.path}" if host else "a variable"
