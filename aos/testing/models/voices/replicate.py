"""Replicate predictions: what they look like. The server keeps their state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.testing.models.http import HttpRequest
from aos.testing.models.script import Say
from aos.testing.models.voices.voice import bearer, sse


class ReplicateVoice:
    content_type = "text/event-stream"

    def speaks(self, request: HttpRequest) -> bool:
        return request.path.endswith("/predictions") and request.method == "POST"

    def key(self, headers: Mapping[str, str]) -> str | None:
        return bearer(headers)

    def streams(self, request: HttpRequest) -> bool:
        return request.body.get("stream") is True

    def whole(self, say: Say, request: HttpRequest) -> Mapping[str, Any]:
        counts = {"input_token_count": say.input_tokens, "output_token_count": say.output_tokens}
        metrics = {"predict_time": 0.1, **(counts if say.usage else {})}
        return {
            "id": "pred-1",
            "status": "succeeded",
            "output": say.pieces(say.text),
            "error": None,
            "metrics": metrics,
        }

    def frames(self, say: Say, request: HttpRequest) -> list[bytes]:
        return [*(sse(piece, "output") for piece in say.pieces(say.text)), sse({}, "done")]

    def embed(self, request: HttpRequest) -> Mapping[str, Any] | None:
        return None

    def error(self, status: int, code: str, message: str) -> Mapping[str, Any]:
        return {"title": code or "Error", "detail": message, "status": status}

    def error_frame(self, code: str, message: str) -> bytes:
        return sse({"detail": message}, "error")
