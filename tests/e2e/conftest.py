"""The whole system, as `aos up` runs it: Azurite, the Service Bus emulator and the Functions host as processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from azure.servicebus.aio import ServiceBusClient

from aos.local.azurite.server import StoragePorts
from aos.local.stack import Stack, StackOptions
from tests.conftest import AOS_HOME
from tests.sdk_polling import frequent_polling  # noqa: F401  # a fixture of all tests here

PROJECT = Path(__file__).resolve().parents[2]
TEST_AGENTS = "tests.fixtures.agents"
PATIENCE = 30.0


def options(home: Path, *, agents: str = TEST_AGENTS, in_memory: bool = True, **settings: str) -> StackOptions:
    """A stack that takes any ports and shares nothing but the installed Azurite."""
    return StackOptions(
        app=PROJECT,
        home=home,
        tools=AOS_HOME,
        in_memory=in_memory,
        host_port=0,
        bus_port=0,
        storage_ports=StoragePorts(),
        settings={"AOS_ENVIRONMENT": "test", "AOS_AGENTS_PACKAGE": agents, **settings},
    )


@asynccontextmanager
async def caller(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP with the stack's function key."""
    headers = {"x-functions-key": stack.function_key}
    async with httpx.AsyncClient(base_url=stack.base_url, headers=headers, timeout=PATIENCE, trust_env=False) as http:
        yield http


async def until(http: httpx.AsyncClient, path: str, wanted: Any) -> dict[str, Any]:
    """Look at a resource until `wanted` says that it is so; what was seen then."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await http.get(path)
            if answer.status_code == 200 and wanted(answer.json()):
                found: dict[str, Any] = answer.json()
                return found
            await asyncio.sleep(0.03)


async def post(http: httpx.AsyncClient, agent: str, type: str, data: Any = None, **more: Any) -> str:
    """Send an agent a message through the API; the message's id."""
    answer = await http.post(f"/api/v1/agents/{agent}/messages", json={"type": type, "data": data, **more})
    answer.raise_for_status()
    return str(answer.json()["message_id"])


async def usage(http: httpx.AsyncClient) -> Mapping[str, int]:
    """What the host has used since it started."""
    answer = await http.get("/api/v1/system/status")
    found: dict[str, int] = answer.raise_for_status().json()["usage"]
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack over the test agents, for all tests that do not break it: use agents and ids of your own.

    It streams its answers, as `aos up` does; the stacks of other tests do not.
    """
    async with Stack.start(options(tmp_path_factory.mktemp("stack"), AOS_API_STREAMING="true")) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(stack) as client:
        yield client


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bus(stack: Stack) -> AsyncIterator[ServiceBusClient]:
    """The unmodified SDK, as a business app would use it."""
    async with ServiceBusClient.from_connection_string(stack.bus_connection_string) as client:
        yield client
