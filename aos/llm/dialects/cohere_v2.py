"""Cohere's chat, version 2: messages much like OpenAI's, answers and streams of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.llm.assembly import Assembly
from aos.llm.call import Target
from aos.llm.dialect import Ask, Decoder, EmbeddingDialect, ReportedError, Vectors, path, shaped, temperature, vector
from aos.llm.loose import items, mapping, objects, text, whole
from aos.llm.messages import ChatMessage, ForcedTool, ImagePart, TextPart
from aos.llm.request import EmbeddingRequest
from aos.llm.response import Delta, FinishReason, Usage
from aos.llm.wire import Outgoing

_FINISH: dict[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
}


class CohereV2(EmbeddingDialect):
    def chat(self, ask: Ask) -> Outgoing:
        request = ask.request
        body: dict[str, Any] = {
            "model": ask.target.model,
            "messages": [sent for message in request.messages for sent in _message(message)],
            "max_tokens": request.max_tokens,
            "temperature": temperature(ask),
            "p": request.top_p,
            "k": request.top_k,
            "frequency_penalty": request.frequency_penalty,
            "presence_penalty": request.presence_penalty,
            "seed": request.seed,
            "stop_sequences": list(request.stop) or None,
            **_tools(ask),
            "response_format": _response_format(ask),
            "thinking": _thinking(ask),
            "stream": ask.stream,
        }
        return Outgoing(url=path(ask.target, "chat", "/v2/chat"), body=shaped(ask, body))

    def decoder(self, ask: Ask, assembly: Assembly) -> Decoder:
        return _ChatDecoder(ask, assembly)

    def embed(self, target: Target, request: EmbeddingRequest) -> Outgoing:
        body: dict[str, Any] = {
            "model": target.model,
            "texts": list(request.inputs),
            "input_type": "search_document" if request.purpose == "document" else "search_query",
            "embedding_types": ["float"],
        }
        if request.dimensions is not None:
            body["output_dimension"] = request.dimensions
        body.update(request.extra.get(target.profile.id, {}))
        return Outgoing(url=path(target, "embeddings", "/v2/embed"), body=body)

    def vectors(self, target: Target, body: Mapping[str, Any]) -> Vectors:
        rows = items(mapping(body, "embeddings").get("float"))
        billed = mapping(body, "meta", "billed_units")
        usage = Usage(input_tokens=whole(billed.get("input_tokens"))) if billed else None
        return Vectors(tuple(vector(target, row) for row in rows), usage)


def _message(message: ChatMessage) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [{"role": "tool", "tool_call_id": r.call_id, "content": r.content} for r in message.tool_results]
    if message.role == "assistant":
        said: dict[str, Any] = {"role": "assistant"}
        if message.text or not message.tool_calls:
            said["content"] = message.text
        if message.tool_calls:
            said["tool_calls"] = [
                {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments_json}}
                for c in message.tool_calls
            ]
        return [said]
    if not message.images:
        return [{"role": message.role, "content": message.text}]
    parts = [_content(part) for part in message.parts if isinstance(part, TextPart | ImagePart)]
    return [{"role": message.role, "content": parts}]


def _content(part: TextPart | ImagePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": part.url or f"data:{part.media_type};base64,{part.data}"}}


def _tools(ask: Ask) -> dict[str, Any]:
    """The tools and the choice. A single tool cannot be named, so it is the only one offered."""
    tools, choice = ask.request.tools, ask.request.tool_choice
    if not tools:
        return {}
    if isinstance(choice, ForcedTool):
        tools = tuple(tool for tool in tools if tool.name == choice.name)
        choice = "required"
    offered = [
        {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
        for t in tools
    ]
    return {"tools": offered, "tool_choice": None if choice == "auto" else choice.upper()}


def _response_format(ask: Ask) -> dict[str, Any] | None:
    wanted = ask.request.response_format
    if wanted is None or ask.structured is None:
        return None
    return {"type": "json_object", "json_schema": wanted.json_schema}


def _thinking(ask: Ask) -> dict[str, Any] | None:
    if ask.request.reasoning is None or not ask.target.capabilities.reasoning:
        return None
    return {"type": "disabled" if ask.request.reasoning == "none" else "enabled"}


class _ChatDecoder(Decoder):
    def whole(self, body: Mapping[str, Any]) -> None:
        self.assembly.raw_id = text(body.get("id")) or None
        message = mapping(body, "message")
        self.assembly.add_reasoning(text(message.get("tool_plan")))
        for block in objects(message.get("content")):
            self._content(block)
        for index, call in enumerate(objects(message.get("tool_calls"))):
            self._call(index, call)
        self._end(body)

    def read(self, data: Mapping[str, Any]) -> list[Delta]:
        kind, index = data.get("type"), whole(data.get("index"))
        message = mapping(data, "delta", "message")
        if kind == "message-start":
            self.assembly.raw_id = text(data.get("id")) or None
        elif kind in ("content-start", "content-delta"):
            return self._content(mapping(message, "content"))
        elif kind == "tool-plan-delta":
            return self.assembly.add_reasoning(text(message.get("tool_plan")))
        elif kind in ("tool-call-start", "tool-call-delta"):
            return self._call(index, mapping(message, "tool_calls"))
        elif kind == "message-end":
            self._end(mapping(data, "delta"))
            self.done = True
        return []

    def _content(self, block: Mapping[str, Any]) -> list[Delta]:
        thought = self.assembly.add_reasoning(text(block.get("thinking")))
        return thought + self.assembly.add_text(text(block.get("text")))

    def _call(self, index: int, call: Mapping[str, Any]) -> list[Delta]:
        function = mapping(call, "function")
        return self.assembly.add_call(
            index,
            id=text(call.get("id")) or None,
            name=text(function.get("name")) or None,
            arguments=text(function.get("arguments")),
        )

    def _end(self, end: Mapping[str, Any]) -> None:
        tokens = mapping(end, "usage", "tokens")
        if tokens:
            self.assembly.usage = Usage(
                input_tokens=whole(tokens.get("input_tokens")),
                output_tokens=whole(tokens.get("output_tokens")),
                cached_tokens=whole(mapping(end, "usage").get("cached_tokens")),
            )
        reason = text(end.get("finish_reason"))
        if reason in ("ERROR", "TIMEOUT"):
            said = text(end.get("error")) or f"the answer ended with {reason}"
            raise ReportedError({"message": said, "code": 504 if reason == "TIMEOUT" else 500})
        if reason:
            self.assembly.finish = _FINISH.get(reason, "other")


DIALECT = CohereV2()
