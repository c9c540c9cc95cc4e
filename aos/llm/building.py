"""Builds the router from a configuration: shipped providers and prices, with the user's own put over them.

The configuration is a table with the fields of `RouterSettings`, and `providers` as `aos.llm.providers.load` has it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from aos.kernel.errors import SettingInvalid
from aos.llm.client import HttpTransport
from aos.llm.endpoint import Endpoints, environment
from aos.llm.providers import load
from aos.llm.router import ModelRouter
from aos.llm.router_settings import RouterSettings

if TYPE_CHECKING:
    from aos.kernel.ports import Clock, Ids, TableStore
    from aos.llm.transport import Secrets, TokenSource

FILE_SETTING = "AOS_MODELS_FILE"


def read_configuration(environ: Mapping[str, str], file: Path | None = None) -> dict[str, Any]:
    """The models' configuration from a TOML or JSON file; empty where there is none.

    Args:
        environ: App settings; `AOS_MODELS_FILE` names the file.
        file: The file, in place of the setting's.

    Raises:
        SettingInvalid: the file cannot be read or understood.
    """
    path = file or (Path(environ[FILE_SETTING]) if environ.get(FILE_SETTING) else None)
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise SettingInvalid(f"The models' configuration {str(path)!r} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise SettingInvalid(f"The models' configuration {str(path)!r} cannot be understood: {error}.") from error
    if not isinstance(found, dict):
        raise SettingInvalid(f"The models' configuration {str(path)!r} must be a table.")
    return found


def build_router(
    configuration: Mapping[str, Any] | None = None,
    *,
    secrets: Secrets = environment,
    token: TokenSource | None = None,
    tables: TableStore | None = None,
    clock: Clock | None = None,
    ids: Ids | None = None,
) -> ModelRouter:
    """A router over HTTP.

    Args:
        configuration: What differs from the shipped providers and the usual numbers.
        secrets: Where keys and settings come from.
        token: Where Microsoft Entra tokens come from, for Azure without keys.
        tables: Where instances share breakers, budgets and cached answers.
        clock: The time.
        ids: Fresh ids and chance.

    Raises:
        SettingInvalid: the configuration has a value it cannot have.
    """
    values = dict(configuration or {})
    providers = load(values.pop("providers", None))
    try:
        settings = RouterSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(map(str, first["loc"]))
        raise SettingInvalid(f"Setting {name!r} of the model router cannot be used: {first['msg']}.") from error
    endpoints = Endpoints(secrets, token)
    transport = HttpTransport(endpoints, clock=clock, ids=ids)
    return ModelRouter(transport, providers, endpoints, settings, tables=tables, clock=clock, ids=ids)
