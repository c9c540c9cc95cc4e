"""OpenAI chat completions and embeddings."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Any

from aos.testing.models.http import HttpRequest
from aos.testing.models.script import Say
from aos.testing.models.voices.voice import bearer, embedding, sse


class OpenAIVoice:
    content_type = "text/event-stream; charset=utf-8"

    def speaks(self, request: HttpRequest) -> bool:
        return request.path.endswith(("/chat/completions", "/v1/chat", "/embeddings"))

    def key(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("api-key") or bearer(headers)

    def streams(self, request: HttpRequest) -> bool:
        return request.body.get("stream") is True

    def whole(self, say: Say, request: HttpRequest) -> Mapping[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": say.text or None, "refusal": None}
        if say.reasoning:
            message["reasoning_content"] = say.reasoning
        if say.calls:
            message["tool_calls"] = [
                {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.text}} for c in say.calls
            ]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish(say)}
        body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": request.body["model"]}
        return {**body, "choices": [choice], **({"usage": self._usage(say)} if say.usage else {})}

    def frames(self, say: Say, request: HttpRequest) -> list[bytes]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"reasoning_content": piece} for piece in say.pieces(say.reasoning)]
        deltas += [{"content": piece} for piece in say.pieces(say.text)]
        for index, call in enumerate(say.calls):
            function = {"name": call.name, "arguments": ""}
            deltas.append({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]})
            deltas += [
                {"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in say.pieces(call.text)
            ]
        frames = [sse(self._chunk(request, delta, None)) for delta in deltas]
        frames.append(sse(self._chunk(request, {}, self._finish(say))))
        if say.usage and request.body.get("stream_options", {}).get("include_usage"):
            frames.append(sse({**self._chunk(request, {}, None), "choices": [], "usage": self._usage(say)}))
        return [*frames, sse("[DONE]")]

    def embed(self, request: HttpRequest) -> Mapping[str, Any] | None:
        if not request.path.endswith("/embeddings"):
            return None
        body = request.body
        inputs = [body["input"]] if isinstance(body["input"], str) else body["input"]
        vectors: list[Any] = [embedding(text, body.get("dimensions") or 8) for text in inputs]
        if body.get("encoding_format") == "base64":
            vectors = [base64.b64encode(struct.pack(f"<{len(v)}f", *v)).decode() for v in vectors]
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        return {
            "object": "list",
            "data": data,
            "model": body["model"],
            "usage": {"prompt_tokens": 5, "total_tokens": 5},
        }

    def error(self, status: int, code: str, message: str) -> Mapping[str, Any]:
        return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code or None}}

    def error_frame(self, code: str, message: str) -> bytes:
        return sse({"error": {"message": message, "type": "server_error", "param": None, "code": code or None}})

    @staticmethod
    def _chunk(request: HttpRequest, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": request.body["model"],
            "choices": [choice],
        }

    @staticmethod
    def _finish(say: Say) -> str:
        return "tool_calls" if say.calls and say.finish == "stop" else say.finish

    @staticmethod
    def _usage(say: Say) -> dict[str, Any]:
        return {
            "prompt_tokens": say.input_tokens,
            "completion_tokens": say.output_tokens,
            "total_tokens": say.input_tokens + say.output_tokens,
            "prompt_tokens_details": {"cached_tokens": say.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": say.reasoning_tokens},
        }
