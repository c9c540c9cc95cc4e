"""Reads `self_learning_config.json`: which servers offer tools of a domain, and where missing ones are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aos.config_sources import read_filled, unknown_fields, validated

_SHAPE = ConfigDict(frozen=True, extra="allow")


class DomainServer(BaseModel):
    """The server of one domain.

    Attributes:
        uri: Where it is: `wss://…`.
        api_key_env: Name of the environment variable with its key.
        repository: Where its code is kept.
    """

    model_config = _SHAPE

    uri: str = Field(pattern=r"^(wss?|https?)://\S+$")
    api_key_env: str = ""
    repository: Any = None


class Looking(BaseModel):
    """How often gaps are looked for, and how many may be worked on at a time."""

    model_config = _SHAPE

    check_interval_seconds: int = Field(default=300, ge=1)
    max_pending_implementations: int = Field(default=50, ge=1)
    issue_template: Any = None


class SelfLearningConfig(BaseModel):
    """The file."""

    model_config = _SHAPE

    domain_mcp_servers: dict[str, DomainServer] = {}
    github_mcp_server: Any = None
    self_learning: Looking = Looking()

    @classmethod
    def read(cls, path: Path, environ: Mapping[str, str]) -> SelfLearningConfig:
        """Read the file, `${NAME}` in it filled in from `environ`.

        Raises:
            SettingInvalid: it cannot be read, lacks a variable, or has a value that cannot be used.
        """
        return validated(cls, read_filled(path, environ), path)

    def warnings(self, environ: Mapping[str, str]) -> list[str]:
        """Keys that are named and not set, and unknown fields."""
        missing = [
            f"`domain_mcp_servers.{name}.api_key_env` names {server.api_key_env}, which is not set."
            for name, server in sorted(self.domain_mcp_servers.items())
            if server.api_key_env and not environ.get(server.api_key_env)
        ]
        return [*missing, *(f"`{name}` is not a field of this file." for name in unknown_fields(self))]
