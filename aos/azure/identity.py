"""Connections to Azure from app settings, in the form that Functions bindings use.

A connection `ServiceBus` is either one setting of that name with a connection string, or an identity with
`ServiceBus__fullyQualifiedNamespace`; a storage connection likewise with `<name>__accountName`, or
`<name>__blobServiceUri` and `<name>__tableServiceUri`. `<name>__credential` and `<name>__clientId` choose the identity.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from aos.azure.connection_string import check_servicebus, check_storage
from aos.kernel.errors import SettingInvalid, SettingMissing

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.data.tables.aio import TableServiceClient
    from azure.keyvault.secrets.aio import SecretClient
    from azure.servicebus.aio import ServiceBusClient
    from azure.servicebus.aio.management import ServiceBusAdministrationClient
    from azure.storage.blob.aio import BlobServiceClient

STORAGE_SETTINGS = ("AosStorage", "AzureWebJobsStorage")
STORAGE_ALIASES = ("AZURE_STORAGE_CONNECTION_STRING",)
SERVICEBUS_SETTINGS = ("ServiceBus",)
SERVICEBUS_ALIASES = ("AzureServiceBusConnectionString", "AZURE_SERVICEBUS_CONNECTION_STRING")

_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)+")
_ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?(/[^?#\s]*)?")


class Closable(Protocol):
    async def close(self) -> None: ...


ClientT = TypeVar("ClientT", bound=Closable)


@dataclass(frozen=True, slots=True)
class Opened(Generic[ClientT]):
    """A client, and the credential that goes with it."""

    client: ClientT
    credential: AsyncTokenCredential | None = None

    async def close(self) -> None:
        await self.client.close()
        if self.credential is not None:
            await self.credential.close()


@dataclass(frozen=True, slots=True)
class Identity:
    """Which identity to use: the app's managed one, or whatever `DefaultAzureCredential` finds.

    Attributes:
        managed: Only the managed identity, as in Azure; otherwise also a developer's sign-in.
        client_id: Of a user-assigned identity.
    """

    managed: bool = False
    client_id: str | None = None

    def credential(self) -> AsyncTokenCredential:
        from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

        if self.managed:
            return ManagedIdentityCredential(client_id=self.client_id)
        if self.client_id is None:
            return DefaultAzureCredential()
        return DefaultAzureCredential(managed_identity_client_id=self.client_id)


@dataclass(frozen=True, slots=True)
class StorageConnection:
    """How to reach tables and blobs. `setting` is where it came from."""

    setting: str
    connection_string: str | None = field(default=None, repr=False)
    blob_url: str | None = None
    table_url: str | None = None
    identity: Identity = Identity()

    @classmethod
    def of(cls, connection_string: str, setting: str = "the storage connection string") -> StorageConnection:
        """Raises `SettingInvalid`, naming the setting, for a string that cannot be one."""
        return cls(setting, check_storage(connection_string, setting))

    def open_tables(self, **options: Any) -> Opened[TableServiceClient]:
        from azure.data.tables.aio import TableServiceClient

        options = {"use_env_settings": _has_proxy(), **options}
        if self.connection_string is not None:
            return Opened(TableServiceClient.from_connection_string(self.connection_string, **options))
        if self.table_url is None:
            raise SettingMissing(f"Setting '{self.setting}__tableServiceUri' is needed for tables.")
        credential = self.identity.credential()
        return Opened(TableServiceClient(self.table_url, credential=credential, **options), credential)

    def open_blobs(self, **options: Any) -> Opened[BlobServiceClient]:
        from azure.storage.blob.aio import BlobServiceClient

        options = {"use_env_settings": _has_proxy(), **options}
        if self.connection_string is not None:
            return Opened(BlobServiceClient.from_connection_string(self.connection_string, **options))
        if self.blob_url is None:
            raise SettingMissing(f"Setting '{self.setting}__blobServiceUri' is needed for blobs.")
        credential = self.identity.credential()
        return Opened(BlobServiceClient(self.blob_url, credential=credential, **options), credential)


@dataclass(frozen=True, slots=True)
class ServiceBusConnection:
    """How to reach a Service Bus namespace. `setting` is where it came from."""

    setting: str
    connection_string: str | None = field(default=None, repr=False)
    namespace: str | None = None
    identity: Identity = Identity()

    @classmethod
    def of(cls, connection_string: str, setting: str = "the Service Bus connection string") -> ServiceBusConnection:
        """Raises `SettingInvalid`, naming the setting, for a string that cannot be one."""
        return cls(setting, check_servicebus(connection_string, setting))

    def open_client(self, **options: Any) -> Opened[ServiceBusClient]:
        from azure.servicebus.aio import ServiceBusClient

        if self.connection_string is not None:
            return Opened(ServiceBusClient.from_connection_string(self.connection_string, **options))
        credential = self.identity.credential()
        return Opened(ServiceBusClient(self._namespace(), credential, **options), credential)

    def open_admin(self, **options: Any) -> Opened[ServiceBusAdministrationClient]:
        from azure.servicebus.aio.management import ServiceBusAdministrationClient

        if self.connection_string is not None:
            return Opened(ServiceBusAdministrationClient.from_connection_string(self.connection_string, **options))
        credential = self.identity.credential()
        return Opened(ServiceBusAdministrationClient(self._namespace(), credential, **options), credential)

    def _namespace(self) -> str:
        if self.namespace is None:
            raise SettingMissing(f"Setting '{self.setting}__fullyQualifiedNamespace' is needed for Service Bus.")
        return self.namespace


def _has_proxy() -> bool:
    """Whether HTTP goes through a proxy here.

    The transport looks for one, and for a `.netrc`, in a thread before every request: nearly a millisecond for nothing
    where there is none.
    """
    from urllib.request import getproxies

    return bool(getproxies().keys() - {"no"})


def open_vault(url: str, identity: Identity, **options: Any) -> Opened[SecretClient]:
    """A client for the secrets of one vault."""
    from azure.keyvault.secrets.aio import SecretClient

    credential = identity.credential()
    return Opened(SecretClient(url, credential, **options), credential)


def storage_connection(environ: Mapping[str, str], connection_string: str | None = None) -> StorageConnection:
    """The connection for data: `AosStorage`, else `AzureWebJobsStorage`, else the alias; one given by hand wins.

    Raises:
        SettingMissing: none of them is set.
        SettingInvalid: the one that is set cannot be used.
    """
    if connection_string:
        return StorageConnection.of(connection_string)
    for name in STORAGE_SETTINGS:
        if environ.get(name):
            return StorageConnection.of(environ[name], name)
        given = _members(environ, name)
        if given.keys() & {"accountName", "blobServiceUri", "tableServiceUri"}:
            return _storage_identity(name, given)
    for name in STORAGE_ALIASES:
        if environ.get(name):
            return StorageConnection.of(environ[name], name)
    raise SettingMissing(
        "No storage is configured. Set 'AosStorage' (or 'AzureWebJobsStorage') to a connection string, or "
        "'AosStorage__accountName' to use the app's identity."
    )


def servicebus_connection(environ: Mapping[str, str], connection_string: str | None = None) -> ServiceBusConnection:
    """The connection for messages: `ServiceBus`, else an alias; one given by hand wins.

    Raises:
        SettingMissing: none of them is set.
        SettingInvalid: the one that is set cannot be used.
    """
    if connection_string:
        return ServiceBusConnection.of(connection_string)
    for name in SERVICEBUS_SETTINGS:
        if environ.get(name):
            return ServiceBusConnection.of(environ[name], name)
        given = _members(environ, name)
        if namespace := given.get("fullyQualifiedNamespace"):
            setting = f"{name}__fullyQualifiedNamespace"
            _require(_NAMESPACE, namespace, setting, "a host name such as 'example.servicebus.windows.net'")
            return ServiceBusConnection(name, namespace=namespace, identity=_identity(name, given))
    for name in SERVICEBUS_ALIASES:
        if environ.get(name):
            return ServiceBusConnection.of(environ[name], name)
    raise SettingMissing(
        "No Service Bus is configured. Set 'ServiceBus' to a connection string, or "
        "'ServiceBus__fullyQualifiedNamespace' to use the app's identity."
    )


def _storage_identity(name: str, given: Mapping[str, str]) -> StorageConnection:
    account = given.get("accountName")
    urls: dict[str, str | None] = {}
    if account is not None:
        _require(_ACCOUNT, account, f"{name}__accountName", "3 to 24 lower-case letters and digits")
    for service in ("blob", "table"):
        member = f"{service}ServiceUri"
        url = given.get(member)
        if url is not None:
            _require(_ADDRESS, url, f"{name}__{member}", "an address that starts with https://")
        elif account is not None:
            url = f"https://{account}.{service}.core.windows.net"
        urls[service] = url
    return StorageConnection(name, blob_url=urls["blob"], table_url=urls["table"], identity=_identity(name, given))


def _identity(name: str, given: Mapping[str, str]) -> Identity:
    kind = given.get("credential")
    if kind is not None and kind.lower() != "managedidentity":
        raise SettingInvalid(f"Setting '{name}__credential' is {kind!r}; it can only be 'managedidentity'.")
    return Identity(managed=kind is not None, client_id=given.get("clientId"))


def _members(environ: Mapping[str, str], name: str) -> dict[str, str]:
    prefix = f"{name}__"
    return {key.removeprefix(prefix): value for key, value in environ.items() if key.startswith(prefix) and value}


def _require(shape: re.Pattern[str], value: str, setting: str, expected: str) -> None:
    if not shape.fullmatch(value):
        raise SettingInvalid(f"Setting {setting!r} is {value!r}; it must be {expected}.")


class EntraTokens:
    """Microsoft Entra tokens for services that take them in place of a key."""

    def __init__(self, identity: Identity | None = None) -> None:
        self._identity = identity or Identity()
        self._credential: AsyncTokenCredential | None = None

    async def __call__(self, scope: str) -> str:
        """A token of this scope; the credential keeps it until it is about to expire."""
        if self._credential is None:
            self._credential = self._identity.credential()
        return (await self._credential.get_token(scope)).token

    async def close(self) -> None:
        if self._credential is not None:
            await self._credential.close()
            self._credential = None
