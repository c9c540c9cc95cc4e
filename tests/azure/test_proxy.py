from __future__ import annotations

from typing import NoReturn

import aiohttp.client
import pytest

from aos.azure.tables import AzureTableStore
from tests.azure.one_answer import one_answer

_FOUND = '{"PartitionKey": "p", "RowKey": "r", "colour": "red", "odata.etag": "W/\\"1\\""}'
_ACCOUNT = "DefaultEndpointsProtocol=http;AccountName=one;AccountKey=c2VjcmV0;TableEndpoint={}one"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def _colour(endpoint: str) -> object:
    store = AzureTableStore.from_connection_string(_ACCOUNT.format(endpoint))
    try:
        found = await store.get("agents", "p", "r")
    finally:
        await store.close()
    return None if found is None else found.values["colour"]


async def test_storage_is_reached_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with one_answer(200, _FOUND, {"ETag": "1"}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        assert await _colour("http://tables.invalid/") == "red"


async def test_without_a_proxy_none_is_looked_for_at_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*_: object) -> NoReturn:
        raise AssertionError("the environment was searched for a proxy")

    monkeypatch.setattr(aiohttp.client, "get_env_proxy_for_url", look)
    async with one_answer(200, _FOUND, {"ETag": "1"}) as server:
        assert await _colour(server) == "red"
