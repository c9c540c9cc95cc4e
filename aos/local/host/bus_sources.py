"""Chooses how to receive for a connection setting: the lean client for our emulator, the SDK for anything else."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import cast

from aos.kernel.errors import SettingInvalid
from aos.local.host.link import OpenSource
from aos.local.host.settings import Settings
from aos.local.host.source import Source
from aos.local.servicebus.client.multiplexed import MultiplexedReceiver
from aos.local.servicebus.connection_string import ConnectionString

RECEIVER = "AOS_HOST_RECEIVER"


def source_of(connection: str, settings: Settings, needed_by: str) -> OpenSource:
    """What opens the bus that a binding's `connection` names.

    A connection string with `UseDevelopmentEmulator=true` is taken for the embedded emulator, unless the
    setting `AOS_HOST_RECEIVER` is `sdk` (as it must be for Microsoft's emulator).

    Raises:
        SettingMissing: neither the setting nor its `__fullyQualifiedNamespace` is there.
        SettingInvalid: the connection string cannot be read.
    """
    kind = settings.get(RECEIVER) or "lean"
    if kind not in ("lean", "sdk"):
        raise SettingInvalid(f"{RECEIVER} is {kind!r}; it must be lean or sdk.")
    text = settings.get(connection) or settings.get(f"AzureWebJobs{connection}")
    if not text:
        namespace = settings.get(f"{connection}__fullyQualifiedNamespace")
        if not namespace:
            raise settings.missing(connection, needed_by)
        return lambda: _sdk_by_identity(namespace)
    if ConnectionString.parse(text).development and kind == "lean":
        return lambda: _lean(text)
    return lambda: _sdk(text)


def _lean(text: str) -> AbstractAsyncContextManager[Source]:
    return cast("AbstractAsyncContextManager[Source]", MultiplexedReceiver.connect(text))


def _sdk(text: str) -> AbstractAsyncContextManager[Source]:
    from aos.local.host.sdk_source import SdkSource  # the SDK loads only where it is used

    return SdkSource.from_connection_string(text)


def _sdk_by_identity(namespace: str) -> AbstractAsyncContextManager[Source]:
    from aos.local.host.sdk_source import SdkSource  # the SDK loads only where it is used

    return SdkSource.from_identity(namespace)
