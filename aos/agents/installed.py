"""Puts together the agents a system has from the start: code, declarations in files, and installed packages."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from aos.agents.agent_file import find_agent_files, read_agent_file
from aos.agents.agent_registry_file import read_registry_file
from aos.agents.declared_purpose import agent_of
from aos.agents.registry import AgentRegistry, discover, discover_installed
from aos.kernel.errors import SettingInvalid

log = logging.getLogger("aos.agents")


def installed_agents(
    package: str,
    *,
    registry_file: Path | None,
    environ: Mapping[str, str],
    servers: Collection[str] | None = None,
) -> AgentRegistry:
    """The agent types and task types of an application.

    Args:
        package: Name of the Python package whose sub-packages and `.agent.md` files are agents; empty for none.
        registry_file: An agent registry file.
        environ: For placeholders in `.agent.md` files.
        servers: Names of the MCP servers there are; tools that the registry file grants must be of one of them.

    Raises:
        SettingInvalid: the package, one of its agents, an installed package's or the registry file cannot be used.
        InvalidInput: an `.agent.md` file is not right; the message names file, line and remedy.
        AlreadyExists: two agents have one type.
    """
    registry = AgentRegistry()
    if package:
        try:
            found = importlib.import_module(package)
        except ImportError as error:
            raise SettingInvalid(
                f"Setting 'agents_package' names {package!r}, which cannot be imported: {error}."
            ) from error
        registry.folders = tuple(found.__path__)
        discover(found, registry)
        declare_files(found.__path__, registry, environ)
    if registry_file is not None:
        declare_registry_file(registry_file, registry, servers)
    discover_installed(registry)
    return registry


def declare_files(folders: Iterable[str], registry: AgentRegistry, environ: Mapping[str, str]) -> None:
    """Register what the `.agent.md` files of the folders declare; what has no effect in them is logged.

    Raises:
        InvalidInput: a file is not right.
        AlreadyExists: its agent's id is taken.
    """
    for path in find_agent_files(folders):
        found = read_agent_file(path, environ=environ)
        for warning in found.warnings:
            log.warning("%s", warning)
        if found.declaration.enabled:
            registry.register(agent_of(found.declaration))


def declare_registry_file(path: Path, registry: AgentRegistry, servers: Collection[str] | None = None) -> None:
    """Register the enabled agents of a registry file. Raises `SettingInvalid`, with all that is wrong with it."""
    found = read_registry_file(path, servers=servers)
    if found.problems:
        raise SettingInvalid("Setting 'agent_registry' names a file that is not right. " + " ".join(found.problems))
    for declaration in found.declarations:
        if declaration.enabled:
            registry.register(agent_of(declaration))
