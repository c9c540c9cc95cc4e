from __future__ import annotations

import pytest

from aos.azure.identity import Identity, open_vault, servicebus_connection, storage_connection
from aos.kernel.errors import SettingInvalid, SettingMissing

KEY = "c2VjcmV0"
STORAGE = f"DefaultEndpointsProtocol=https;AccountName=one;AccountKey={KEY};EndpointSuffix=core.windows.net"
BUS = f"Endpoint=sb://one.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={KEY}"


def test_storage_is_looked_for_in_order() -> None:
    environ = {
        "AZURE_STORAGE_CONNECTION_STRING": STORAGE.replace("one", "three"),
        "AzureWebJobsStorage": STORAGE.replace("one", "two"),
        "AosStorage": STORAGE,
    }
    assert storage_connection(environ, STORAGE.replace("one", "zero")).connection_string == STORAGE.replace(
        "one", "zero"
    )
    assert storage_connection(environ).connection_string == STORAGE
    del environ["AosStorage"]
    assert storage_connection(environ).setting == "AzureWebJobsStorage"
    del environ["AzureWebJobsStorage"]
    assert storage_connection(environ).connection_string == STORAGE.replace("one", "three")
    with pytest.raises(SettingMissing, match="AosStorage"):
        storage_connection({"AosStorage": ""})


def test_an_identity_for_data_goes_before_the_hosts_connection_string() -> None:
    found = storage_connection({"AosStorage__accountName": "data1", "AzureWebJobsStorage": STORAGE})
    assert found.connection_string is None
    assert found.blob_url == "https://data1.blob.core.windows.net"
    assert found.table_url == "https://data1.table.core.windows.net"
    assert found.identity == Identity()


def test_addresses_of_services_and_a_managed_identity() -> None:
    found = storage_connection(
        {
            "AzureWebJobsStorage__blobServiceUri": "https://b.example.org/x",
            "AzureWebJobsStorage__tableServiceUri": "https://t.example.org",
            "AzureWebJobsStorage__credential": "managedidentity",
            "AzureWebJobsStorage__clientId": "abc",
        }
    )
    assert (found.blob_url, found.table_url) == ("https://b.example.org/x", "https://t.example.org")
    assert found.identity == Identity(managed=True, client_id="abc")


def test_a_service_without_an_address_is_named_when_it_is_needed() -> None:
    found = storage_connection({"AosStorage__blobServiceUri": "https://b.example.org"})
    with pytest.raises(SettingMissing, match="AosStorage__tableServiceUri"):
        found.open_tables()
    found = storage_connection({"AosStorage__tableServiceUri": "https://b.example.org"})
    with pytest.raises(SettingMissing, match="AosStorage__blobServiceUri"):
        found.open_blobs()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AosStorage", "nonsense"),
        ("AosStorage", "AccountName=one"),
        ("AosStorage", "AccountName=one;=x"),
        ("AosStorage", "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"),
        ("AosStorage__accountName", "Not-An-Account"),
        ("AosStorage__blobServiceUri", "http://plain.example.org"),
        ("AosStorage__tableServiceUri", "t.example.org"),
        ("AZURE_STORAGE_CONNECTION_STRING", "x"),
    ],
)
def test_a_storage_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingInvalid, match=name):
        storage_connection({name: value})


def test_the_kind_of_credential_is_checked() -> None:
    with pytest.raises(SettingInvalid, match="AosStorage__credential"):
        storage_connection({"AosStorage__accountName": "one", "AosStorage__credential": "magic"})


async def test_development_storage_is_the_emulators_published_account() -> None:
    found = storage_connection({"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    tables, blobs = found.open_tables(), found.open_blobs()
    assert tables.client.url == "http://127.0.0.1:10002/devstoreaccount1"
    assert blobs.client.url.rstrip("/") == "http://127.0.0.1:10000/devstoreaccount1"
    await tables.close()
    await blobs.close()


async def test_a_signature_with_endpoints_serves_too() -> None:
    text = "BlobEndpoint=https://b.example.org/;TableEndpoint=https://t.example.org/;SharedAccessSignature=sv=1&sig=abc"
    found = storage_connection({"AosStorage": text})
    tables, blobs = found.open_tables(), found.open_blobs()
    assert "abc" not in repr(found)
    await tables.close()
    await blobs.close()
    with pytest.raises(SettingInvalid):
        storage_connection({"AosStorage": "BlobEndpoint=https://b.example.org/;SharedAccessSignature=sv=1&sig=abc"})


def test_service_bus_is_looked_for_in_order() -> None:
    environ = {
        "AZURE_SERVICEBUS_CONNECTION_STRING": BUS.replace("one", "three"),
        "AzureServiceBusConnectionString": BUS.replace("one", "two"),
        "ServiceBus": BUS,
    }
    for name in ("ServiceBus", "AzureServiceBusConnectionString", "AZURE_SERVICEBUS_CONNECTION_STRING"):
        found = servicebus_connection(environ)
        assert (found.setting, found.connection_string) == (name, environ.pop(name))
    with pytest.raises(SettingMissing, match="ServiceBus"):
        servicebus_connection(environ)


def test_a_namespace_with_an_identity() -> None:
    found = servicebus_connection(
        {"ServiceBus__fullyQualifiedNamespace": "one.servicebus.windows.net", "ServiceBus__clientId": "abc"}
    )
    assert found.namespace == "one.servicebus.windows.net"
    assert found.identity == Identity(client_id="abc")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ServiceBus", "nonsense"),
        ("ServiceBus", "Endpoint=sb://one"),
        ("ServiceBus", BUS.replace("sb://", "https://")),
        ("ServiceBus", BUS + ";EntityPath=agent-inbox"),
        ("ServiceBus__fullyQualifiedNamespace", "one"),
        ("ServiceBus__fullyQualifiedNamespace", "https://one.servicebus.windows.net"),
        ("AzureServiceBusConnectionString", "x"),
    ],
)
def test_a_bus_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingInvalid, match=name):
        servicebus_connection({name: value})


def test_keys_are_in_no_error_and_no_repr() -> None:
    assert KEY not in repr(storage_connection({"AosStorage": STORAGE}))
    assert KEY not in repr(servicebus_connection({"ServiceBus": BUS}))
    for broken in (STORAGE.replace("AccountName", "Name"), f"{STORAGE};oops"):
        with pytest.raises(SettingInvalid) as caught:
            storage_connection({"AosStorage": broken})
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("identity", "kind"),
    [
        (Identity(), "DefaultAzureCredential"),
        (Identity(client_id="abc"), "DefaultAzureCredential"),
        (Identity(managed=True), "ManagedIdentityCredential"),
        (Identity(managed=True, client_id="abc"), "ManagedIdentityCredential"),
    ],
)
async def test_clients_with_an_identity_own_their_credential(identity: Identity, kind: str) -> None:
    environ = {"AosStorage__accountName": "one", "ServiceBus__fullyQualifiedNamespace": "one.servicebus.windows.net"}
    if identity.managed:
        environ |= {"AosStorage__credential": "managedidentity", "ServiceBus__credential": "managedidentity"}
    if identity.client_id:
        environ |= {"AosStorage__clientId": identity.client_id, "ServiceBus__clientId": identity.client_id}
    storage, bus = storage_connection(environ), servicebus_connection(environ)
    assert storage.identity == bus.identity == identity
    for opened in (storage.open_tables(), storage.open_blobs(), bus.open_client(), bus.open_admin()):
        assert type(opened.credential).__name__ == kind
        await opened.close()


async def test_a_vault_is_opened_with_the_identity() -> None:
    opened = open_vault("https://one.vault.azure.net", Identity(managed=True))
    assert opened.client.vault_url == "https://one.vault.azure.net"
    assert type(opened.credential).__name__ == "ManagedIdentityCredential"
    await opened.close()
