"""Fills in `${NAME}` in a server's configuration, from app settings and through them from Key Vault."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aos.kernel.errors import SettingInvalid
from aos.mcp.server_config import ServerConfig

Resolve = Callable[[str, str], Awaitable[str]]
"""The value of a setting, given its name and its text, which may refer to a secret in a vault."""

MASK = "***"
_VARIABLE = re.compile(r"\$\{(?:env:)?([A-Za-z_]\w*)(?::-([^}]*))?\}")
_SHORTEST_SECRET = 4
_PLACES = ("command", "args", "env", "cwd", "url", "headers")


@dataclass(frozen=True, slots=True)
class Filled:
    """A configuration with its variables filled in, to be used and not kept."""

    command: str = field(repr=False)
    args: tuple[str, ...] = field(repr=False)
    env: Mapping[str, str] = field(repr=False)
    cwd: str | None = field(repr=False)
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def masked(self, text: str) -> str:
        """The text without anything that was filled in, or that is a value of `env` or `headers`."""
        for secret in self.secrets:
            text = text.replace(secret, MASK)
        return text


class Variables:
    """The variables there are.

    Args:
        environ: App settings.
        resolve: Follows a reference into a vault.
    """

    def __init__(self, environ: Mapping[str, str], resolve: Resolve) -> None:
        self._environ = environ
        self._resolve = resolve

    def missing(self, config: ServerConfig) -> list[str]:
        """What is not set of what the configuration needs, in sentences."""
        return [
            f"Server {config.name!r}, field `{place}` needs the variable {name}, which is not set. Set it as an app "
            f"setting, or write ${{{name}:-…}} with a default."
            for place, text in _texts(config)
            for name, default in (found.groups() for found in _VARIABLE.finditer(text))
            if name not in self._environ and default is None
        ]

    async def fill(self, config: ServerConfig) -> Filled:
        """The configuration with all variables.

        Raises:
            SettingInvalid: one is not set, or refers to a secret that is not there.
            StoreUnavailable: the vault is out of reach.
        """
        missing = self.missing(config)
        if missing:
            raise SettingInvalid(" ".join(missing))
        secrets: set[str] = {*config.env.values(), *config.headers.values()}

        async def filled(place: str, value: str | None) -> str:
            text = await self._filled(config.name, place, value or "", secrets)
            if place.startswith(("env.", "headers.")):
                secrets.add(text)
            return text

        return Filled(
            command=await filled("command", config.command),
            args=tuple([await filled("args", arg) for arg in config.args]),
            env={name: await filled(f"env.{name}", value) for name, value in config.env.items()},
            cwd=await filled("cwd", config.cwd) or None,
            url=await filled("url", config.url),
            headers={name: await filled(f"headers.{name}", value) for name, value in config.headers.items()},
            secrets=tuple(sorted((each for each in secrets if len(each) >= _SHORTEST_SECRET), key=len, reverse=True)),
        )

    async def _filled(self, server: str, place: str, text: str, secrets: set[str]) -> str:
        parts: list[str] = []
        end = 0
        for found in _VARIABLE.finditer(text):
            name, default = found.groups()
            value = await self._resolve(name, self._environ[name]) if name in self._environ else (default or "")
            secrets.add(value)
            parts += [text[end : found.start()], value]
            end = found.end()
        whole = "".join([*parts, text[end:]])
        resolved = await self._resolve(f"{place} of MCP server {server}", whole)
        if resolved != whole:
            secrets.add(resolved)
        return resolved


def _texts(config: ServerConfig) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for place in _PLACES:
        value: Any = getattr(config, place)
        if isinstance(value, Mapping):
            found += [(f"{place}.{name}", text) for name, text in value.items()]
        elif isinstance(value, tuple):
            found += [(place, text) for text in value]
        elif value:
            found.append((place, value))
    return found
