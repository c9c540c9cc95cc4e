"""OpenAI responses, and Perplexity's agent API, which has their shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.testing.models.http import HttpRequest
from aos.testing.models.script import Say
from aos.testing.models.voices.voice import bearer, sse


class ResponsesVoice:
    content_type = "text/event-stream"

    def speaks(self, request: HttpRequest) -> bool:
        return request.path.endswith(("/responses", "/v1/agent"))

    def key(self, headers: Mapping[str, str]) -> str | None:
        return bearer(headers)

    def streams(self, request: HttpRequest) -> bool:
        return request.body.get("stream") is True

    def whole(self, say: Say, request: HttpRequest) -> Mapping[str, Any]:
        body = self._response(request, self._status(say), self._items(say))
        if say.usage:
            body["usage"] = self._usage(say)
        if body["status"] == "incomplete":
            reason = "max_output_tokens" if say.finish == "length" else "content_filter"
            body["incomplete_details"] = {"reason": reason}
        return body

    def frames(self, say: Say, request: HttpRequest) -> list[bytes]:
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": self._response(request, "in_progress", [])}
        ]
        for index, item in enumerate(self._items(say)):
            events += self._item_events(say, index, item)
        final = self.whole(say, request)
        events.append({"type": f"response.{final['status']}", "response": final})
        return [sse({**event, "sequence_number": n}, event["type"]) for n, event in enumerate(events)]

    def embed(self, request: HttpRequest) -> Mapping[str, Any] | None:
        return None

    def error(self, status: int, code: str, message: str) -> Mapping[str, Any]:
        return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code or None}}

    def error_frame(self, code: str, message: str) -> bytes:
        error = {"code": code or "server_error", "message": message}
        response = {"id": "resp_1", "object": "response", "status": "failed", "output": [], "error": error}
        return sse({"type": "response.failed", "response": response}, "response.failed")

    @staticmethod
    def _item_events(say: Say, index: int, item: dict[str, Any]) -> list[dict[str, Any]]:
        where = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "message":
            here = {**where, "content_index": 0}
            part = item["content"][0]
            empty: dict[str, Any] = {**item, "content": [], "status": "in_progress"}
            events = [
                {"type": "response.content_part.added", **here, "part": {**part, "text": ""}},
                *({"type": "response.output_text.delta", **here, "delta": piece} for piece in say.pieces(say.text)),
                {"type": "response.output_text.done", **here, "text": say.text},
                {"type": "response.content_part.done", **here, "part": part},
            ]
        elif item["type"] == "reasoning":
            here, kind = {**where, "summary_index": 0}, "response.reasoning_summary"
            part = item["summary"][0]
            empty = {**item, "summary": []}
            events = [
                {"type": f"{kind}_part.added", **here, "part": {**part, "text": ""}},
                *({"type": f"{kind}_text.delta", **here, "delta": piece} for piece in say.pieces(say.reasoning)),
                {"type": f"{kind}_text.done", **here, "text": say.reasoning},
                {"type": f"{kind}_part.done", **here, "part": part},
            ]
        else:
            kind, text = "response.function_call_arguments", item["arguments"]
            empty = {**item, "arguments": "", "status": "in_progress"}
            events = [
                *({"type": f"{kind}.delta", **where, "delta": piece} for piece in say.pieces(text)),
                {"type": f"{kind}.done", **where, "name": item["name"], "arguments": text},
            ]
        return [
            {"type": "response.output_item.added", "output_index": index, "item": empty},
            *events,
            {"type": "response.output_item.done", "output_index": index, "item": item},
        ]

    @staticmethod
    def _items(say: Say) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        if say.reasoning:
            summary = [{"type": "summary_text", "text": say.reasoning}]
            items.append({"id": "rs_1", "type": "reasoning", "summary": summary})
        if say.text:
            content = [{"type": "output_text", "text": say.text, "annotations": []}]
            items.append(
                {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
            )
        return items + [
            {
                "id": f"fc_{call.id}",
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
                "arguments": call.text,
                "status": "completed",
            }
            for call in say.calls
        ]

    @staticmethod
    def _status(say: Say) -> str:
        return "completed" if say.finish == "stop" else "incomplete"

    @staticmethod
    def _usage(say: Say) -> dict[str, Any]:
        return {
            "input_tokens": say.input_tokens,
            "output_tokens": say.output_tokens,
            "total_tokens": say.input_tokens + say.output_tokens,
            "input_tokens_details": {"cached_tokens": say.cached_tokens},
            "output_tokens_details": {"reasoning_tokens": say.reasoning_tokens},
        }

    @staticmethod
    def _response(request: HttpRequest, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "model": request.body["model"],
            "status": status,
            "output": output,
            "error": None,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }
