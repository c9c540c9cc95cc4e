from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from aos.azure.blobs import AzureBlobStore
from aos.kernel.errors import InvalidInput, NotFound, StoreUnavailable
from aos.kernel.meter import metered
from tests.azure.broken_line import BrokenLine, Fault, answer_lost, answers, not_connected


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_nothing_is_found_where_no_container_is(blobs: AzureBlobStore) -> None:
    assert await blobs.get("a") is None
    assert await blobs.stat("a") is None
    assert await blobs.delete("a") is False
    assert (await blobs.list("")).blobs == []
    with pytest.raises(NotFound):
        await anext(blobs.stream("a"))


@pytest.mark.parametrize("name", ["a", "state/ab/cd", "with space & 100% + ü€.txt", "a//b", "#?=&", "x" * 200])
async def test_a_blob_comes_back_whatever_its_name(blobs: AzureBlobStore, name: str) -> None:
    await blobs.put(name, b"\x00\xff data")
    assert await blobs.get(name) == b"\x00\xff data"
    assert [info.name for info in (await blobs.list("")).blobs] == [name]


async def test_put_replaces_content_type_and_metadata(blobs: AzureBlobStore) -> None:
    await blobs.put("a", b"one", content_type="text/plain", metadata={"name": "a%20b", "Kind": "x"})
    await blobs.put("a", b"three", metadata={"other": ""})
    info = await blobs.stat("a")
    assert info is not None
    assert (info.name, info.size, info.content_type) == ("a", 5, "application/octet-stream")
    assert dict(info.metadata) == {"other": ""}
    assert info.modified.tzinfo is not None


async def test_metadata_and_type_are_kept_and_listed(blobs: AzureBlobStore) -> None:
    await blobs.put("f/a", b"one", content_type="text/plain", metadata={"name": "a%20b"})
    info = await blobs.stat("f/a")
    listed = (await blobs.list("f/")).blobs
    assert listed == [info]
    assert info is not None
    assert info.content_type == "text/plain"
    assert info.metadata == {"name": "a%20b"}


async def test_an_empty_blob(blobs: AzureBlobStore) -> None:
    await blobs.put("empty", b"")
    assert await blobs.get("empty") == b""
    assert [chunk async for chunk in blobs.stream("empty")] in ([], [b""])
    await blobs.put("none", pieces())
    assert await blobs.get("none") == b""


async def test_a_stream_goes_up_and_down_in_chunks(blobs: AzureBlobStore) -> None:
    parts = [bytes([n]) * 3_000_000 for n in range(7)]
    await blobs.put("big", pieces(*parts), content_type="text/plain", metadata={"n": "7"})
    chunks = [chunk async for chunk in blobs.stream("big")]
    assert b"".join(chunks) == b"".join(parts)
    assert len(chunks) > 1
    assert await blobs.get("big") == b"".join(parts)
    info = await blobs.stat("big")
    assert info is not None
    assert (info.size, info.content_type, info.metadata) == (21_000_000, "text/plain", {"n": "7"})


async def test_a_stream_that_fails_leaves_what_was_there(blobs: AzureBlobStore) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"x" * 5_000_000
        raise RuntimeError("the source broke")

    await blobs.put("a", b"kept")
    with pytest.raises(RuntimeError, match="source broke"):
        await blobs.put("a", failing())
    assert await blobs.get("a") == b"kept"


async def test_delete_says_whether_there_was_something(blobs: AzureBlobStore) -> None:
    await blobs.put("a", b"")
    assert await blobs.delete("a") is True
    assert await blobs.delete("a") is False
    assert await blobs.get("a") is None


async def test_list_pages_under_a_prefix(blobs: AzureBlobStore) -> None:
    await asyncio.gather(*(blobs.put(f"p/{n:02}", b"x") for n in range(7)), blobs.put("q/00", b"x"))
    names, cursor, pages = [], None, 0
    while True:
        page = await blobs.list("p/", limit=3, cursor=cursor)
        names += [blob.name for blob in page.blobs]
        cursor, pages = page.cursor, pages + 1
        if cursor is None:
            break
    assert names == [f"p/{n:02}" for n in range(7)]
    assert pages == 3


@pytest.mark.parametrize("name", ["", "a/../b", "./a", "a\\b", "a\nb", "x" * 1025, "a.", "a/"])
async def test_names_that_would_not_come_back_are_refused(blobs: AzureBlobStore, name: str) -> None:
    for call in (
        blobs.put(name, b""),
        blobs.get(name),
        blobs.stat(name),
        blobs.delete(name),
        anext(blobs.stream(name)),
    ):
        with pytest.raises(InvalidInput):
            await call


@pytest.mark.parametrize("metadata", [{"a-b": "x"}, {"a": "ü"}, {"a": " x"}, {"a": "x\r\ny: z"}, {"": "x"}])
async def test_metadata_that_would_not_come_back_is_refused(blobs: AzureBlobStore, metadata: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        await blobs.put("a", b"", metadata=metadata)


@pytest.mark.parametrize("container", ["A", "ab", "a--b", "-ab", "a_b", "x" * 64])
def test_containers_have_names_the_service_takes(container: str) -> None:
    with pytest.raises(InvalidInput):
        AzureBlobStore.from_connection_string("UseDevelopmentStorage=true", container=container)


async def test_the_page_size_has_limits(blobs: AzureBlobStore) -> None:
    for limit in (0, 1_001):
        with pytest.raises(InvalidInput):
            await blobs.list("", limit=limit)


async def test_operations_and_bytes_are_counted(blobs: AzureBlobStore) -> None:
    await blobs.put("first", b"")
    with metered() as usage:
        await blobs.put("a", b"x" * 1_000)
    assert usage.to_json() == {"blob_operations": 1, "bytes_written": 1_000}
    with metered() as usage:
        await blobs.get("a")
    assert usage.to_json() == {"blob_operations": 1, "bytes_read": 1_000}
    with metered() as usage:
        await blobs.stat("a")
        await blobs.delete("a")
    assert usage.to_json() == {"blob_operations": 2}


Broken = Callable[..., tuple[AzureBlobStore, BrokenLine]]


@pytest.fixture
async def broken(azurite: str, unique: str, blobs: AzureBlobStore) -> AsyncIterator[Broken]:
    await blobs.put("a", b"there")
    stores: list[AzureBlobStore] = []

    def make(*faults: Fault | None) -> tuple[AzureBlobStore, BrokenLine]:
        line = BrokenLine(*faults)
        store = AzureBlobStore.from_connection_string(azurite, container=unique, transport=line)
        stores.append(store)
        return store, line

    yield make
    for store in stores:
        await store.close()


@pytest.mark.parametrize(
    "fault", [not_connected, answer_lost, answers(503, "ServerBusy"), answers(500, "InternalError")]
)
async def test_a_short_fault_is_not_noticed(broken: Broken, fault: Fault) -> None:
    store, _ = broken(fault, None, fault)
    await store.put("a", b"new")
    assert await store.get("a") == b"new"


@pytest.mark.parametrize("fault", [not_connected, answers(503, "ServerBusy"), answers(403, "AuthorizationFailure")])
async def test_a_long_fault_is_unavailable(broken: Broken, fault: Fault) -> None:
    store, line = broken(*[fault] * 9)
    with pytest.raises(StoreUnavailable):
        await store.put("a", b"new")
    line.faults = [fault] * 9
    with pytest.raises(StoreUnavailable):
        await store.get("a")
    line.faults = [fault] * 9
    with pytest.raises(StoreUnavailable):
        await store.delete("a")


async def test_a_container_deleted_meanwhile_is_made_again(broken: Broken) -> None:
    store, _ = broken(answers(404, "ContainerNotFound"))
    await store.put("a", b"new")
    assert await store.get("a") == b"new"


async def test_a_stream_is_never_sent_in_part(broken: Broken) -> None:
    store, line = broken()
    await store.put("b", b"")
    line.faults = [answers(404, "ContainerNotFound")]
    with pytest.raises(StoreUnavailable):
        await store.put("a", pieces(b"x" * 5_000_000, b"y" * 5_000_000))
    assert await store.get("a") == b"there"
