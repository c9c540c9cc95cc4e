"""Adapters over the shared storage emulator, each test with names of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from azure.core.pipeline.transport import AsyncHttpTransport

from aos.azure.blobs import AzureBlobStore
from aos.azure.tables import AzureTableStore
from tests.local.servicebus.broker_thread import BrokerThread
from tests.sdk_polling import frequent_polling  # noqa: F401  # a fixture of all tests here


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds for which the HTTP clients wanted to back off; they do not, here."""
    asked: list[float] = []

    async def sleep(transport: object, duration: float) -> None:
        asked.append(duration)

    monkeypatch.setattr(AsyncHttpTransport, "sleep", sleep)
    return asked


@pytest.fixture
def unique() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def tables(azurite: str, unique: str) -> AsyncIterator[AzureTableStore]:
    store = AzureTableStore.from_connection_string(azurite, prefix=unique)
    yield store
    await store.close()


@pytest.fixture
async def blobs(azurite: str, unique: str) -> AsyncIterator[AzureBlobStore]:
    store = AzureBlobStore.from_connection_string(azurite, container=unique)
    yield store
    await store.close()


@pytest.fixture(scope="session")
def broker() -> Iterator[BrokerThread]:
    thread = BrokerThread()
    thread.start()
    yield thread
    thread.stop()
