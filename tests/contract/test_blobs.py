"""What a blob store holds to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from aos.kernel import meter
from aos.kernel.errors import InvalidInput, NotFound
from aos.kernel.ports import BlobStore

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def names(blobs: BlobStore, prefix: str, limit: int) -> list[list[str]]:
    """The names of each page, without the prefix."""
    pages: list[list[str]] = []
    cursor: str | None = None
    while True:
        page = await blobs.list(prefix, limit=limit, cursor=cursor)
        pages.append([blob.name.removeprefix(prefix) for blob in page.blobs])
        cursor = page.cursor
        if cursor is None:
            return pages


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 16, b"0123456789" * 1_000_000])
async def test_what_was_put_comes_back(blobs: BlobStore, folder: str, data: bytes) -> None:
    await blobs.put(f"{folder}/blob", data)
    assert await blobs.get(f"{folder}/blob") == data
    chunks = [chunk async for chunk in blobs.stream(f"{folder}/blob")]
    assert b"".join(chunks) == data
    assert all(len(chunk) <= 8 * 1024 * 1024 for chunk in chunks)


async def test_what_comes_in_pieces_is_put_together(blobs: BlobStore, folder: str) -> None:
    await blobs.put(f"{folder}/blob", pieces(b"one ", b"", b"two ", b"three" * 1_000))
    assert await blobs.get(f"{folder}/blob") == b"one two " + b"three" * 1_000


async def test_a_source_that_breaks_off_leaves_the_old_blob(blobs: BlobStore, folder: str) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"new"
        raise RuntimeError("the source broke off")

    await blobs.put(f"{folder}/blob", b"old")
    with pytest.raises(RuntimeError, match="broke off"):
        await blobs.put(f"{folder}/blob", broken())
    assert await blobs.get(f"{folder}/blob") == b"old"


async def test_a_blob_of_the_same_name_is_replaced(blobs: BlobStore, folder: str) -> None:
    await blobs.put(f"{folder}/blob", b"old", content_type="text/plain", metadata={"kind": "first"})
    await blobs.put(f"{folder}/blob", b"newer")
    info = await blobs.stat(f"{folder}/blob")
    assert info is not None
    assert (info.size, info.content_type, dict(info.metadata)) == (5, "application/octet-stream", {})
    assert await blobs.get(f"{folder}/blob") == b"newer"


async def test_what_is_known_of_a_blob(blobs: BlobStore, folder: str) -> None:
    before = datetime.now(UTC)
    await blobs.put(
        f"{folder}/a.json", b"{}", content_type="application/json", metadata={"kind": "a b", "Made_by": "x"}
    )
    info = await blobs.stat(f"{folder}/a.json")
    assert info is not None
    assert (info.name, info.size, info.content_type) == (f"{folder}/a.json", 2, "application/json")
    assert dict(info.metadata) == {"kind": "a b", "Made_by": "x"}
    assert info.modified.utcoffset() == timedelta(0)
    assert info.modified.microsecond == 0
    assert abs(info.modified - before) < timedelta(minutes=5)
    assert (await blobs.list(f"{folder}/")).blobs == [info]


async def test_what_is_not_there(blobs: BlobStore, folder: str) -> None:
    assert await blobs.get(f"{folder}/none") is None
    assert await blobs.stat(f"{folder}/none") is None
    assert await blobs.delete(f"{folder}/none") is False
    assert (await blobs.list(f"{folder}/")).blobs == []
    stream = blobs.stream(f"{folder}/none")
    with pytest.raises(NotFound):
        await anext(stream)


async def test_a_deleted_blob_is_gone(blobs: BlobStore, folder: str) -> None:
    await blobs.put(f"{folder}/blob", b"x")
    assert await blobs.delete(f"{folder}/blob") is True
    assert await blobs.delete(f"{folder}/blob") is False
    assert await blobs.get(f"{folder}/blob") is None
    assert await names(blobs, f"{folder}/", 10) == [[]]


@pytest.mark.parametrize("name", ["a/b/c", "sp ace", "100%", "a+b", "é馬", "a#b?c", "it's", "a&b=c", ".hidden", "a//b"])
async def test_names_may_be_most_text(blobs: BlobStore, folder: str, name: str) -> None:
    await blobs.put(f"{folder}/{name}", name.encode())
    assert await blobs.get(f"{folder}/{name}") == name.encode()
    assert await names(blobs, f"{folder}/", 10) == [[name]]
    assert await blobs.delete(f"{folder}/{name}") is True


@pytest.mark.parametrize("name", ["", "x" * 1_025, "a\\b", "a\nb", "a/../b", "./a", "a/", "a."])
async def test_some_names_cannot_name_a_blob(blobs: BlobStore, name: str) -> None:
    with pytest.raises(InvalidInput):
        await blobs.put(name, b"x")
    with pytest.raises(InvalidInput):
        await blobs.get(name)
    with pytest.raises(InvalidInput):
        await blobs.stat(name)
    with pytest.raises(InvalidInput):
        await blobs.delete(name)
    with pytest.raises(InvalidInput):
        await anext(blobs.stream(name))


@pytest.mark.parametrize("metadata", [{"a-b": "x"}, {"1a": "x"}, {"a": "é"}, {"a": " x"}, {"a": "x\n"}])
async def test_some_metadata_cannot_be_kept(blobs: BlobStore, folder: str, metadata: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        await blobs.put(f"{folder}/blob", b"x", metadata=metadata)
    assert await blobs.get(f"{folder}/blob") is None


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
async def test_blobs_are_listed_in_order_and_each_once(blobs: BlobStore, folder: str, limit: int) -> None:
    for name in ("b/2", "a", "b/10", "c", "b/1"):
        await blobs.put(f"{folder}/{name}", b"x")
    await blobs.put(f"{folder}x", b"x")
    pages = await names(blobs, f"{folder}/", limit)
    assert [name for page in pages for name in page] == ["a", "b/1", "b/10", "b/2", "c"]
    assert all(len(page) <= limit for page in pages)
    assert await names(blobs, f"{folder}/b/", 10) == [["1", "10", "2"]]
    assert await names(blobs, f"{folder}/b", 10) == [["/1", "/10", "/2"]]


@pytest.mark.parametrize("limit", [0, 1_001])
async def test_a_page_has_1_to_1000_blobs(blobs: BlobStore, limit: int) -> None:
    with pytest.raises(InvalidInput):
        await blobs.list("", limit=limit)


async def test_each_call_is_one_operation(blobs: BlobStore, folder: str) -> None:
    await blobs.put(f"{folder}/warm", b"x")
    with meter.metered() as usage:
        await blobs.put(f"{folder}/blob", b"12345")
    assert (usage.blob_operations, usage.bytes_written) == (1, 5)
    with meter.metered() as usage:
        await blobs.get(f"{folder}/blob")
    assert (usage.blob_operations, usage.bytes_read) == (1, 5)
    with meter.metered() as usage:
        await blobs.stat(f"{folder}/blob")
        await blobs.list(f"{folder}/")
        await blobs.delete(f"{folder}/blob")
    assert usage.blob_operations == 3
