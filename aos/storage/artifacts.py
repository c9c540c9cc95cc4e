"""Artifacts: files that tasks are given and agents make, kept in blobs named by their content."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from urllib.parse import quote, unquote

from pydantic import BaseModel

from aos.kernel.errors import InvalidInput, NotFound
from aos.kernel.ports import BlobStore

PREFIX = "artifacts/"
_ID = re.compile(r"[0-9a-f]{64}/[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Artifact(BaseModel):
    """A stored file. `id` is its SHA-256 and its name; `size` is in bytes."""

    id: str
    name: str
    content_type: str
    size: int


class Artifacts:
    """Stores and reads artifacts. Storing the same content under the same name again changes nothing."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def put(self, name: str, data: bytes, content_type: str = "application/octet-stream") -> Artifact:
        """Store a file.

        Raises:
            InvalidInput: the name is not one of letters, digits and `. _ -`.
        """
        identity = f"{hashlib.sha256(data).hexdigest()}/{name}"
        await self._blobs.put(_blob(identity), data, content_type=content_type, metadata={"name": quote(name)})
        return Artifact(id=identity, name=name, content_type=content_type, size=len(data))

    async def get(self, artifact_id: str) -> bytes:
        """The content. Raises `NotFound`."""
        data = await self._blobs.get(_blob(artifact_id))
        if data is None:
            raise _missing(artifact_id)
        return data

    async def describe(self, artifact_id: str) -> Artifact:
        """What is known of an artifact. Raises `NotFound`."""
        info = await self._blobs.stat(_blob(artifact_id))
        if info is None:
            raise _missing(artifact_id)
        name = unquote(info.metadata.get("name", artifact_id.partition("/")[2]))
        return Artifact(id=artifact_id, name=name, content_type=info.content_type, size=info.size)

    def stream(self, artifact_id: str) -> AsyncIterator[bytes]:
        """The content in chunks."""
        return self._blobs.stream(_blob(artifact_id))


def _blob(artifact_id: str) -> str:
    if not _ID.fullmatch(artifact_id):
        raise InvalidInput(
            f"{artifact_id!r} is not an artifact id: the SHA-256 in hex, a slash, and a name of letters, digits, . _ -"
        )
    return PREFIX + artifact_id


def _missing(artifact_id: str) -> NotFound:
    return NotFound(f"There is no artifact {artifact_id!r}. Upload it first.")
