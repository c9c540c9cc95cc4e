from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import BlobServiceClient

from aos.kernel.errors import InfrastructureError, NotAllowedNow
from aos.local.azurite.server import StoragePorts
from aos.local.stack import Stack, StackOptions
from tests.conftest import AOS_HOME
from tests.local.host.conftest import APP

SETTINGS = {"QUEUE": "incoming", "TICK": "0 0 0 1 1 *"}


def _options(home: Path, **more: Any) -> StackOptions:
    given: dict[str, Any] = {
        "app": APP,
        "home": home,
        "tools": AOS_HOME,
        "host_port": 0,
        "bus_port": 0,
        "storage_ports": StoragePorts(),
        "bus_config": APP / "servicebus.Config.json",
        "settings": SETTINGS,
    }
    return StackOptions(**(given | more))


async def _send(stack: Stack, queue: str, *bodies: str) -> None:
    async with (
        ServiceBusClient.from_connection_string(stack.bus_connection_string) as client,
        client.get_queue_sender(queue) as sender,
    ):
        await sender.send_messages([ServiceBusMessage(body) for body in bodies])


async def _receive(stack: Stack, queue: str, count: int) -> list[str]:
    got: list[str] = []
    async with (
        ServiceBusClient.from_connection_string(stack.bus_connection_string) as client,
        client.get_queue_receiver(queue) as receiver,
    ):
        while len(got) < count:
            for message in await receiver.receive_messages(count, max_wait_time=20):
                got.append(str(message))
                await receiver.complete_message(message)
    return got


async def test_the_stack_serves_restarts_a_killed_host_and_leaves_nothing_behind(tmp_path: Path) -> None:
    said: list[str] = []
    async with Stack.start(_options(tmp_path, in_memory=True, report=said.append)) as stack:
        async with httpx.AsyncClient(base_url=stack.base_url) as http:
            refused = await http.get("/api/guarded")
            allowed = await http.get("/api/guarded", headers={"x-functions-key": stack.function_key})
            first = (await http.get("/admin/host/status")).json()["pid"]
        assert (refused.status_code, allowed.text) == (401, "in")
        async with BlobServiceClient.from_connection_string(stack.storage_connection_string) as blobs:
            await blobs.create_container("things")
        await _send(stack, "incoming", "forward 1", "wait")
        assert await _receive(stack, "outgoing", 1) == ["from one: forward 1"]

        await stack.kill_host()
        await _send(stack, "incoming", "forward 2")
        await stack.host_ready()
        assert await _receive(stack, "outgoing", 1) == ["from one: forward 2"]
        async with httpx.AsyncClient(base_url=stack.base_url) as http:
            assert (await http.get("/admin/host/status")).json()["pid"] != first
        assert stack.host_restarts == 1
        assert "The Functions host ended unexpectedly (signal 9); starting it again." in said
        values = json.loads((tmp_path / "local.settings.json").read_text())["Values"]
        assert values["ServiceBus"] == stack.bus_connection_string
    for url in (stack.base_url, stack.bus_connection_string, stack.storage_connection_string):
        port = int(url.split("127.0.0.1:")[1].split("/")[0].split(";")[0])
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            pass


async def test_data_outlives_the_stack_and_belongs_to_one_at_a_time(tmp_path: Path) -> None:
    async with Stack.start(_options(tmp_path)) as stack:
        key = stack.function_key
        await stack.stop_host()
        await _send(stack, "incoming", "forward later")
        async with BlobServiceClient.from_connection_string(stack.storage_connection_string) as blobs:
            await blobs.create_container("kept")
        with pytest.raises(NotAllowedNow, match="Another stack"):
            await Stack.start(_options(tmp_path)).__aenter__()
    async with Stack.start(_options(tmp_path)) as stack:
        assert stack.function_key == key
        assert await _receive(stack, "outgoing", 1) == ["from one: forward later"]
        async with BlobServiceClient.from_connection_string(stack.storage_connection_string) as blobs:
            assert [container.name async for container in blobs.list_containers()] == ["kept"]


async def test_a_taken_port_is_reported_and_another_used(tmp_path: Path) -> None:
    said: list[str] = []
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        options = _options(tmp_path, in_memory=True, host_port=taken, report=said.append)
        async with Stack.start(options) as stack:
            assert str(taken) not in stack.base_url
    assert any(f"Port {taken} (HTTP) is taken" in line for line in said)


async def test_an_app_that_cannot_start_says_why_and_leaves_nothing_running(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"needs the setting 'TICK'.*") as failure:
        await Stack.start(_options(tmp_path, in_memory=True, settings={})).__aenter__()
    assert "host.log" in str(failure.value)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("keep")]
