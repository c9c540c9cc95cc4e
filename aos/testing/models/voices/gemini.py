"""Google's generateContent and batchEmbedContents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.testing.models.http import HttpRequest
from aos.testing.models.script import Say
from aos.testing.models.voices.voice import embedding, sse

_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class GeminiVoice:
    content_type = "text/event-stream"

    def speaks(self, request: HttpRequest) -> bool:
        return request.path.endswith((":generateContent", ":streamGenerateContent", ":batchEmbedContents"))

    def key(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-goog-api-key")

    def streams(self, request: HttpRequest) -> bool:
        return request.path.endswith(":streamGenerateContent") and request.query.get("alt") == "sse"

    def whole(self, say: Say, request: HttpRequest) -> Mapping[str, Any]:
        parts: list[dict[str, Any]] = []
        if say.reasoning:
            parts.append({"text": say.reasoning, "thought": True})
        if say.text:
            parts.append({"text": say.text})
        return self._response(say, [*parts, *self._calls(say)], finish=True)

    def frames(self, say: Say, request: HttpRequest) -> list[bytes]:
        groups: list[list[dict[str, Any]]] = [[{"text": p, "thought": True}] for p in say.pieces(say.reasoning)]
        groups += [[{"text": p}] for p in say.pieces(say.text)]
        groups += [[call] for call in self._calls(say)]
        groups = groups or [[]]
        bodies = [self._response(say, group, finish=group is groups[-1]) for group in groups]
        return [sse(body) for body in bodies]

    def embed(self, request: HttpRequest) -> Mapping[str, Any] | None:
        if not request.path.endswith(":batchEmbedContents"):
            return None
        wanted = request.body["requests"]
        texts = [(one["content"]["parts"][0]["text"], one.get("outputDimensionality") or 8) for one in wanted]
        return {"embeddings": [{"values": embedding(text, size)} for text, size in texts]}

    def error(self, status: int, code: str, message: str) -> Mapping[str, Any]:
        return {"error": {"code": status, "message": message, "status": code or _STATUS.get(status, "UNKNOWN")}}

    def error_frame(self, code: str, message: str) -> bytes:
        return sse(self.error(500, code, message))

    @staticmethod
    def _calls(say: Say) -> list[dict[str, Any]]:
        return [
            {"functionCall": {"name": call.name, "args": call.value}, "thoughtSignature": f"thought-{call.id}"}
            for call in say.calls
        ]

    @staticmethod
    def _response(say: Say, parts: list[dict[str, Any]], *, finish: bool) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish:
            candidate["finishReason"] = _FINISH[say.finish]
        body: dict[str, Any] = {"candidates": [candidate], "modelVersion": "loopback", "responseId": "resp-1"}
        if say.usage:
            body["usageMetadata"] = {
                "promptTokenCount": say.input_tokens,
                "candidatesTokenCount": say.output_tokens - say.reasoning_tokens,
                "thoughtsTokenCount": say.reasoning_tokens,
                "cachedContentTokenCount": say.cached_tokens,
                "totalTokenCount": say.input_tokens + say.output_tokens,
            }
        return body
