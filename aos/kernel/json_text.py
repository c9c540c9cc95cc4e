"""JSON as the kernel writes it: compact, in UTF-8, with one encoder for all."""

from __future__ import annotations

import json
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_bytes(value: Any) -> bytes:
    """Compact JSON. Raises TypeError or ValueError for what JSON cannot say."""
    return _encode(value).encode()
