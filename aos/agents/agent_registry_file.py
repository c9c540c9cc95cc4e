"""Reads `agent_registry.json`: a list of agents in rows, as other systems of agents keep it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aos.agents.declaration import Declaration, ToolGrant, agent_id
from aos.kernel.errors import AosError, InvalidInput

_SHAPE = ConfigDict(extra="forbid")


class AdapterConfig(BaseModel):
    """How an adapter is trained; kept with the agent's metadata."""

    model_config = ConfigDict(extra="allow")

    task_type: str = "causal_lm"
    r: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=32, ge=1)
    target_modules: list[str] = ["q_proj", "v_proj"]


class DomainKnowledge(BaseModel):
    """Attributes: domain: Also the name of the adapter."""

    model_config = _SHAPE

    domain: str = Field(min_length=1)
    training_data_path: str | None = None
    adapter_config: AdapterConfig = AdapterConfig()


class AgentRow(BaseModel):
    """One agent of the file."""

    model_config = _SHAPE

    agent_id: str = Field(min_length=1)
    agent_type: Literal["purpose_driven", "perpetual", "leadership"] = "purpose_driven"
    purpose: str = Field(min_length=1)
    purpose_scope: str = ""
    success_criteria: list[str] = []
    domain_knowledge: DomainKnowledge | None = None
    mcp_tools: list[ToolGrant] = []
    system_message: str = ""
    enabled: bool = True
    metadata: dict[str, Any] = {}

    def declaration(self) -> Declaration:
        """The row as a declaration."""
        knowledge = self.domain_knowledge
        metadata = {**self.metadata}
        if knowledge is not None:
            metadata["domain_knowledge"] = knowledge.model_dump(mode="json")
        return Declaration(
            id=agent_id(self.agent_id),
            name=str(self.metadata.get("name") or self.agent_id),
            description=self.purpose,
            purpose=self.purpose,
            purpose_scope=self.purpose_scope,
            success_criteria=tuple(self.success_criteria),
            instructions=self.system_message or self._instructions(),
            kind=self.agent_type,
            domain=knowledge.domain if knowledge else None,
            mcp_tools=tuple(self.mcp_tools),
            enabled=self.enabled,
            metadata=metadata,
        )

    def _instructions(self) -> str:
        lines = [f"Your purpose: {self.purpose}"]
        if self.purpose_scope:
            lines.append(f"Its scope: {self.purpose_scope}")
        if self.success_criteria:
            lines.append("You succeed when:")
            lines += [f"- {criterion}" for criterion in self.success_criteria]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class RegistryFile:
    """What a file holds: the agents that can be declared, and what is wrong with it, in sentences."""

    declarations: tuple[Declaration, ...]
    problems: tuple[str, ...]


def read_registry_file(path: Path, *, servers: Collection[str] | None = None) -> RegistryFile:
    """Read a file.

    Args:
        path: A JSON file: `{"agents": [...]}`, or the list alone.
        servers: Names of the MCP servers there are; with them it is checked that each tool's server is one.

    Raises:
        InvalidInput: it is not such a file at all.
    """
    return read_rows(_rows(read_json(path), str(path)), source=str(path), servers=servers)


def read_rows(rows: list[Any], *, source: str, servers: Collection[str] | None = None) -> RegistryFile:
    """As `read_registry_file`, for rows that were read already."""
    declarations: dict[str, Declaration] = {}
    problems: list[str] = []
    for place, values in enumerate(rows):
        name = values.get("agent_id", place) if isinstance(values, Mapping) else place
        where = f"{source}, agent {name!r}"
        try:
            row = AgentRow.model_validate(values)
            declaration = row.declaration()
        except ValidationError as error:
            problems += [f"{where}: `{'.'.join(map(str, e['loc']))}`: {e['msg']}." for e in error.errors()]
            continue
        except AosError as error:
            problems.append(f"{where}: {error.message}")
            continue
        if declaration.id in declarations:
            problems.append(f"{where}: there is another agent {declaration.id!r}. Give one of them another agent_id.")
            continue
        declarations[declaration.id] = declaration
        if servers is not None:
            problems += [f"{where}: {problem}" for problem in declaration.missing_servers(servers)]
    return RegistryFile(tuple(declarations.values()), tuple(problems))


def read_server_names(path: Path) -> frozenset[str]:
    """Ids and names of the MCP servers of a server registry: `{"servers": [{"server_id", "server_name"}]}`.

    Raises:
        InvalidInput: it is not such a file.
    """
    content = read_json(path)
    rows = content.get("servers", content.get("mcp_servers")) if isinstance(content, dict) else content
    if isinstance(rows, dict):
        return frozenset(rows)
    if not isinstance(rows, list):
        raise InvalidInput(f"{path} has no list `servers`. Name a registry of MCP servers.")
    found = {row.get(key) for row in rows if isinstance(row, dict) for key in ("server_id", "server_name", "name")}
    return frozenset(str(name) for name in found if name)


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises `InvalidInput`, naming the line."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InvalidInput(f"{path} is not JSON: {error}. Correct it.") from error


def _rows(content: Any, source: str) -> list[Any]:
    rows = content.get("agents") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise InvalidInput(f'{source} has no list `agents`. Its form is {{"agents": [{{"agent_id": …}}]}}.')
    return rows
