"""Documents: JSON values under keys, for apps and agents that need a place for them.

Keys are grouped by the words before the first slash (`agents/`, `workflows/`, `config/`, `decisions/`, `messages/`, or
a container of the caller's); each document is stored with the time and the version of its wrapper.
"""

from __future__ import annotations

import json
import re
from typing import Any

from aos.kernel.errors import InvalidInput
from aos.kernel.message import format_time
from aos.kernel.ports import BlobStore, Clock

PREFIX = "documents/"
WRAPPER_VERSION = "1.0"
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:+-]*")


class Documents:
    """A store of documents, by container and key."""

    def __init__(self, blobs: BlobStore, clock: Clock) -> None:
        self._blobs = blobs
        self._clock = clock

    async def save(self, container: str, key: str, data: Any) -> None:
        """Store a document, replacing one under the same key. Raises `InvalidInput` for a key that cannot be one."""
        wrapped = {
            "key": key,
            "data": data,
            "stored_at": format_time(self._clock.now()),
            "version": WRAPPER_VERSION,
        }
        content = json.dumps(wrapped, ensure_ascii=False).encode()
        await self._blobs.put(_blob(container, key), content, content_type="application/json")

    async def load(self, container: str, key: str) -> Any:
        """The document, None if there is none."""
        content = await self._blobs.get(_blob(container, key))
        return None if content is None else json.loads(content)["data"]

    async def read(self, container: str, key: str) -> dict[str, Any] | None:
        """The document in its wrapper: `key`, `data`, `stored_at`, `version`."""
        content = await self._blobs.get(_blob(container, key))
        if content is None:
            return None
        wrapped: dict[str, Any] = json.loads(content)
        return wrapped

    async def delete(self, container: str, key: str) -> bool:
        """Remove a document. False if there was none."""
        return await self._blobs.delete(_blob(container, key))

    async def exists(self, container: str, key: str) -> bool:
        return await self._blobs.stat(_blob(container, key)) is not None

    async def list_keys(self, container: str, prefix: str = "") -> list[str]:
        """All keys of a container that start with `prefix`, in order."""
        start = f"{PREFIX}{_checked(container)}/"
        keys: list[str] = []
        cursor: str | None = None
        while True:
            page = await self._blobs.list(start + prefix, limit=1_000, cursor=cursor)
            keys += [blob.name.removeprefix(start).removesuffix(".json") for blob in page.blobs]
            cursor = page.cursor
            if cursor is None:
                return keys


def _blob(container: str, key: str) -> str:
    parts = [_checked(part) for part in key.split("/")]
    return f"{PREFIX}{_checked(container)}/{'/'.join(parts)}.json"


def _checked(part: str) -> str:
    if not _PART.fullmatch(part):
        raise InvalidInput(
            f"{part!r} cannot be part of a key. Use letters, digits and . _ @ : + - ; slashes between the parts."
        )
    return part
