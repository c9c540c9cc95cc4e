"""Anthropic messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.testing.models.http import HttpRequest
from aos.testing.models.script import Say
from aos.testing.models.voices.voice import bearer, sse

_FINISH = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class AnthropicVoice:
    content_type = "text/event-stream; charset=utf-8"

    def speaks(self, request: HttpRequest) -> bool:
        return request.path.endswith("/v1/messages")

    def key(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-api-key") or bearer(headers)

    def streams(self, request: HttpRequest) -> bool:
        return request.body.get("stream") is True

    def whole(self, say: Say, request: HttpRequest) -> Mapping[str, Any]:
        return {**self._message(say, request), "content": self._blocks(say), "stop_reason": self._finish(say)}

    def frames(self, say: Say, request: HttpRequest) -> list[bytes]:
        start = {**self._message(say, request), "content": [], "stop_reason": None}
        start["usage"] = {**start["usage"], "output_tokens": 1}
        events: list[dict[str, Any]] = [{"type": "message_start", "message": start}, {"type": "ping"}]
        for index, block in enumerate(self._blocks(say)):
            events += self._block_events(say, index, block)
        delta = {"stop_reason": self._finish(say), "stop_sequence": None}
        events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": say.output_tokens}})
        events.append({"type": "message_stop"})
        return [sse(event, event["type"]) for event in events]

    def embed(self, request: HttpRequest) -> Mapping[str, Any] | None:
        return None

    def error(self, status: int, code: str, message: str) -> Mapping[str, Any]:
        kind = code or _TYPES.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_loopback"}

    def error_frame(self, code: str, message: str) -> bytes:
        return sse({"type": "error", "error": {"type": code or "api_error", "message": message}}, "error")

    @staticmethod
    def _block_events(say: Say, index: int, block: Mapping[str, Any]) -> list[dict[str, Any]]:
        if block["type"] == "text":
            empty: dict[str, Any] = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in say.pieces(say.text)]
        elif block["type"] == "thinking":
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in say.pieces(say.reasoning)]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        else:
            call = next(c for c in say.calls if c.id == block["id"])
            empty = {**block, "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *say.pieces(call.text)]]
        return [
            {"type": "content_block_start", "index": index, "content_block": empty},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": index},
        ]

    @staticmethod
    def _blocks(say: Say) -> list[dict[str, Any]]:
        blocks: list[dict[str, Any]] = []
        if say.reasoning:
            blocks.append({"type": "thinking", "thinking": say.reasoning, "signature": "sig-1"})
        if say.text:
            blocks.append({"type": "text", "text": say.text})
        return blocks + [{"type": "tool_use", "id": c.id, "name": c.name, "input": c.value} for c in say.calls]

    @staticmethod
    def _message(say: Say, request: HttpRequest) -> dict[str, Any]:
        usage = {
            "input_tokens": say.input_tokens - say.cached_tokens,
            "output_tokens": say.output_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": say.cached_tokens,
        }
        message: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant"}
        return {**message, "model": request.body["model"], "stop_sequence": None, "usage": usage}

    @staticmethod
    def _finish(say: Say) -> str:
        return "tool_use" if say.calls and say.finish == "stop" else _FINISH[say.finish]
