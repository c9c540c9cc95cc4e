"""Importing the room loads no SDK: that would cost every cold start over a second."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import aos.azure

_PROBE = """
import importlib, sys
for name in {names!r}:
    importlib.import_module(name)
loaded = [name for name in sys.modules if name.startswith(("azure.", "aiohttp", "msal", "cryptography"))]
print(",".join(sorted(loaded)))
"""


def test_no_module_of_the_room_loads_an_sdk_or_a_web_client() -> None:
    names = [f"aos.azure.{module.name}" for module in pkgutil.iter_modules(aos.azure.__path__)]
    assert "aos.azure.tables" in names
    probe = subprocess.run(
        [sys.executable, "-c", _PROBE.format(names=names)], capture_output=True, text=True, check=True, timeout=60
    )
    assert probe.stdout.strip() == ""


def test_making_the_adapters_loads_none_either() -> None:
    code = (
        "import sys\n"
        "from aos.azure.identity import storage_connection, servicebus_connection\n"
        "from aos.azure.tables import AzureTableStore\n"
        "from aos.azure.blobs import AzureBlobStore\n"
        "from aos.azure.bus import AzureMessageBus\n"
        "from aos.azure.secrets import KeyVaultSecrets\n"
        "from aos.azure.servicebus_manager import ServiceBusManager\n"
        "env = {'AosStorage__accountName': 'abc', 'ServiceBus__fullyQualifiedNamespace': 'x.servicebus.windows.net'}\n"
        "storage = storage_connection(env)\n"
        "AzureTableStore(storage), AzureBlobStore(storage), AzureMessageBus(servicebus_connection(env))\n"
        "KeyVaultSecrets(), ServiceBusManager.from_settings(env)\n"
        "print([name for name in sys.modules if name.startswith('azure.')])\n"
    )
    probe = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert probe.stdout.strip() == "[]"
