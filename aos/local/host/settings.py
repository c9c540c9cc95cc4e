"""App settings: the environment, filled up from `Values` of `local.settings.json`, as Core Tools does."""

from __future__ import annotations

import json
import os
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from aos.kernel.errors import SettingInvalid, SettingMissing

FILE_NAME = "local.settings.json"
_REFERENCE = re.compile(r"%([^%\s]+)%")


class Settings:
    """What the functions of an app are configured with.

    Attributes:
        file: Where a person would add a setting that is missing.
    """

    def __init__(self, values: MutableMapping[str, str], file: Path) -> None:
        self._values = values
        self.file = file

    @classmethod
    def load(cls, app: Path, environment: MutableMapping[str, str] = os.environ) -> Settings:
        """Read the file of the app, if it has one, into the environment; what is set there already stays.

        Raises:
            SettingInvalid: the file is not what Core Tools would accept.
        """
        file = app / FILE_NAME
        if file.exists():
            for name, value in _values_of(read_json(file), file).items():
                environment.setdefault(name, value)
        return cls(environment, file)

    def get(self, name: str) -> str | None:
        return self._values.get(name)

    def section(self, prefix: str) -> dict[str, str]:
        """Settings whose name starts with the prefix, without it."""
        return {name[len(prefix) :]: value for name, value in self._values.items() if name.startswith(prefix)}

    def require(self, name: str, needed_by: str) -> str:
        """The value of a setting.

        Raises:
            SettingMissing: it is absent or empty; the message says who needs it and where to add it.
        """
        value = self._values.get(name)
        if not value:
            raise self.missing(name, needed_by)
        return value

    def whole(self, name: str) -> int | None:
        """A positive whole number, None where it is not set. Raises `SettingInvalid`."""
        text = self._values.get(name)
        if not text:
            return None
        if not text.isdecimal() or int(text) == 0:
            raise SettingInvalid(f"{name} is {text!r}; it must be a whole number of at least 1.")
        return int(text)

    def missing(self, name: str, needed_by: str) -> SettingMissing:
        return SettingMissing(
            f'{needed_by} needs the setting {name!r}, which is not set. Add it to "Values" in {self.file} '
            f"or set the environment variable {name}.",
            details={"setting": name},
        )

    def resolve(self, text: str, needed_by: str) -> str:
        """The text with each `%NAME%` replaced by that setting. Raises `SettingMissing`."""
        return _REFERENCE.sub(lambda match: self.require(match[1], needed_by), text)


def read_json(file: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises `SettingInvalid` naming the file and the place of the mistake."""
    try:
        value = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise SettingInvalid(f"{file} is not valid JSON: {error}. Correct it and start again.") from error
    if not isinstance(value, dict):
        raise SettingInvalid(f"{file} must hold a JSON object, not {type(value).__name__}.")
    return value


def _values_of(document: dict[str, Any], file: Path) -> dict[str, str]:
    if document.get("IsEncrypted"):
        raise SettingInvalid(f"{file} is encrypted. Decrypt it with `func settings decrypt` and start again.")
    values = document.get("Values", {})
    if not isinstance(values, dict):
        raise SettingInvalid(f'"Values" in {file} must be an object of texts.')
    for name, value in values.items():
        if not isinstance(value, str):
            raise SettingInvalid(f'"Values" in {file}: {name!r} must be a text, not {type(value).__name__}.')
    return values
