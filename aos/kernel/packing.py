"""JSON in table properties: as text when small, compressed when larger, in a blob named by its content beyond that.

A property holds 64 KiB: 32,768 UTF-16 units of text or 65,536 bytes. The blob is written before the transaction
that points to it, and never changes, so that a reader finds either the old value or the whole new one.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from aos.kernel.errors import StoreUnavailable
from aos.kernel.ports import BlobStore, Value

INLINE_BYTES = 16 * 1024
PROPERTY_BYTES = 60 * 1024


@dataclass(slots=True)
class Packed:
    """Properties to store, and the blob (name and bytes) they point to where one is needed."""

    values: dict[str, Value] = field(default_factory=dict)
    blob: tuple[str, bytes] | None = None


def pack(name: str, data: bytes) -> Packed:
    """Choose the place for `data` (UTF-8 JSON) under the property `name`."""
    if len(data) <= INLINE_BYTES:
        return Packed({name: data.decode()})
    squeezed = zlib.compress(data, 6)
    if len(squeezed) <= PROPERTY_BYTES:
        return Packed({f"{name}_z": squeezed})
    reference = f"state/{hashlib.sha256(squeezed).hexdigest()}"
    return Packed({f"{name}_ref": reference}, (reference, squeezed))


async def unpack(name: str, values: Mapping[str, Value], blobs: BlobStore) -> bytes:
    """Read back what `pack` stored.

    Raises:
        StoreUnavailable: the blob the entity points to is not there.
    """
    text = values.get(name)
    if text is not None:
        return str(text).encode()
    squeezed = values.get(f"{name}_z")
    if squeezed is None:
        reference = str(values[f"{name}_ref"])
        squeezed = await blobs.get(reference)
        if squeezed is None:
            raise StoreUnavailable(f"Blob {reference!r} is missing. Restore it from a backup of the container.")
    if not isinstance(squeezed, bytes):
        raise StoreUnavailable(f"Property {name!r} is damaged: it should be binary. Restore the entity.")
    return zlib.decompress(squeezed)
