"""Key Vault secrets through the SDK's own client, against a vault on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aos.azure.identity import Opened
from aos.azure.secrets import KeyVaultSecrets
from aos.azure.vault_reference import VaultReference, parse_reference
from aos.kernel.errors import NotFound, SettingInvalid, StoreUnavailable
from tests.azure.local_vault import LocalVault, StaticCredential, local_vault


class HandClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


class Place:
    """A vault, our reader of it, and the time."""

    def __init__(self, vault: LocalVault, certificate: Path) -> None:
        self.vault = vault
        self.clock = HandClock()
        self.credential = StaticCredential()
        self._certificate = certificate
        self.secrets = KeyVaultSecrets(clock=self.clock, open_client=self._open, ttl_seconds=60, stale_seconds=600)

    def _open(self, url: str) -> Opened[Any]:
        from azure.keyvault.secrets.aio import SecretClient

        client = SecretClient(
            url,
            self.credential,
            verify_challenge_resource=False,
            connection_verify=str(self._certificate),
            retry_total=1,
        )
        return Opened(client, self.credential)

    def reference(self, name: str, version: str | None = None) -> VaultReference:
        return VaultReference(self.vault.url, name, version)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with local_vault(tmp_path) as (vault, certificate):
        found = Place(vault, certificate)
        yield found
        await found.secrets.close()


async def test_a_secret_is_read_once_until_its_time_is_over(place: Place) -> None:
    place.vault.secrets["key"] = {"v1": "one"}
    assert await place.secrets.get(place.reference("key")) == "one"
    place.vault.secrets["key"]["v2"] = "two"
    place.clock.seconds = 59
    assert await place.secrets.get(place.reference("key")) == "one"
    assert place.vault.reads == ["key"]
    place.clock.seconds = 61
    assert await place.secrets.get(place.reference("key")) == "two"
    assert await place.secrets.get(place.reference("key", "v1")) == "one"


async def test_many_askers_make_one_read(place: Place) -> None:
    place.vault.secrets["key"] = {"v1": "one"}
    answers = await asyncio.gather(*(place.secrets.get(place.reference("key")) for _ in range(20)))
    assert set(answers) == {"one"}
    assert place.vault.reads == ["key"]


async def test_forget_reads_anew(place: Place) -> None:
    place.vault.secrets["key"] = {"v1": "one"}
    await place.secrets.get(place.reference("key"))
    place.vault.secrets["key"]["v2"] = "two"
    place.secrets.forget()
    assert await place.secrets.get(place.reference("key")) == "two"


async def test_settings_are_resolved_and_others_left_alone(place: Place) -> None:
    place.vault.secrets["bus"] = {"v1": "Endpoint=sb://x"}
    settings = {"ServiceBus": f"@Microsoft.KeyVault(SecretUri={place.vault.url}/secrets/bus)", "Plain": "value"}
    assert await place.secrets.resolve_all(settings) == {"ServiceBus": "Endpoint=sb://x", "Plain": "value"}


async def test_a_missing_secret_names_the_setting(place: Place) -> None:
    with pytest.raises(NotFound):
        await place.secrets.get(place.reference("absent"))
    with pytest.raises(SettingInvalid, match=r"'ServiceBus'.*'absent'"):
        await place.secrets.resolve("ServiceBus", f"@Microsoft.KeyVault(SecretUri={place.vault.url}/secrets/absent)")


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_a_vault_that_does_not_answer_leaves_the_old_value_in_use_for_a_while(place: Place, status: int) -> None:
    place.vault.secrets["key"] = {"v1": "one"}
    await place.secrets.get(place.reference("key"))
    place.vault.status = status
    place.clock.seconds = 500
    assert await place.secrets.get(place.reference("key")) == "one"
    place.clock.seconds = 601
    with pytest.raises(StoreUnavailable):
        await place.secrets.get(place.reference("key"))
    with pytest.raises(StoreUnavailable):
        await place.secrets.get(place.reference("never-read"))


async def test_a_token_that_is_refused_is_an_outage_with_a_code_of_its_own(place: Place) -> None:
    place.credential.token = "token-of-somebody-else"
    with pytest.raises(StoreUnavailable) as caught:
        await place.secrets.get(place.reference("key"))
    assert caught.value.code == "access_denied"
    assert "token-of" not in str(caught.value)


async def test_closing_closes_the_credential(place: Place) -> None:
    place.vault.secrets["key"] = {"v1": "hidden-value"}
    await place.secrets.get(place.reference("key"))
    await place.secrets.close()
    assert place.credential.closed
    assert "hidden-value" not in repr(place.secrets._values)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("SecretUri=https://v.vault.azure.net/secrets/name", VaultReference("https://v.vault.azure.net", "name")),
        ("SecretUri=https://v.vault.azure.net/secrets/name/", VaultReference("https://v.vault.azure.net", "name")),
        (
            "SecretUri=https://v.vault.azure.net/secrets/n/ab12",
            VaultReference("https://v.vault.azure.net", "n", "ab12"),
        ),
        ("VaultName=vau;SecretName=name", VaultReference("https://vau.vault.azure.net", "name")),
        ("vaultname=vau; secretname=n;secretversion=ab12", VaultReference("https://vau.vault.azure.net", "n", "ab12")),
    ],
)
def test_references_are_read_as_azure_reads_them(text: str, reference: VaultReference) -> None:
    assert parse_reference(f"@Microsoft.KeyVault({text})", "X") == reference


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "@Microsoft.KeyVault()",
        "@Microsoft.KeyVault(SecretUri=)",
        "@Microsoft.KeyVault(SecretUri=http://v.vault.azure.net/secrets/name)",
        "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/keys/name)",
        "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/na_me)",
        "@Microsoft.KeyVault(SecretUri=https://[v/secrets/name)",
        "@Microsoft.KeyVault(VaultName=vau)",
        "@Microsoft.KeyVault(VaultName=v/../x;SecretName=name)",
        "@Microsoft.KeyVault(VaultName=vau;SecretName=name;SecretVersion=a/b)",
        "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/name",
    ],
)
def test_what_is_no_reference_names_the_setting(text: str) -> None:
    with pytest.raises(SettingInvalid, match="'ServiceBus'"):
        parse_reference(text, "ServiceBus")
