"""What is configured and where it is from, and whether it will do: for people who look before they start a system."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from aos.config import AOSConfig, CallbackConfig
from aos.config_sources import DEFAULT, FILE_SETTING, Gathered, default_of, gather, problem, variables
from aos.kernel.errors import AosError
from aos.mcp.servers import configured_names, unusable
from aos.telemetry.redaction import MASK, is_secret_name, redact_text
from aos.tools.egress import Egress
from aos.tools.webhook import Webhooks
from aos.workflows.human.links import KEY_SETTING, PREVIOUS_KEY_SETTING

_KEYS = (KEY_SETTING, PREVIOUS_KEY_SETTING)
"""Variables that may refer to Key Vault, and so are read anew at each use instead of with the settings."""
OTHERS = frozenset((FILE_SETTING, "AOS_MODELS_FILE", "AOS_URL", "AOS_KEY", *_KEYS)) | {
    "AOS_HOST_RECEIVER",
    "AOS_HOST_MASTER_KEY",
    "AOS_HOST_FUNCTION_KEY",
}
"""Variables that are not settings of the system, but mean something to its tools."""
_STORAGE = ("AosStorage", "AzureWebJobsStorage")
_BUS = ("ServiceBus",)


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as it is in force; secrets are masked."""

    name: str
    value: Any
    source: str

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value, "source": self.source}


@dataclass(frozen=True, slots=True)
class Report:
    """Whether a configuration will do.

    Attributes:
        issues: What must be mended, each with its setting, source and remedy.
        warnings: What is probably not meant.
        agents: Types of the agents the application has.
    """

    issues: tuple[str, ...]
    warnings: tuple[str, ...]
    agents: tuple[str, ...]
    storage_configured: bool
    bus_configured: bool

    @property
    def valid(self) -> bool:
        return not self.issues

    def to_json(self) -> dict[str, Any]:
        return {
            "valid": self.valid,
            "issues": list(self.issues),
            "warnings": list(self.warnings),
            "configured_agents": list(self.agents),
            "storage_configured": self.storage_configured,
            "bus_configured": self.bus_configured,
        }


def settings_in_force(environ: Mapping[str, str], file: Path | None = None) -> list[Setting]:
    """All settings in the order of the configuration, then the keys of links.

    Raises:
        SettingInvalid: the configuration file cannot be read.
    """
    gathered = gather(AOSConfig, file=file, environ=environ, runtime={})
    names = [*variables(AOSConfig), *(name for name in gathered.sources if name not in variables(AOSConfig))]
    keys = [Setting(name, MASK if name in environ else None, _key_source(name, environ)) for name in _KEYS]
    return [*(_setting(name, gathered) for name in names), *keys]


def check(environ: Mapping[str, str], file: Path | None = None) -> Report:
    """Look at the settings, the connections' names, and the agents, without touching a network."""
    issues: list[str] = []
    agents: tuple[str, ...] = ()
    config: AOSConfig | None = None
    try:
        gathered = gather(AOSConfig, file=file, environ=environ, runtime={})
        try:
            config = AOSConfig.model_validate(gathered.values)
        except ValidationError as error:
            issues += [problem(AOSConfig, gathered, item) for item in error.errors()]
    except AosError as error:
        issues.append(error.message)
    if config is not None:
        try:
            agents = _agents(config, environ)
        except AosError as error:
            issues.append(error.message)
        issues += _issues_of(unusable, config.mcp.file, environ)
        issues += _issues_of(_unsigned, config.callbacks)
    given = (config.storage_connection_string, config.servicebus_connection_string) if config else (None, None)
    storage = given[0] is not None or _is_set(environ, _STORAGE)
    bus = given[1] is not None or _is_set(environ, _BUS)
    if not storage:
        issues.append(f"No storage is configured. Set {' or '.join(_STORAGE)} in the app settings.")
    if not bus:
        issues.append("No Service Bus is configured. Set ServiceBus in the app settings.")
    return Report(tuple(issues), tuple(_strange(environ)), agents, storage, bus)


def _agents(config: AOSConfig, environ: Mapping[str, str]) -> tuple[str, ...]:
    from aos.agents.installed import installed_agents

    registry = installed_agents(
        config.agents_package,
        registry_file=config.agent_registry,
        environ=environ,
        servers=configured_names(config.mcp.file),
    )
    return tuple(sorted(agent.type for agent in registry))


def _issues_of(look: Callable[..., list[str]], *arguments: Any) -> list[str]:
    try:
        return look(*arguments)
    except AosError as error:
        return [error.message]


def _unsigned(callbacks: CallbackConfig) -> list[str]:
    """Why callbacks to the allowed hosts cannot be signed. Raises `SettingInvalid` for a key that is none."""
    Webhooks(Egress.to(callbacks.hosts), callbacks.key)
    if callbacks.hosts and callbacks.key is None:
        return ["Setting 'callbacks.hosts' is given and 'callbacks.key' is not. Set AOS_CALLBACKS_KEY to sign with."]
    return []


def _strange(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none."""
    known = set(variables(AOSConfig).values())
    found: list[str] = []
    for name in sorted(environ):
        if name.startswith("AOS_") and name not in known and name not in OTHERS:
            near = get_close_matches(name, sorted(known), n=1, cutoff=0.8)
            remedy = f"Did you mean {near[0]}?" if near else "It has no effect; remove it if it is not your own."
            found.append(f"The environment variable {name} is not a setting. {remedy}")
    return found


def _is_set(environ: Mapping[str, str], names: tuple[str, ...]) -> bool:
    """Whether a connection is named: by its connection string, or by parts such as `ServiceBus__…` for an identity."""
    return any(environ.get(name) for name in names) or any(
        key.startswith(f"{name}__") and value for key, value in environ.items() for name in names
    )


def _key_source(name: str, environ: Mapping[str, str]) -> str:
    return f"the environment variable {name}" if name in environ else DEFAULT


def _setting(name: str, gathered: Gathered) -> Setting:
    value: Any = gathered.values if name in gathered.sources else None
    if value is None:
        value = default_of(AOSConfig, name)
    else:
        for part in name.split("."):
            value = value[part]
    return Setting(name, _shown(name, value), gathered.sources.get(name, DEFAULT))


def _shown(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, SecretStr) or is_secret_name(name):
        return MASK
    return redact_text(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
