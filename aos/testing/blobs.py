"""Blobs in memory."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from aos.kernel import meter
from aos.kernel.errors import InvalidInput, NotFound
from aos.kernel.ports import BlobInfo, BlobPage, Clock
from aos.testing.clock import VirtualClock

CHUNK = 4 * 1024 * 1024
MAX_NAME = 1_024
MAX_PAGE = 1_000

_METADATA_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_METADATA_VALUE = re.compile(r"([!-~]([ -~]*[!-~])?)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")


@dataclass(frozen=True, slots=True)
class _Blob:
    data: bytes
    info: BlobInfo


class MemoryBlobStore:
    """Implements `aos.kernel.ports.BlobStore`.

    Args:
        clock: Tells when a blob was modified, to the second as the service does.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or VirtualClock()
        self._blobs: dict[str, _Blob] = {}
        self._names: list[str] = []

    async def put(
        self,
        name: str,
        data: bytes | AsyncIterator[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        _check_name(name)
        kept = _check_metadata(metadata or {})
        body = bytes(data) if isinstance(data, bytes | bytearray) else b"".join([part async for part in data])
        modified = self._clock.now().replace(microsecond=0)
        if name not in self._blobs:
            insort(self._names, name)
        self._blobs[name] = _Blob(body, BlobInfo(name, len(body), content_type, modified, kept))
        meter.count(blob_operations=1, bytes_written=len(body))

    async def get(self, name: str) -> bytes | None:
        _check_name(name)
        blob = self._blobs.get(name)
        meter.count(blob_operations=1, bytes_read=len(blob.data) if blob else 0)
        return blob.data if blob else None

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        _check_name(name)
        blob = self._blobs.get(name)
        meter.count(blob_operations=1)
        if blob is None:
            raise NotFound(f"There is no blob {name!r}.")
        for start in range(0, len(blob.data), CHUNK):
            chunk = blob.data[start : start + CHUNK]
            meter.count(bytes_read=len(chunk))
            yield chunk

    async def stat(self, name: str) -> BlobInfo | None:
        _check_name(name)
        meter.count(blob_operations=1)
        blob = self._blobs.get(name)
        return _copied(blob.info) if blob else None

    async def list(self, prefix: str, *, limit: int = 100, cursor: str | None = None) -> BlobPage:
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidInput(f"A page holds 1 to {MAX_PAGE} blobs, not {limit}.")
        meter.count(blob_operations=1)
        page: list[BlobInfo] = []
        for name in self._names[bisect_left(self._names, cursor or prefix) :]:
            if not name.startswith(prefix):
                break
            if len(page) == limit:
                return BlobPage(page, name)
            page.append(_copied(self._blobs[name].info))
        return BlobPage(page)

    async def delete(self, name: str) -> bool:
        _check_name(name)
        meter.count(blob_operations=1)
        if self._blobs.pop(name, None) is None:
            return False
        del self._names[bisect_left(self._names, name)]
        return True

    def names(self) -> tuple[str, ...]:
        """All blobs, in order: for looking at what a test left behind. Not counted."""
        return tuple(self._names)


def _copied(info: BlobInfo) -> BlobInfo:
    return BlobInfo(info.name, info.size, info.content_type, info.modified, dict(info.metadata))


def _check_name(name: str) -> None:
    segments = name.split("/")
    if not name or len(name) > MAX_NAME or _CONTROL.search(name) or {".", ".."} & set(segments) or name[-1] in "./":
        raise InvalidInput(
            f"{name[:80]!r} cannot name a blob. Use 1 to {MAX_NAME} characters without control characters, backslashes "
            "or the segments '.' and '..', and end with neither '.' nor '/'."
        )


def _check_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    for name, value in metadata.items():
        if not _METADATA_NAME.fullmatch(name) or not _METADATA_VALUE.fullmatch(value):
            raise InvalidInput(
                f"Metadata {name[:40]!r} cannot be kept with a blob. Names are letters, digits and _, values printable "
                "ASCII without spaces at their ends."
            )
    return dict(metadata)
