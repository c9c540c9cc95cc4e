"""The keys that open functions over HTTP: one master key, host keys for all functions, keys of single functions."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aos.kernel.errors import SettingInvalid
from aos.local.host.function import AuthLevel
from aos.local.host.settings import Settings, read_json

FUNCTION_KEY = "AOS_HOST_FUNCTION_KEY"
MASTER_KEY = "AOS_HOST_MASTER_KEY"


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """Values only; names of keys do not matter for letting somebody in."""

    master: str | None = None
    host: tuple[str, ...] = ()
    functions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def load(cls, settings: Settings, file: Path | None = None) -> Keys:
        """Read the keys file, then the environment, whose keys are valid as well.

        The file holds `{"masterKey": "…", "functionKeys": {name: key}, "functions": {function: {name: key}}}`.

        Raises:
            SettingInvalid: the file is not of that form.
        """
        document = read_json(file) if file is not None else {}
        host = _texts(document.get("functionKeys", {}), file)
        given = settings.get(FUNCTION_KEY)
        functions = document.get("functions", {})
        if not isinstance(functions, dict):
            raise _malformed(file)
        master = settings.get(MASTER_KEY) or document.get("masterKey")
        return cls(
            master=str(master) if master else None,
            host=(*host, given) if given else host,
            functions={name: _texts(keys, file) for name, keys in functions.items()},
        )

    @property
    def empty(self) -> bool:
        return not (self.master or self.host or self.functions)

    def admit(self, level: AuthLevel, function: str, offered: str | None) -> bool:
        """Whether a caller who offers this key may call the function. Comparisons take constant time."""
        if level == "anonymous":
            return True
        if not offered:
            return False
        allowed = [self.master] if self.master else []
        if level == "function":
            allowed += [*self.host, *self.functions.get(function, ())]
        matches = [hmac.compare_digest(key.encode(), offered.encode()) for key in allowed]
        return any(matches)


def _texts(keys: Any, file: Path | None) -> tuple[str, ...]:
    if not isinstance(keys, dict) or not all(isinstance(key, str) and key for key in keys.values()):
        raise _malformed(file)
    return tuple(keys.values())


def _malformed(file: Path | None) -> SettingInvalid:
    return SettingInvalid(f"{file}: keys must be objects that give each key's name and its value as text.")
