"""Ollama's own API: JSON lines, tool arguments as objects, and a context size that has to be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.llm.assembly import Assembly
from aos.llm.call import Target
from aos.llm.dialect import Ask, Decoder, EmbeddingDialect, Vectors, arguments_text, path, shaped, temperature, vector
from aos.llm.errors import UnsupportedRequest
from aos.llm.loose import items, mapping, objects, text, whole
from aos.llm.messages import ChatMessage
from aos.llm.request import EmbeddingRequest
from aos.llm.response import Delta, Usage
from aos.llm.wire import Outgoing

_USUAL_CONTEXT = 4096
_ANSWER_TOKENS = 1024


class OllamaNative(EmbeddingDialect):
    framing = "ndjson"

    def chat(self, ask: Ask) -> Outgoing:
        request = ask.request
        tools = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
            for t in request.tools
        ]
        body: dict[str, Any] = {
            "model": ask.target.model,
            "messages": [sent for message in request.messages for sent in _message(ask, message)],
            # There is no tool choice: a tool that must not be called is not offered.
            "tools": tools if tools and request.tool_choice != "none" else None,
            "format": _format(ask),
            "options": _options(ask) or None,
            "think": _think(ask),
            "stream": ask.stream,
        }
        return Outgoing(url=path(ask.target, "chat", "/api/chat"), body=shaped(ask, body))

    def decoder(self, ask: Ask, assembly: Assembly) -> Decoder:
        return _ChatDecoder(ask, assembly)

    def embed(self, target: Target, request: EmbeddingRequest) -> Outgoing:
        body: dict[str, Any] = {"model": target.model, "input": list(request.inputs)}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        body.update(request.extra.get(target.profile.id, {}))
        return Outgoing(url=path(target, "embeddings", "/api/embed"), body=body)

    def vectors(self, target: Target, body: Mapping[str, Any]) -> Vectors:
        rows = items(body.get("embeddings"))
        read = body.get("prompt_eval_count")
        usage = None if read is None else Usage(input_tokens=whole(read))
        return Vectors(tuple(vector(target, row) for row in rows), usage)


def _message(ask: Ask, message: ChatMessage) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [{"role": "tool", "tool_name": r.name, "content": r.content} for r in message.tool_results]
    said: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.images:
        if any(image.data is None for image in message.images):
            raise ask.target.error(UnsupportedRequest, "images are taken by value only; send their bytes.")
        said["images"] = [image.data for image in message.images]
    if message.tool_calls:
        said["tool_calls"] = [
            {"function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls
        ]
    return [said]


def _format(ask: Ask) -> Any:
    wanted = ask.request.response_format
    if wanted is None or ask.structured is None:
        return None
    return "json" if ask.structured == "json_object" else wanted.json_schema


def _options(ask: Ask) -> dict[str, Any]:
    request = ask.request
    options: dict[str, Any] = {
        "num_ctx": _context(ask),
        "num_predict": request.max_tokens,
        "temperature": temperature(ask),
        "top_p": request.top_p,
        "top_k": request.top_k,
        "frequency_penalty": request.frequency_penalty,
        "presence_penalty": request.presence_penalty,
        "seed": request.seed,
        "stop": list(request.stop) or None,
    }
    dropped = ask.target.rules.drop
    return {name: value for name, value in options.items() if value is not None and name not in dropped}


def _context(ask: Ask) -> int | None:
    """Room for the prompt: Ollama cuts off, without a word, what does not fit its usual context."""
    needed = ask.request.estimated_input_tokens + (ask.request.max_tokens or _ANSWER_TOKENS)
    if needed <= _USUAL_CONTEXT:
        return None
    size = _USUAL_CONTEXT
    while size < needed:
        size *= 2
    most = ask.target.limits.context_window
    return size if most is None else min(size, most)


def _think(ask: Ask) -> bool | str | None:
    effort = ask.request.reasoning
    if effort is None or not ask.target.capabilities.reasoning:
        return None
    if ask.target.rules.reasoning_style == "effort" and effort in ("low", "medium", "high"):
        return effort
    return effort != "none"


class _ChatDecoder(Decoder):
    def __init__(self, ask: Ask, assembly: Assembly) -> None:
        super().__init__(ask, assembly)
        self._calls = 0

    def whole(self, body: Mapping[str, Any]) -> None:
        self.read(body)
        if self.assembly.finish is None:
            raise self.malformed("the answer does not say that it is done.")

    def read(self, data: Mapping[str, Any]) -> list[Delta]:
        self.assembly.model = text(data.get("model")) or self.assembly.model
        message = mapping(data, "message")
        deltas = self.assembly.add_reasoning(text(message.get("thinking")))
        deltas += self.assembly.add_text(text(message.get("content")))
        for call in objects(message.get("tool_calls")):
            function = mapping(call, "function")
            arguments = arguments_text(function.get("arguments"))
            deltas += self.assembly.add_call(
                self._calls, id=text(call.get("id")) or None, name=text(function.get("name")), arguments=arguments
            )
            self._calls += 1
        if data.get("done") is True:
            self._end(data)
        return deltas

    def _end(self, data: Mapping[str, Any]) -> None:
        self.assembly.finish = "length" if data.get("done_reason") == "length" else "stop"
        self.assembly.usage = Usage(
            input_tokens=whole(data.get("prompt_eval_count")), output_tokens=whole(data.get("eval_count"))
        )
        self.done = True


DIALECT = OllamaNative()
