"""Cohere's chat and embed, version 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.testing.models.http import HttpRequest
from aos.testing.models.script import Say
from aos.testing.models.voices.voice import bearer, embedding, sse

_FINISH = {"stop": "COMPLETE", "length": "MAX_TOKENS", "content_filter": "ERROR"}


class CohereVoice:
    content_type = "text/event-stream"

    def speaks(self, request: HttpRequest) -> bool:
        return request.path.endswith(("/v2/chat", "/v2/embed"))

    def key(self, headers: Mapping[str, str]) -> str | None:
        return bearer(headers)

    def streams(self, request: HttpRequest) -> bool:
        return request.body.get("stream") is True

    def whole(self, say: Say, request: HttpRequest) -> Mapping[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": [{"type": "text", "text": say.text}]}
        if say.reasoning:
            message["content"].insert(0, {"type": "thinking", "thinking": say.reasoning})
        if say.calls:
            message["content"] = []
            message["tool_calls"] = [self._call(call.id, call.name, call.text) for call in say.calls]
        return {"id": "c-1", "message": message, **self._end(say)}

    def frames(self, say: Say, request: HttpRequest) -> list[bytes]:
        events: list[dict[str, Any]] = [
            {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant"}}}
        ]
        for index, (kind, text) in enumerate((k, t) for k, t in (("thinking", say.reasoning), ("text", say.text)) if t):
            start: dict[str, Any] = {"message": {"content": {"type": kind, kind: ""}}}
            events.append({"type": "content-start", "index": index, "delta": start})
            for piece in say.pieces(text):
                delta: dict[str, Any] = {"message": {"content": {kind: piece}}}
                events.append({"type": "content-delta", "index": index, "delta": delta})
            events.append({"type": "content-end", "index": index})
        for index, call in enumerate(say.calls):
            begun = {"message": {"tool_calls": self._call(call.id, call.name, "")}}
            events.append({"type": "tool-call-start", "index": index, "delta": begun})
            for piece in say.pieces(call.text):
                delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
                events.append({"type": "tool-call-delta", "index": index, "delta": delta})
            events.append({"type": "tool-call-end", "index": index})
        events.append({"type": "message-end", "delta": self._end(say)})
        return [sse(event, event["type"]) for event in events]

    def embed(self, request: HttpRequest) -> Mapping[str, Any] | None:
        if not request.path.endswith("/v2/embed"):
            return None
        texts, size = request.body["texts"], request.body.get("output_dimension") or 8
        vectors = {"float": [embedding(text, size) for text in texts]}
        meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 5}}
        return {"id": "e-1", "embeddings": vectors, "texts": texts, "meta": meta}

    def error(self, status: int, code: str, message: str) -> Mapping[str, Any]:
        return {"id": "err-1", "message": message}

    def error_frame(self, code: str, message: str) -> bytes:
        return sse({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": message}}, "message-end")

    @staticmethod
    def _call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
        return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}

    @staticmethod
    def _end(say: Say) -> dict[str, Any]:
        reason = "TOOL_CALL" if say.calls and say.finish == "stop" else _FINISH[say.finish]
        tokens = {"input_tokens": say.input_tokens, "output_tokens": say.output_tokens}
        usage = {"billed_units": tokens, "tokens": tokens, "cached_tokens": say.cached_tokens}
        return {"finish_reason": reason, **({"usage": usage} if say.usage else {})}
