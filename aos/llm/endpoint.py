"""Where a provider is and what it is shown: base URL, headers and key, from settings or a vault.

The only place that handles keys. They leave it in request headers and nowhere else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aos.llm.errors import ProviderNotConfigured
from aos.llm.provider import ProviderProfile
from aos.llm.transport import Secrets, TokenSource

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_SCHEME = re.compile(r"^https?://", re.IGNORECASE)


async def environment(name: str) -> str | None:
    """The default source of settings and keys: environment variables. An empty one counts as absent."""
    return os.environ.get(name, "").strip() or None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A provider's address, and the headers that let us in.

    Attributes:
        base_url: Without a slash at its end.
        headers: Kept out of the repr, as they hold the key.
        secrets: The values that must never be shown; `redact` takes them out of a text.
    """

    base_url: str
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    secrets: tuple[str, ...] = field(repr=False, default=())

    def redact(self, text: str) -> str:
        for secret in self.secrets:
            # Providers may fold the case of what they repeat.
            text = re.sub(re.escape(secret), "[redacted]", text, flags=re.IGNORECASE)
        return text


class Endpoints:
    """Looks endpoints up afresh for every call, so that a rotated key holds from the next one on.

    Args:
        secrets: Where settings and keys are; a source that asks a vault should cache.
        token: Where Microsoft Entra tokens come from, for providers that take them in place of a key.
    """

    def __init__(self, secrets: Secrets = environment, token: TokenSource | None = None) -> None:
        self._secrets = secrets
        self._token = token

    async def missing(self, profile: ProviderProfile) -> tuple[str, ...]:
        """Settings without which the provider cannot be asked; empty when it is configured.

        A provider without a key, as a model server on the user's own machine is, counts as configured once one
        of its settings is there.
        """
        absent = [name for name in self._address_settings(profile) if not await self._secrets(name)]
        if absent and await self._first(profile.base_url_env) is not None:
            absent = []
        if profile.auth == "none":
            optional = (*profile.base_url_env, *profile.default_model_env)
            if optional and await self._first(optional) is None:
                absent.append(optional[0])
        elif await self._first(profile.api_key_env) is None and not self._has_entra(profile):
            absent.extend(profile.api_key_env[:1])
        return tuple(absent)

    async def default_model(self, profile: ProviderProfile) -> str | None:
        """The model to ask where the route names none: the user's setting, else the profile's own."""
        return await self._first(profile.default_model_env) or profile.default_model

    async def resolve(self, profile: ProviderProfile) -> Endpoint:
        """The endpoint of a provider.

        Raises:
            ProviderNotConfigured: a key or a part of the address is missing; the message names the setting.
        """
        base_url = await self._base_url(profile)
        headers = dict(profile.headers)
        secrets: list[str] = []
        for header, setting in profile.header_env.items():
            if value := await self._secrets(setting):
                headers[header] = value
                secrets.append(value)
        if profile.auth != "none":
            name, key = await self._key(profile)
            _check_key(profile, name, key)
            headers.update(_auth_headers(profile, name, key))
            secrets.append(key)
        longest_first = sorted({s for s in secrets if len(s) >= 4}, key=len, reverse=True)
        return Endpoint(base_url=base_url, headers=headers, secrets=tuple(longest_first))

    async def _base_url(self, profile: ProviderProfile) -> str:
        url = await self._first(profile.base_url_env)
        if url is not None:
            url = url if _SCHEME.match(url) else f"http://{url}"
            url = url.rstrip("/").removesuffix(profile.base_url_trim)
            if profile.base_url_suffix and not url.endswith(profile.base_url_suffix):
                url += profile.base_url_suffix
            return url.rstrip("/")
        values: dict[str, str] = {}
        for placeholder in _PLACEHOLDER.findall(profile.base_url):
            setting = profile.variables.get(placeholder, placeholder.upper())
            value = await self._secrets(setting)
            if value is None:
                raise self._not_configured(profile, (setting, *profile.base_url_env))
            values[placeholder] = value
        if not profile.base_url:
            raise self._not_configured(profile, profile.base_url_env)
        return profile.base_url.format(**values).rstrip("/")

    async def _key(self, profile: ProviderProfile) -> tuple[str | None, str]:
        """The setting a key was found in (None for an Entra token), and the key."""
        for name in profile.api_key_env:
            if key := await self._secrets(name):
                return name, key
        if self._token is not None and profile.entra_scope:
            return None, await self._token(profile.entra_scope)
        raise self._not_configured(profile, profile.api_key_env)

    async def _first(self, names: Sequence[str]) -> str | None:
        for name in names:
            if value := await self._secrets(name):
                return value
        return None

    def _has_entra(self, profile: ProviderProfile) -> bool:
        return self._token is not None and profile.entra_scope is not None

    @staticmethod
    def _address_settings(profile: ProviderProfile) -> list[str]:
        if not profile.base_url:
            return list(profile.base_url_env[:1])
        return [profile.variables.get(name, name.upper()) for name in _PLACEHOLDER.findall(profile.base_url)]

    @staticmethod
    def _not_configured(profile: ProviderProfile, settings: Sequence[str]) -> ProviderNotConfigured:
        wanted = " or ".join(settings) or "an API key"
        return ProviderNotConfigured(
            f"{profile.name or profile.id} is not configured: set {wanted}.", provider=profile.id
        )


def _check_key(profile: ProviderProfile, name: str | None, key: str) -> None:
    if not key.isascii() or any(c.isspace() or not c.isprintable() for c in key):
        raise ProviderNotConfigured(
            f"The key of {profile.name or profile.id} in {name or 'the token source'} holds characters that "
            "cannot be sent; set it again.",
            provider=profile.id,
        )


def _auth_headers(profile: ProviderProfile, setting: str | None, key: str) -> dict[str, str]:
    bearer = {"authorization": f"Bearer {key}"}
    if setting is None or setting in profile.bearer_env:
        return bearer
    if profile.auth == "bearer":
        return bearer
    if profile.auth == "api-key+bearer":
        return {"api-key": key, **bearer}
    return {profile.auth: key}
