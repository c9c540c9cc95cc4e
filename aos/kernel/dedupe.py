"""The window of recent messages by which a returning one is recognised, and the version that applied each."""

from __future__ import annotations

import hashlib

_DIGEST = 12
_RECORD = _DIGEST + 6
"""Bytes kept per message: 96 bits of SHA-256 (two messages of one agent collide with a chance below 1e-24), and
the version."""


class DedupeWindow:
    """The last `size` messages an agent has dealt with, oldest forgotten first.

    Records are kept as they are stored: the window is written in every turn, and read only in cold ones.
    """

    def __init__(self, size: int, records: dict[bytes, bytes] | None = None, encoded: bytes | None = None) -> None:
        self._size = size
        self._records = records or {}
        self._encoded = b"".join(self._records.values()) if encoded is None else encoded

    def version_of(self, key: str) -> int | None:
        """The version in which the message was applied, None if it is not in the window."""
        record = self._records.get(_digest(key))
        return None if record is None else int.from_bytes(record[_DIGEST:], "big")

    def add(self, key: str, version: int) -> None:
        digest = _digest(key)
        record = digest + version.to_bytes(_RECORD - _DIGEST, "big")
        known = digest in self._records
        self._records[digest] = record
        self._encoded = b"".join(self._records.values()) if known else self._encoded + record
        while len(self._records) > self._size:
            del self._records[next(iter(self._records))]
            self._encoded = self._encoded[_RECORD:]

    def copy(self, size: int) -> DedupeWindow:
        return DedupeWindow(size, self._records.copy(), self._encoded)

    def encode(self) -> bytes:
        return self._encoded

    @classmethod
    def decode(cls, size: int, data: bytes) -> DedupeWindow:
        records = (data[at : at + _RECORD] for at in range(0, len(data), _RECORD))
        return cls(size, {record[:_DIGEST]: record for record in records})


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()[:_DIGEST]
