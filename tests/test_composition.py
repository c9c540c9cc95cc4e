"""What the composition root opens, and closes again."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from aos.azure import secrets
from aos.azure.identity import Identity, Opened
from aos.composition import compose
from aos.config import AOSConfig
from aos.kernel.errors import BusUnavailable
from aos.system import Adapters, AgentOperatingSystem
from aos.workflows.human.links import KEY_SETTING
from tests.harness import MemorySystem

VAULT = "https://v.vault.azure.net"


class Client:
    """Stands in for the SDK's clients of a vault and of an identity."""

    def __init__(self) -> None:
        self.closed = 0

    async def get_secret(self, name: str, version: str | None = None) -> Any:
        return SimpleNamespace(value=name.ljust(40, "-"))

    async def get_token(self, scope: str) -> Any:
        return SimpleNamespace(token=scope)

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Client]:
    """The clients that were opened, in this order."""
    found: list[Client] = []

    def open_client(*_: Any, **__: Any) -> Client:
        found.append(Client())
        return found[-1]

    monkeypatch.setattr(secrets, "open_vault", lambda *_, **__: Opened(open_client()))
    monkeypatch.setattr(Identity, "credential", open_client)
    return found


def composed(outside: Adapters) -> AgentOperatingSystem:
    names = {KEY_SETTING: "links", "OPENAI_API_KEY": "openai"}
    environ = {name: f"@Microsoft.KeyVault(SecretUri={VAULT}/secrets/{secret})" for name, secret in names.items()}
    return compose(AOSConfig.load(agents_package="tests.fixtures.agents"), environ=environ, adapters=outside)


async def use_secrets(system: AgentOperatingSystem) -> None:
    """As links and models do."""
    assert await system.people.signer.absent() is None
    assert await system.models._options["secrets"]("OPENAI_API_KEY") == "openai".ljust(40, "-")
    assert await system.models._options["token"]("https://x/.default") == "https://x/.default"


async def test_a_system_that_stops_closes_its_vault_and_its_identity(opened: list[Client]) -> None:
    system = composed(MemorySystem().system.adapters)
    await use_secrets(system)
    assert [client.closed for client in opened] == [0, 0], "one vault for all, and one identity"
    await system.stop()
    assert [client.closed for client in opened] == [1, 1]


async def test_a_bus_that_cannot_be_closed_keeps_no_vault_open(opened: list[Client]) -> None:
    async def hang_up() -> None:
        raise BusUnavailable("The bus is gone.")

    system = composed(replace(MemorySystem().system.adapters, close=hang_up))
    await use_secrets(system)
    with pytest.raises(BusUnavailable):
        await system.stop()
    assert [client.closed for client in opened] == [1, 1]
