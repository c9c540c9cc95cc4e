"""The configuration: defaults < file < environment < what the caller passes, each setting checked.

Connections to Azure are not here: they are app settings that `aos.azure` reads, in the form Functions bindings use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from aos.kernel.errors import SettingInvalid
from aos.kernel.settings import KernelSettings

FILE_SETTING = "AOS_CONFIG_FILE"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StorageConfig(_Section):
    """Attributes: container: Blob container of the system's data. table_prefix: Put before each table's name."""

    container: str = Field(default="aos-data", pattern=r"^[a-z0-9](-?[a-z0-9])+$", max_length=63)
    table_prefix: str = Field(default="", pattern=r"^([A-Za-z][A-Za-z0-9]*)?$", max_length=20)


class MessagingConfig(_Section):
    """Names of the queues and topics, and the largest message that is sent without a claim check."""

    inbox: str = "agent-inbox"
    events: str = "agent-events"
    requests: str = "aos-requests"
    max_message_bytes: int = Field(default=240 * 1024, ge=4 * 1024)


class TurnConfig(_Section):
    """Limits of a turn: seconds for all its messages, and for how long a head is trusted after it."""

    seconds: float = Field(default=600.0, gt=0)
    cache_seconds: float = Field(default=5.0, ge=0)


class ApiConfig(_Section):
    """Attributes: streaming: Answer HTTP through the streaming extension. max_body_bytes: Limit of a JSON body."""

    streaming: bool = False
    max_body_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    max_artifact_bytes: int = Field(default=100 * 1024 * 1024, ge=1024)
    max_wait_seconds: float = Field(default=60.0, ge=0, le=200)


class AOSConfig(_Section):
    """All settings of the system that are its own.

    Attributes:
        environment: Where it runs.
        log_level: Least level that is logged.
        agents_package: Python package whose sub-packages are the agents.
        storage_connection_string, servicebus_connection_string: Connections given by hand; without them the app
            settings `AosStorage`, `AzureWebJobsStorage` and `ServiceBus` are used.
    """

    environment: Literal["local", "development", "test", "staging", "production"] = "development"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    agents_package: str = "agents"
    storage_connection_string: SecretStr | None = None
    servicebus_connection_string: SecretStr | None = None
    storage: StorageConfig = StorageConfig()
    messaging: MessagingConfig = MessagingConfig()
    turn: TurnConfig = TurnConfig()
    api: ApiConfig = ApiConfig()

    @classmethod
    def load(cls, *, file: Path | None = None, environ: Mapping[str, str] | None = None, **runtime: Any) -> AOSConfig:
        """Put the configuration together.

        Args:
            file: A JSON file with any of the settings; `AOS_CONFIG_FILE` names one otherwise.
            environ: Environment variables. `AOS_LOG_LEVEL` sets `log_level`, `AOS_STORAGE_CONTAINER` sets
                `storage.container`, and so on; `APP_ENVIRONMENT` stands for `AOS_ENVIRONMENT`.
            **runtime: Settings that win over all others; sections as dictionaries.

        Raises:
            SettingInvalid: a setting has a value it cannot have; the message names it and where it came from.
        """
        environ = environ or {}
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        path = file or (Path(environ[FILE_SETTING]) if environ.get(FILE_SETTING) else None)
        if path is not None:
            _merge(values, _read_file(path), str(path), sources)
        _merge(values, _from_environment(environ), "the environment", sources)
        _merge(values, runtime, "the caller", sources)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            source = sources.get(name, "the configuration")
            raise SettingInvalid(f"Setting {name!r} from {source} cannot be used: {first['msg']}.") from error

    def kernel_settings(self) -> KernelSettings:
        return KernelSettings(
            inbox=self.messaging.inbox,
            events=self.messaging.events,
            cache_seconds=self.turn.cache_seconds,
            turn_seconds=self.turn.seconds,
        )


def _read_file(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingInvalid(f"Configuration file {str(path)!r} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise SettingInvalid(f"Configuration file {str(path)!r} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise SettingInvalid(f"Configuration file {str(path)!r} must hold a JSON object.")
    return content


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if environ.get("APP_ENVIRONMENT"):
        values["environment"] = environ["APP_ENVIRONMENT"]
    for name, field in AOSConfig.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, _Section):
            prefix = f"AOS_{name.upper()}_"
            given = {
                key: environ[prefix + key.upper()] for key in section.model_fields if prefix + key.upper() in environ
            }
            if given:
                values[name] = given
        elif f"AOS_{name.upper()}" in environ:
            values[name] = environ[f"AOS_{name.upper()}"]
    return values


def _merge(into: dict[str, Any], values: Mapping[str, Any], source: str, sources: dict[str, str], at: str = "") -> None:
    for name, value in values.items():
        path = f"{at}{name}"
        if isinstance(value, Mapping):
            _merge(into.setdefault(name, {}), value, source, sources, f"{path}.")
        else:
            into[name] = value
            sources[path] = source
