"""Secrets from Azure Key Vault, by name or by reference, remembered for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aos.azure.errors import VAULT, translated
from aos.azure.identity import Identity, Opened, open_vault
from aos.azure.per_loop import PerLoop
from aos.azure.vault_reference import VaultReference, is_reference, parse_reference
from aos.kernel.ambient import SystemClock
from aos.kernel.errors import InfrastructureError, NotFound, SettingInvalid
from aos.kernel.ports import Clock

if TYPE_CHECKING:
    from azure.keyvault.secrets.aio import SecretClient

_CLIENT_OPTIONS: Mapping[str, Any] = {
    "connection_timeout": 10,
    "read_timeout": 20,
    "retry_total": 3,
    "retry_backoff_factor": 0.5,
    "retry_backoff_max": 8,
}

OpenVault = Callable[[str], Opened["SecretClient"]]


@dataclass(frozen=True, slots=True)
class _Remembered:
    value: str = field(repr=False)
    read_at: float


class KeyVaultSecrets:
    """Reads secrets, and keeps each for `ttl_seconds`. Close it in the event loop that used it.

    When the vault is out of reach, a secret that was read before stays in use until `stale_seconds` have passed.

    Args:
        identity: Who we are to the vaults.
        ttl_seconds: How long a value is used without asking again; how soon a rotation is noticed.
        stale_seconds: How old a value may be while the vault is out of reach.
        clock: Tells the time.
        open_client: Makes the SDK's client for a vault's address, instead of one with `identity`.
        **options: For the SDK's clients.
    """

    def __init__(
        self,
        identity: Identity | None = None,
        *,
        ttl_seconds: float = 300.0,
        stale_seconds: float = 3600.0,
        clock: Clock | None = None,
        open_client: OpenVault | None = None,
        **options: Any,
    ) -> None:
        self._ttl = ttl_seconds
        self._stale = stale_seconds
        self._clock = clock or SystemClock()
        merged = {**_CLIENT_OPTIONS, **options}
        self._open = open_client or (lambda url: open_vault(url, identity or Identity(), **merged))
        self._vaults = PerLoop(lambda: _Vaults(self._open))
        self._values: dict[VaultReference, _Remembered] = {}

    async def get(self, reference: VaultReference) -> str:
        """The value of a secret.

        Raises:
            NotFound: there is no such secret, or it is disabled.
            StoreUnavailable: the vault is out of reach, or refuses our identity.
        """
        remembered = self._fresh(reference)
        if remembered is not None:
            return remembered
        vaults = self._vaults.get()
        async with vaults.lock(reference):
            # Whoever waited for the lock finds what its holder has read.
            remembered = self._fresh(reference)
            return remembered if remembered is not None else await self._read(vaults, reference)

    async def resolve(self, setting: str, value: str) -> str:
        """The value of a setting: itself, or the secret it refers to.

        Raises:
            SettingInvalid: the reference is malformed, or there is no such secret.
            StoreUnavailable: the vault is out of reach, or refuses our identity.
        """
        if not is_reference(value):
            return value
        reference = parse_reference(value, setting)
        try:
            return await self.get(reference)
        except NotFound as error:
            raise SettingInvalid(
                f"Setting {setting!r} refers to secret {reference.name!r} in {reference.vault_url}, which is not there "
                "or is disabled. Set the secret, or correct the reference."
            ) from error

    async def resolve_all(self, settings: Mapping[str, str]) -> dict[str, str]:
        """All settings, with every reference replaced by its secret. Raises as `resolve` does."""
        return {name: await self.resolve(name, value) for name, value in settings.items()}

    def forget(self) -> None:
        """Read every secret anew at its next use."""
        self._values.clear()

    async def close(self) -> None:
        vaults = self._vaults.take()
        if vaults is not None:
            await vaults.close()

    async def _read(self, vaults: _Vaults, reference: VaultReference) -> str:
        try:
            with translated(VAULT, f"read secret {reference.name!r} of {reference.vault_url}"):
                secret = await vaults.of(reference.vault_url).get_secret(reference.name, reference.version)
        except InfrastructureError:
            kept = self._values.get(reference)
            if kept is not None and self._age(kept) < self._stale:
                return kept.value
            raise
        self._values[reference] = _Remembered(secret.value or "", self._clock.monotonic())
        return self._values[reference].value

    def _fresh(self, reference: VaultReference) -> str | None:
        kept = self._values.get(reference)
        return kept.value if kept is not None and self._age(kept) < self._ttl else None

    def _age(self, kept: _Remembered) -> float:
        return self._clock.monotonic() - kept.read_at


class _Vaults:
    """The clients of one event loop, and a lock for each secret, so that many askers read it once."""

    def __init__(self, open_client: OpenVault) -> None:
        self._open = open_client
        self._opened: dict[str, Opened[SecretClient]] = {}
        self._locks: dict[VaultReference, asyncio.Lock] = {}

    def of(self, url: str) -> SecretClient:
        opened = self._opened.get(url)
        if opened is None:
            opened = self._opened[url] = self._open(url)
        return opened.client

    def lock(self, reference: VaultReference) -> asyncio.Lock:
        return self._locks.setdefault(reference, asyncio.Lock())

    async def close(self) -> None:
        for opened in self._opened.values():
            await opened.close()
