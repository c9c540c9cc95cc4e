"""What `host.json` says, with the defaults of the real host and its overrides from the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aos.kernel.errors import SettingInvalid
from aos.local.host.settings import Settings, read_json
from aos.local.host.timespan import parse_timespan

FILE_NAME = "host.json"
_OVERRIDE = "AzureFunctionsJobHost__"


@dataclass(frozen=True, slots=True)
class BusLimits:
    """`extensions.serviceBus`. Durations are in seconds.

    `max_concurrent_calls` is not multiplied by the number of processor cores, as Azure does.
    """

    max_concurrent_calls: int = 16
    max_concurrent_sessions: int = 8
    prefetch: int = 0
    max_batch: int = 1000
    session_idle: float = 60.0
    max_lock_renewal: float = 300.0
    auto_complete: bool = True


@dataclass(frozen=True, slots=True)
class HostFile:
    """The settings of a host that this one honours."""

    route_prefix: str = "api"
    function_timeout: float | None = 1800.0
    bus: BusLimits = field(default_factory=BusLimits)

    @classmethod
    def load(cls, app: Path, settings: Settings) -> HostFile:
        """Read the app's `host.json`; `AzureFunctionsJobHost__a__b` in the settings overrides `a.b`.

        Raises:
            SettingInvalid: the file is missing, or a value in it cannot be used.
        """
        file = app / FILE_NAME
        if not file.exists():
            raise SettingInvalid(f'{file} is missing. A function app needs one; the least is {{"version": "2.0"}}.')
        document = read_json(file)
        if document.get("version") != "2.0":
            raise SettingInvalid(f'{file} must say "version": "2.0".')
        for path, value in settings.section(_OVERRIDE).items():
            _override(document, path.split("__"), value)
        return cls(
            route_prefix=str(_at(document, "extensions", "http").get("routePrefix", "api")).strip("/"),
            function_timeout=_function_timeout(document),
            bus=_bus_limits(_at(document, "extensions", "serviceBus")),
        )


def _function_timeout(document: dict[str, Any]) -> float | None:
    text = str(document.get("functionTimeout", "00:30:00"))
    return None if text == "-1" else parse_timespan(text, "functionTimeout in host.json")


def _bus_limits(section: dict[str, Any]) -> BusLimits:
    usual = BusLimits()
    return BusLimits(
        max_concurrent_calls=_whole(section, "maxConcurrentCalls", usual.max_concurrent_calls),
        max_concurrent_sessions=_whole(section, "maxConcurrentSessions", usual.max_concurrent_sessions),
        prefetch=_whole(section, "prefetchCount", usual.prefetch, least=0),
        max_batch=_whole(section, "maxMessageBatchSize", usual.max_batch),
        session_idle=_seconds(section, "sessionIdleTimeout", usual.session_idle),
        max_lock_renewal=_seconds(section, "maxAutoLockRenewalDuration", usual.max_lock_renewal),
        auto_complete=_truth(section, "autoCompleteMessages", usual.auto_complete),
    )


def _at(document: dict[str, Any], *path: str) -> dict[str, Any]:
    for name in path:
        document = document.get(name, {})
        if not isinstance(document, dict):
            raise SettingInvalid(f"{'.'.join(path)} in host.json must be an object.")
    return document


def _override(document: dict[str, Any], path: list[str], value: str) -> None:
    for name in path[:-1]:
        document = document.setdefault(name, {})
        if not isinstance(document, dict):
            raise SettingInvalid(f"{_OVERRIDE}{'__'.join(path)} overrides a part of host.json that has no parts.")
    document[path[-1]] = value


def _named(name: str) -> str:
    return f"extensions.serviceBus.{name} in host.json"


def _whole(section: dict[str, Any], name: str, usual: int, least: int = 1) -> int:
    value = section.get(name, usual)
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = least - 1
    if number < least or isinstance(value, bool | float):
        raise SettingInvalid(f"{_named(name)} is {value!r}; it must be a whole number of at least {least}.")
    return number


def _seconds(section: dict[str, Any], name: str, usual: float) -> float:
    return parse_timespan(str(section[name]), _named(name)) if name in section else usual


def _truth(section: dict[str, Any], name: str, usual: bool) -> bool:
    value = str(section.get(name, usual)).lower()
    if value not in ("true", "false"):
        raise SettingInvalid(f"{_named(name)} is {section[name]!r}; it must be true or false.")
    return value == "true"
