"""Reads `consolidated_config.json`, the one file in which other systems of this kind keep all their settings.

What it says that is a setting here is taken over; the rest is checked and shown, and has no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from aos.config_sources import read_filled, unknown_fields, validated

_SHAPE = ConfigDict(frozen=True, extra="allow")


class Orchestrator(BaseModel):
    model_config = _SHAPE

    type: str = "consolidated"
    version: str = "1.0"


class AzureFunction(BaseModel):
    """Where a machine-learning endpoint and the stores of agents are."""

    model_config = _SHAPE

    ml_endpoint_url: str = ""
    ml_endpoint_key: SecretStr = SecretStr("")
    storage_connection: SecretStr = SecretStr("")
    agent_context_blob: str = ""
    domain_knowledge_blob: str = ""
    agent_directives_blob: str = ""


class CodeRepository(BaseModel):
    """Where the code of a domain's tools is kept, and who writes it."""

    model_config = _SHAPE

    owner: str
    name: str
    coding_agent: str = ""


class SelfLearning(BaseModel):
    """Servers that are asked for capabilities, and repositories where those that lack are asked for."""

    model_config = _SHAPE

    github_mcp: Any = None
    domain_mcp_servers: dict[str, Any] = {}
    repositories: dict[str, CodeRepository] = {}


class GenericOrchestrator(BaseModel):
    """A model server, and the files of its adapters."""

    model_config = _SHAPE

    vllm_server_url: str = ""
    experience_db: str = ""
    adapters_config: Any = None
    domain_context_config: Any = None
    mentor_mode_config: Any = None


class MultiAgent(BaseModel):
    """Attributes: agent_timeout: Seconds."""

    model_config = _SHAPE

    default_domains: tuple[str, ...] = ("leadership", "sales", "hr", "marketing")
    agent_timeout: float = Field(default=30, gt=0)
    max_concurrent_agents: int = Field(default=10, ge=1)


class AgentToAgent(BaseModel):
    """Attributes: message_timeout: Seconds."""

    model_config = _SHAPE

    enabled: bool = True
    message_queue_size: int = Field(default=1_000, ge=1)
    message_timeout: float = Field(default=60, gt=0)
    retry_attempts: int = Field(default=3, ge=0)


class Logging(BaseModel):
    model_config = _SHAPE

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    format: str = ""
    qa_logging_enabled: bool = False
    qa_container: str = "qa"
    qa_blob: str = "qabatch.jsonl"


class ConsolidatedConfig(BaseModel):
    """The file."""

    model_config = _SHAPE

    orchestrator: Orchestrator = Orchestrator()
    azure_function: AzureFunction = AzureFunction()
    self_learning: SelfLearning = SelfLearning()
    generic_orchestrator: GenericOrchestrator = GenericOrchestrator()
    multi_agent: MultiAgent = MultiAgent()
    a2a_communication: AgentToAgent = AgentToAgent()
    logging: Logging = Logging()

    @classmethod
    def read(cls, path: Path, environ: Mapping[str, str]) -> ConsolidatedConfig:
        """Read the file, `${NAME}` in it filled in from `environ`.

        Raises:
            SettingInvalid: it cannot be read, lacks a variable, or has a value that cannot be used.
        """
        return validated(cls, read_filled(path, environ), path)

    def settings(self) -> dict[str, Any]:
        """What of it is a setting here, for `AOSConfig.load(**…)`."""
        taken: dict[str, Any] = {}
        if "level" in self.logging.model_fields_set:
            taken["log_level"] = self.logging.level
        if self.azure_function.storage_connection.get_secret_value():
            taken["storage_connection_string"] = self.azure_function.storage_connection
        return taken

    def warnings(self) -> list[str]:
        """What of it has no effect here, by dotted name, unknown fields among it."""
        taken = {"logging.level", "azure_function.storage_connection", "orchestrator.type", "orchestrator.version"}
        named = [
            f"{section}.{name}"
            for section in sorted(self.model_fields_set)
            if isinstance(part := getattr(self, section), BaseModel)
            for name in sorted(part.model_fields_set)
        ]
        unknown = unknown_fields(self)
        told = [f"`{name}` has no effect here." for name in named if name not in taken and name not in unknown]
        return [*told, *(f"`{name}` is not a field of this file." for name in unknown)]
