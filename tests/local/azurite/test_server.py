from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest
from azure.data.tables.aio import TableClient
from azure.storage.blob.aio import BlobServiceClient

from aos.kernel.errors import StoreUnavailable
from aos.local.azurite import Azurite
from aos.local.azurite.server import StoragePorts
from tests.conftest import AOS_HOME


async def _write_row(connection_string: str, row: str) -> None:
    async with TableClient.from_connection_string(connection_string, "things") as table:
        try:
            await table.create_table()
        except Exception as error:
            if getattr(error, "status_code", None) != 409:
                raise
        await table.upsert_entity({"PartitionKey": "p", "RowKey": row})


async def _rows(connection_string: str) -> list[str]:
    async with TableClient.from_connection_string(connection_string, "things") as table:
        return [entity["RowKey"] async for entity in table.list_entities()]


async def test_serves_tables_and_blobs_to_the_unmodified_sdks(azurite: str) -> None:
    await _write_row(azurite, "one")
    assert "one" in await _rows(azurite)
    async with BlobServiceClient.from_connection_string(azurite) as service:
        container = await service.create_container("server-test")
        await container.upload_blob("a/b", b"bytes")
        download = await container.download_blob("a/b")
        assert await download.readall() == b"bytes"


async def test_keeps_what_was_written_over_a_restart_when_given_a_place(tmp_path: Path) -> None:
    async with Azurite.start(home=AOS_HOME, location=tmp_path) as server:
        before = server.connection_string
        await _write_row(server.connection_string, "kept")
        await server.launch()
        assert server.connection_string == before
        assert await _rows(server.connection_string) == ["kept"]
    async with Azurite.start(home=AOS_HOME, location=tmp_path) as server:
        assert await _rows(server.connection_string) == ["kept"]


async def test_picks_another_port_when_the_wanted_one_is_taken_and_says_so() -> None:
    said: list[str] = []
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        async with Azurite.start(home=AOS_HOME, ports=StoragePorts(blob=taken), report=said.append) as server:
            assert server.ports.blob != taken
    assert any(str(taken) in line and "storage blobs" in line for line in said)


async def test_is_gone_after_the_block_even_when_it_raised() -> None:
    ports: list[int] = []

    async def fail_while_it_runs() -> None:
        async with Azurite.start(home=AOS_HOME) as server:
            ports.append(server.ports.table)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_while_it_runs()
    with pytest.raises(OSError, match="Connect"):
        await asyncio.open_connection("127.0.0.1", ports[0])


async def test_an_end_nobody_asked_for_is_seen() -> None:
    async with Azurite.start(home=AOS_HOME) as server:
        watch = asyncio.create_task(server.wait())
        await server.kill()
        assert await watch != 0
        assert not server.running


@pytest.mark.skipif(os.name != "posix", reason="needs a path that cannot be a folder")
async def test_a_start_that_fails_carries_the_log(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"azurite\.log"):
        async with Azurite.start(home=AOS_HOME, location=Path("/dev/null/data")):
            pass
