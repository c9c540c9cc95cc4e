"""What a dialect's voice has to be able to say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from aos.testing.models.http import HttpRequest
from aos.testing.models.script import Say


class Voice(Protocol):
    content_type: str

    def speaks(self, request: HttpRequest) -> bool:
        """Whether this request is in the dialect."""
        ...

    def key(self, headers: Mapping[str, str]) -> str | None:
        """The API key the request carries."""
        ...

    def streams(self, request: HttpRequest) -> bool: ...

    def whole(self, say: Say, request: HttpRequest) -> Mapping[str, Any]: ...

    def frames(self, say: Say, request: HttpRequest) -> list[bytes]:
        """The stream, finish marker included; each frame is a complete event."""
        ...

    def embed(self, request: HttpRequest) -> Mapping[str, Any] | None:
        """The answer to a request for embeddings; None where it is none."""
        ...

    def error(self, status: int, code: str, message: str) -> Mapping[str, Any]: ...

    def error_frame(self, code: str, message: str) -> bytes: ...


def bearer(headers: Mapping[str, str]) -> str | None:
    kind, _, key = headers.get("authorization", "").partition(" ")
    return key if kind == "Bearer" and key else None


def sse(data: Any, event: str | None = None) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    lines = ([f"event: {event}"] if event else []) + [f"data: {line}" for line in text.split("\n")]
    return ("\n".join(lines) + "\n\n").encode()


def embedding(text: str, dimensions: int = 8) -> list[float]:
    """A vector that depends on nothing but the text."""
    digest = hashlib.sha256(text.encode()).digest()
    return [digest[i % len(digest)] / 255 for i in range(dimensions)]
