"""The composition root: builds a system from settings. Nobody else constructs adapters.

Importing this module loads no Azure SDK; the adapters do so at first use.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from aos.agents import AgentRegistry
from aos.agents.installed import installed_agents
from aos.azure.blobs import AzureBlobStore
from aos.azure.bus import AzureMessageBus
from aos.azure.bus_probe import BusProbe
from aos.azure.claims import open_body
from aos.azure.identity import EntraTokens, servicebus_connection, storage_connection
from aos.azure.secrets import KeyVaultSecrets
from aos.azure.tables import AzureTableStore
from aos.config import AOSConfig
from aos.kernel.ambient import RandomIds, SystemClock
from aos.llm.installed import InstalledModels
from aos.mcp.servers import McpServers, configured_names
from aos.system import Adapters, AgentOperatingSystem
from aos.tools.attempt import Workbench


def compose(
    config: AOSConfig,
    *,
    environ: Mapping[str, str] | None = None,
    adapters: Adapters | None = None,
    registry: AgentRegistry | None = None,
) -> AgentOperatingSystem:
    """Build a system.

    Args:
        config: Its configuration.
        environ: App settings with the connections to Azure; the process's own by default.
        adapters: Stand-ins for Azure, as tests use them.
        registry: Its agent types; those of the configured package by default.

    Raises:
        SettingMissing, SettingInvalid: a connection is not configured, or an agent package cannot be imported.
    """
    settings = os.environ if environ is None else environ
    outside = adapters or azure_adapters(config, settings)
    vaults, tokens = KeyVaultSecrets(), EntraTokens()
    return AgentOperatingSystem(
        config,
        replace(outside, close=_closing(outside.close, vaults.close, tokens.close)),
        registry or registry_of(config, settings),
        models_of(settings, outside, vaults, tokens),
        mcp_servers_of(config, settings, outside, vaults),
        secrets=secrets_of(settings, vaults),
    )


def registry_of(config: AOSConfig, environ: Mapping[str, str] | None = None) -> AgentRegistry:
    """The agent types and task types there are from the start.

    They come from the configured package, from its `.agent.md` files, from the configured agent registry file, and
    from installed packages with entry points of the group `aos.agents`.

    Raises:
        SettingInvalid: the package, one of its agents, or the registry file cannot be used.
        InvalidInput: an `.agent.md` file is not right; the message names file, line and remedy.
    """
    settings = os.environ if environ is None else environ
    return installed_agents(
        config.agents_package,
        registry_file=config.agent_registry,
        environ=settings,
        servers=configured_names(config.mcp.file) if config.agent_registry is not None else None,
    )


def models_of(
    environ: Mapping[str, str], adapters: Adapters, vaults: KeyVaultSecrets, tokens: EntraTokens
) -> InstalledModels:
    """The model router's parts: keys from the settings, from Key Vault where a setting refers to it, or none."""
    return InstalledModels(
        environ,
        secrets=secrets_of(environ, vaults),
        token=tokens,
        tables=adapters.tables,
        clock=adapters.clock,
        ids=adapters.ids,
    )


def secrets_of(environ: Mapping[str, str], vaults: KeyVaultSecrets) -> Callable[[str], Awaitable[str | None]]:
    """Reads settings one at a time, from Key Vault where one refers to it; None for one that is not there."""

    async def secret(name: str) -> str | None:
        value = environ.get(name, "").strip()
        return await vaults.resolve(name, value) if value else None

    return secret


def mcp_servers_of(
    config: AOSConfig,
    environ: Mapping[str, str],
    adapters: Adapters | None = None,
    vaults: KeyVaultSecrets | None = None,
) -> McpServers:
    """The MCP servers of the configured file; `${NAME}` in it are app settings, which may refer to Key Vault.

    Raises:
        SettingInvalid: the file is not right; the message names server, field and remedy.
    """
    bench = Workbench(adapters.clock, adapters.ids) if adapters is not None else None
    return McpServers.of_file(
        config.mcp.file,
        environ=environ,
        resolve=(vaults or KeyVaultSecrets()).resolve,
        processes=config.mcp.stdio,
        bench=bench,
    )


def azure_adapters(config: AOSConfig, environ: Mapping[str, str]) -> Adapters:
    """The adapters for the connections that the app settings name. Raises `SettingMissing` or `SettingInvalid`."""
    given = config.storage_connection_string, config.servicebus_connection_string
    storage = storage_connection(environ, given[0].get_secret_value() if given[0] else None)
    servicebus = servicebus_connection(environ, given[1].get_secret_value() if given[1] else None)
    tables = AzureTableStore(storage, prefix=config.storage.table_prefix)
    blobs = AzureBlobStore(storage, container=config.storage.container)
    probe = BusProbe(servicebus, config.messaging.requests)
    bus = AzureMessageBus(servicebus, blobs=blobs, max_message_bytes=config.messaging.max_message_bytes)

    async def opened(body: bytes) -> bytes:
        return await open_body(body, blobs)

    async def close() -> None:
        for adapter in (probe, bus, blobs, tables):
            await adapter.close()

    return Adapters(tables, blobs, bus, SystemClock(), RandomIds(), opened, probe.look, close)


def _closing(*closes: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Closes one after the other, the last first, each whether or not another failed."""

    async def close() -> None:
        async with AsyncExitStack() as exits:
            for each in closes:
                exits.push_async_callback(each)

    return close
