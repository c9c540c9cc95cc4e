"""The providers AOS knows, one TOML file each, and those that the user's own configuration adds or changes."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import ValidationError

from aos.kernel.errors import NotFound, SettingInvalid
from aos.llm.provider import ProviderProfile

__all__ = ["Providers", "builtin", "load"]

_LISTS = ("aliases", "base_url_env", "api_key_env", "bearer_env", "default_model_env")
_MERGED = ("capabilities", "limits", "rules", "paths", "query", "headers", "header_env", "error_codes")


class Providers(Mapping[str, ProviderProfile]):
    """Profiles by id, in the order of tier and priority; a name may also be an alias."""

    def __init__(self, profiles: Mapping[str, ProviderProfile]) -> None:
        ordered = sorted(profiles.values(), key=lambda p: (p.tier, p.priority, p.id))
        self._profiles = {profile.id: profile for profile in ordered}
        self._aliases = {alias: profile.id for profile in ordered for alias in profile.aliases}

    def __getitem__(self, name: str) -> ProviderProfile:
        return self._profiles[name if name in self._profiles else self._aliases[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._profiles)

    def __len__(self) -> int:
        return len(self._profiles)

    def named(self, name: str) -> ProviderProfile:
        """The profile of that id or alias.

        Raises:
            NotFound: there is none; the message lists those there are.
        """
        try:
            return self[name]
        except KeyError:
            raise NotFound(f"There is no model provider {name!r}. Known: {', '.join(self)}.") from None


@cache
def builtin() -> Providers:
    """The providers that ship with AOS."""
    return Providers({name: ProviderProfile.model_validate(table) for name, table in _tables().items()})


def load(own: Mapping[str, Any] | None = None) -> Providers:
    """The shipped providers with the user's own put over them.

    Args:
        own: Tables by provider id, as `[llm.providers.<id>]` has them. For a shipped id, what is given replaces
            the shipped value (capabilities, limits, rules and headers field by field, models by id). For a new
            id, `base_url` and `api_key_env` are enough to add an OpenAI-compatible provider; `like` names a
            shipped one to start from.

    Raises:
        SettingInvalid: a table is not a profile; the message says which field.
    """
    if not own:
        return builtin()
    profiles = dict(builtin())
    for name, table in own.items():
        profiles[name] = _own(name, table)
    return Providers(profiles)


@cache
def _tables() -> dict[str, dict[str, Any]]:
    found = [entry for entry in files(__name__).iterdir() if entry.name.endswith(".toml")]
    tables = [tomllib.loads(entry.read_text(encoding="utf-8")) for entry in found]
    return {table["id"]: table for table in tables}


def _own(name: str, table: Any) -> ProviderProfile:
    if not isinstance(table, Mapping):
        raise SettingInvalid(f"llm.providers.{name} must be a table.")
    given = dict(table)
    like = given.pop("like", name if name in _tables() else None)
    if like is not None and like not in _tables():
        raise SettingInvalid(f"llm.providers.{name}.like names {like!r}, which does not ship with AOS.")
    start = dict(_tables()[like]) if like is not None else {}
    if like != name:
        # Another account or server: what identifies the first one does not carry over.
        start = {key: value for key, value in start.items() if key not in ("aliases", "name", "api_key_env")}
    try:
        return ProviderProfile.model_validate({**_merged(start, _plain(given)), "id": name})
    except ValidationError as error:
        raise SettingInvalid(f"llm.providers.{name}: {_reasons(error)}") from None


def _plain(table: dict[str, Any]) -> dict[str, Any]:
    """Short forms written out: one setting in place of a list, a model by its name alone."""
    plain = {key: [value] if key in _LISTS and isinstance(value, str) else value for key, value in table.items()}
    if isinstance(models := plain.get("models"), list):
        plain["models"] = [{"id": model} if isinstance(model, str) else model for model in models]
        if models and "default_model" not in plain and isinstance(plain["models"][0], Mapping):
            plain["default_model"] = plain["models"][0].get("id")
    return plain


def _merged(start: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**start, **given}
    for key in _MERGED:
        if isinstance(start.get(key), Mapping) and isinstance(given.get(key), Mapping):
            merged[key] = {**start[key], **given[key]}
    if "models" in start and isinstance(given.get("models"), list):
        own = {model.get("id") for model in given["models"] if isinstance(model, Mapping)}
        merged["models"] = [*given["models"], *(model for model in start["models"] if model["id"] not in own)]
    return merged


def _reasons(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in problems)
