from __future__ import annotations

import pytest

from aos.kernel.errors import InvalidInput, NotFound
from aos.storage.artifacts import Artifacts
from aos.storage.documents import Documents
from aos.testing import MemoryBlobStore, VirtualClock


async def test_documents_are_wrapped_with_when_and_which_version() -> None:
    clock = VirtualClock()
    documents = Documents(MemoryBlobStore(), clock)
    await documents.save("decisions", "d1", {"outcome": "approved"})
    assert await documents.read("decisions", "d1") == {
        "key": "d1",
        "data": {"outcome": "approved"},
        "stored_at": clock.now().isoformat().replace("+00:00", "Z"),
        "version": "1.0",
    }
    assert await documents.load("decisions", "d1") == {"outcome": "approved"}
    assert await documents.exists("decisions", "d1")
    assert await documents.delete("decisions", "d1")
    assert not await documents.delete("decisions", "d1")
    assert await documents.read("decisions", "d1") is None
    assert not await documents.exists("decisions", "d1")


async def test_keys_are_listed_by_container_and_prefix() -> None:
    documents = Documents(MemoryBlobStore(), VirtualClock())
    for container, key in (("agents", "ceo"), ("agents", "cfo/limits"), ("workflows", "w1")):
        await documents.save(container, key, 1)
    assert await documents.list_keys("agents") == ["ceo", "cfo/limits"]
    assert await documents.list_keys("agents", "cf") == ["cfo/limits"]


@pytest.mark.parametrize("key", ["", "../x", "a//b", "/a", ".hidden", "a b"])
async def test_keys_that_could_lead_elsewhere_are_refused(key: str) -> None:
    documents = Documents(MemoryBlobStore(), VirtualClock())
    with pytest.raises(InvalidInput):
        await documents.save("agents", key, 1)


async def test_an_artifact_is_named_by_its_content() -> None:
    artifacts = Artifacts(MemoryBlobStore())
    first = await artifacts.put("a.txt", b"hello", "text/plain")
    assert first == await artifacts.put("a.txt", b"hello", "text/plain")
    assert (await artifacts.put("a.txt", b"other")).id != first.id
    assert await artifacts.get(first.id) == b"hello"
    assert await artifacts.describe(first.id) == first
    assert b"".join([chunk async for chunk in artifacts.stream(first.id)]) == b"hello"
    with pytest.raises(NotFound):
        await artifacts.get(f"{'0' * 64}/a.txt")
    with pytest.raises(NotFound):
        await artifacts.describe(f"{'0' * 64}/a.txt")
    with pytest.raises(InvalidInput):
        await artifacts.get("state/secret")
