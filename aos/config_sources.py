"""Gathers settings from defaults, a file, the environment and the caller, and remembers where each comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from aos.kernel.errors import SettingInvalid
from aos.telemetry.redaction import is_secret_name

Model = TypeVar("Model", bound=BaseModel)

FILE_SETTING = "AOS_CONFIG_FILE"
CALLER = "the caller"
DEFAULT = "the default"
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}")


@dataclass(slots=True)
class Gathered:
    """Settings as they were given, nothing checked yet.

    Attributes:
        values: Nested by section.
        sources: By dotted name, where the value is from.
    """

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


def gather(
    model: type[BaseModel], *, file: Path | None, environ: Mapping[str, str], runtime: Mapping[str, Any]
) -> Gathered:
    """All that is set, the later source winning: file, environment, caller.

    Raises:
        SettingInvalid: the file cannot be read, or needs a variable that is not set.
    """
    gathered = Gathered()
    path = file or (Path(environ[FILE_SETTING]) if environ.get(FILE_SETTING) else None)
    if path is not None:
        _merge(gathered, _filled(_read(path), environ, path), str(path))
    for name, variable in variables(model).items():
        if variable in environ:
            _put(gathered, name, environ[variable], f"the environment variable {variable}")
        elif name == "environment" and environ.get("APP_ENVIRONMENT"):
            _put(gathered, name, environ["APP_ENVIRONMENT"], "the environment variable APP_ENVIRONMENT")
    _merge(gathered, runtime, CALLER)
    return gathered


def variables(model: type[BaseModel]) -> dict[str, str]:
    """Dotted names of all settings, and the environment variable of each."""
    found: dict[str, str] = {}
    for name, info in model.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            found.update({f"{name}.{key}": f"AOS_{name}_{key}".upper() for key in section.model_fields})
        else:
            found[name] = f"AOS_{name.upper()}"
    return found


def default_of(model: type[BaseModel], name: str) -> Any:
    """The default of a setting by its dotted name; None where there is no such setting."""
    value: Any = model()
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


def problem(model: type[BaseModel], gathered: Gathered, error: Mapping[str, Any]) -> str:
    """What is wrong with a setting, where it is from, and what to do; `error` is one of a `ValidationError`."""
    name = ".".join(map(str, error["loc"]))
    source = gathered.sources.get(name) or _section_source(gathered, name)
    if error["type"] == "extra_forbidden":
        return f"Setting {name!r} from {source} is not one that there is. Remove it, or correct its name."
    default = default_of(model, name)
    remedy = "Correct it" if default is None or is_secret_name(name) else f"Correct it, or remove it for {default!r}"
    return f"Setting {name!r} from {source} cannot be used: {error['msg']}. {remedy}."


def _section_source(gathered: Gathered, name: str) -> str:
    below = {source for known, source in gathered.sources.items() if known.startswith(f"{name}.")}
    return " and ".join(sorted(below)) or "the configuration"


def read_filled(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """A JSON object from a file, `${NAME}` and `${NAME:-default}` in it filled in.

    Raises:
        SettingInvalid: the file cannot be read, or needs a variable that is not set.
    """
    filled: dict[str, Any] = _filled(_read(path), environ, path)
    return filled


def validated(model: type[Model], values: Mapping[str, Any], path: Path) -> Model:
    """The values of a file as its model. Raises `SettingInvalid`, naming each field that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"`{'.'.join(map(str, e['loc']))}`: {e['msg']}" for e in error.errors()[:5])
        raise SettingInvalid(f"{path} cannot be used: {problems}. Correct it.") from None


def unknown_fields(value: BaseModel, at: str = "") -> list[str]:
    """Dotted names of what was given to models that keep what they do not know."""
    found = [f"{at}{name}" for name in sorted(value.model_extra or {})]
    for name in type(value).model_fields:
        part = getattr(value, name)
        parts = part if isinstance(part, dict) else {"": part}
        for key, inner in parts.items():
            if isinstance(inner, BaseModel):
                found += unknown_fields(inner, f"{at}{name}.{key}." if key else f"{at}{name}.")
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingInvalid(f"Configuration file {str(path)!r} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise SettingInvalid(f"Configuration file {str(path)!r} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise SettingInvalid(f"Configuration file {str(path)!r} must hold a JSON object.")
    return content


def _filled(value: Any, environ: Mapping[str, str], path: Path, at: str = "") -> Any:
    """The value with `${NAME}` and `${NAME:-default}` in its strings filled in."""
    if isinstance(value, dict):
        return {key: _filled(item, environ, path, f"{at}.{key}" if at else key) for key, item in value.items()}
    if not isinstance(value, str):
        return value

    def replacement(found: re.Match[str]) -> str:
        name, default = found.groups()
        if name not in environ and default is None:
            raise SettingInvalid(
                f"Setting {at!r} from {path} needs the environment variable {name}, which is not set. Set it, or "
                f"write ${{{name}:-…}} with a default."
            )
        return environ.get(name, default or "")

    return _VARIABLE.sub(replacement, value)


def _merge(gathered: Gathered, values: Mapping[str, Any], source: str, at: str = "") -> None:
    for name, value in values.items():
        path = f"{at}{name}"
        if isinstance(value, Mapping):
            _merge(gathered, value, source, f"{path}.")
        else:
            _put(gathered, path, value, source)


def _put(gathered: Gathered, name: str, value: Any, source: str) -> None:
    *sections, last = name.split(".")
    into = gathered.values
    for section in sections:
        inner = into.setdefault(section, {})
        if not isinstance(inner, dict):
            inner = into[section] = {}
        into = inner
    into[last] = value
    gathered.sources[name] = source
