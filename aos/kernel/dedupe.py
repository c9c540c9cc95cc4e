"""The window of recent messages by which a returning one is recognised, and the version that applied each."""

from __future__ import annotations

import hashlib

_DIGEST = 12
_RECORD = _DIGEST + 6
"""Bytes kept per message: 96 bits of SHA-256 (two messages of one agent collide with a chance below 1e-24), and
the version."""


class DedupeWindow:
    """The last `size` messages an agent has dealt with, oldest forgotten first."""

    def __init__(self, size: int, records: dict[bytes, int] | None = None) -> None:
        self._size = size
        self._versions = records or {}

    def __len__(self) -> int:
        return len(self._versions)

    def version_of(self, key: str) -> int | None:
        """The version in which the message was applied, None if it is not in the window."""
        return self._versions.get(_digest(key))

    def add(self, key: str, version: int) -> None:
        self._versions[_digest(key)] = version
        while len(self._versions) > self._size:
            del self._versions[next(iter(self._versions))]

    def copy(self, size: int) -> DedupeWindow:
        return DedupeWindow(size, dict(self._versions))

    def encode(self) -> bytes:
        return b"".join(digest + version.to_bytes(6, "big") for digest, version in self._versions.items())

    @classmethod
    def decode(cls, size: int, data: bytes) -> DedupeWindow:
        records = {
            data[at : at + _DIGEST]: int.from_bytes(data[at + _DIGEST : at + _RECORD], "big")
            for at in range(0, len(data), _RECORD)
        }
        return cls(size, records)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()[:_DIGEST]
