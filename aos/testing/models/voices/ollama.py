"""Ollama's own chat and embed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aos.testing.models.http import HttpRequest
from aos.testing.models.script import Say
from aos.testing.models.voices.voice import embedding


class OllamaVoice:
    content_type = "application/x-ndjson"

    def speaks(self, request: HttpRequest) -> bool:
        return request.path.endswith(("/api/chat", "/api/embed"))

    def key(self, headers: Mapping[str, str]) -> str | None:
        return "none is needed"

    def streams(self, request: HttpRequest) -> bool:
        return request.body.get("stream") is not False

    def whole(self, say: Say, request: HttpRequest) -> Mapping[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": say.text}
        if say.reasoning:
            message["thinking"] = say.reasoning
        if say.calls:
            message["tool_calls"] = self._calls(say)
        return {**self._line(request, message), **self._end(say)}

    def frames(self, say: Say, request: HttpRequest) -> list[bytes]:
        messages: list[dict[str, Any]] = [{"content": "", "thinking": piece} for piece in say.pieces(say.reasoning)]
        messages += [{"content": piece} for piece in say.pieces(say.text)]
        if say.calls:
            messages.append({"content": "", "tool_calls": self._calls(say)})
        lines = [{**self._line(request, {"role": "assistant", **m}), "done": False} for m in messages]
        last = {**self._line(request, {"role": "assistant", "content": ""}), **self._end(say)}
        return [json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in [*lines, last]]

    def embed(self, request: HttpRequest) -> Mapping[str, Any] | None:
        if not request.path.endswith("/api/embed"):
            return None
        size = request.body.get("dimensions") or 8
        vectors = [embedding(text, size) for text in request.body["input"]]
        return {"model": request.body["model"], "embeddings": vectors, "prompt_eval_count": 5}

    def error(self, status: int, code: str, message: str) -> Mapping[str, Any]:
        return {"error": message}

    def error_frame(self, code: str, message: str) -> bytes:
        return json.dumps({"error": message}).encode() + b"\n"

    @staticmethod
    def _calls(say: Say) -> list[dict[str, Any]]:
        return [{"function": {"name": call.name, "arguments": call.value}} for call in say.calls]

    @staticmethod
    def _line(request: HttpRequest, message: Mapping[str, Any]) -> dict[str, Any]:
        return {"model": request.body["model"], "created_at": "2026-01-01T00:00:00Z", "message": message}

    @staticmethod
    def _end(say: Say) -> dict[str, Any]:
        counts = {"prompt_eval_count": say.input_tokens, "eval_count": say.output_tokens} if say.usage else {}
        return {"done": True, "done_reason": "length" if say.finish == "length" else "stop", **counts}
