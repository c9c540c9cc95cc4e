"""JSON as the kernel writes it: compact, in UTF-8, with one encoder for all."""

from __future__ import annotations

import json
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_spell = json.JSONEncoder(ensure_ascii=False).encode
_decode = json.JSONDecoder().decode


def to_bytes(value: Any) -> bytes:
    """Compact JSON. Raises TypeError or ValueError for what JSON cannot say."""
    return _encode(value).encode()


def from_bytes(data: bytes) -> Any:
    """What `to_bytes` was given. For text of others `json.loads`, which takes other encodings too."""
    return _decode(data.decode())


def length(value: Any) -> int:
    """Characters of a value written as people would, with spaces: what limits on payloads are in."""
    return len(_spell(value))


def length_if_over(value: Any, limit: int) -> int | None:
    """As `length`, where that is more than `limit`; else None."""
    # No text is more than three times as long in JSON as in Python's own words, which cost less to write.
    if len(repr(value)) * 3 <= limit:
        return None
    found = length(value)
    return found if found > limit else None
