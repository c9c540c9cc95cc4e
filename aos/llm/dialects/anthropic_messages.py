"""Anthropic messages: content blocks, a system prompt of its own, and a version header that decides what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.llm.assembly import Assembly
from aos.llm.dialect import Ask, Decoder, Dialect, arguments_text, own_signature, path, shaped, signed, temperature
from aos.llm.loose import mapping, objects, text, whole
from aos.llm.messages import ChatMessage, ForcedTool, ImagePart, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from aos.llm.response import Delta, FinishReason, Usage
from aos.llm.schemas import strict_schema
from aos.llm.wire import Outgoing

_VENDOR = "anthropic"
_VERSION = "2023-06-01"
_NO_SAMPLING_SINCE = "2026-10-21"
_SAMPLING = ("temperature", "top_p", "top_k")
_ANSWER_TOKENS = 4096
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384}
_REDACTED = "redacted:"
_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class AnthropicMessages(Dialect):
    def chat(self, ask: Ask) -> Outgoing:
        request, version = ask.request, ask.target.profile.api_version or _VERSION
        most = request.max_tokens or _answer_tokens(ask)
        body: dict[str, Any] = {
            "model": ask.target.model,
            "max_tokens": most,
            "system": "\n\n".join(m.text for m in request.messages if m.role == "system") or None,
            "messages": _turns(request.messages),
            "temperature": temperature(ask),
            "top_p": request.top_p,
            "top_k": request.top_k,
            "stop_sequences": list(request.stop) or None,
            "tools": [
                {"name": t.name, "description": t.description, "input_schema": t.parameters} for t in request.tools
            ]
            or None,
            "tool_choice": _tool_choice(ask),
            "output_config": _output_config(ask) or None,
            "thinking": _thinking(ask, most),
            "stream": True if ask.stream else None,
        }
        if version >= _NO_SAMPLING_SINCE:
            for name in _SAMPLING:
                body.pop(name)
        return Outgoing(
            url=path(ask.target, "chat", "/v1/messages"),
            body=shaped(ask, body),
            headers={"anthropic-version": version},
        )

    def decoder(self, ask: Ask, assembly: Assembly) -> Decoder:
        return _MessageDecoder(ask, assembly)


def _answer_tokens(ask: Ask) -> int:
    """The field is required; the model's own limit, where it is known, comes closest to leaving it out."""
    return min(ask.target.limits.max_output_tokens or _ANSWER_TOKENS, 32_000)


def _turns(messages: tuple[ChatMessage, ...]) -> list[dict[str, Any]]:
    """User and assistant turns in alternation; tool results belong to the user's."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = [block for part in message.parts if (block := _block(part)) is not None]
        if not blocks:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _block(part: Part) -> dict[str, Any] | None:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text} if part.text else None
    if isinstance(part, ImagePart):
        return {"type": "image", "source": _image(part)}
    if isinstance(part, ToolCall):
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": part.arguments}
    if isinstance(part, ToolResult):
        return {
            "type": "tool_result",
            "tool_use_id": part.call_id,
            "content": part.content,
            "is_error": part.is_error,
        }
    return _thought(part)


def _image(part: ImagePart) -> dict[str, Any]:
    if part.url is not None:
        return {"type": "url", "url": part.url}
    return {"type": "base64", "media_type": part.media_type, "data": part.data}


def _thought(part: ReasoningPart) -> dict[str, Any] | None:
    """Reasoning goes back only with the token that proves it is the model's own."""
    token = own_signature(_VENDOR, part.signature)
    if token is None:
        return None
    if token.startswith(_REDACTED):
        return {"type": "redacted_thinking", "data": token.removeprefix(_REDACTED)}
    return {"type": "thinking", "thinking": part.text, "signature": token}


def _tool_choice(ask: Ask) -> dict[str, Any] | None:
    request = ask.request
    if not request.tools:
        return None
    choice: dict[str, Any]
    if isinstance(request.tool_choice, ForcedTool):
        choice = {"type": "tool", "name": request.tool_choice.name}
    else:
        choice = {"type": "any" if request.tool_choice == "required" else request.tool_choice}
    if request.parallel_tool_calls is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    return choice


def _output_config(ask: Ask) -> dict[str, Any]:
    config: dict[str, Any] = {}
    wanted, effort = ask.request.response_format, ask.request.reasoning
    if wanted is not None and ask.structured == "json_schema":
        schema = strict_schema(wanted.json_schema) or dict(wanted.json_schema)
        config["format"] = {"type": "json_schema", "schema": schema}
    if effort in ("low", "medium", "high") and ask.target.rules.reasoning_style == "effort":
        config["effort"] = effort
    return config


def _thinking(ask: Ask, most: int) -> dict[str, Any] | None:
    effort, style = ask.request.reasoning, ask.target.rules.reasoning_style
    if effort is None or not ask.target.capabilities.reasoning or style == "none":
        return None
    if effort == "none":
        return {"type": "disabled"}
    if style == "effort":
        return {"type": "adaptive"}
    budget = min(_BUDGETS[effort], most - 1)
    return {"type": "enabled", "budget_tokens": budget} if budget >= _BUDGETS["minimal"] else None


class _MessageDecoder(Decoder):
    def whole(self, body: Mapping[str, Any]) -> None:
        self._facts(body)
        for index, block in enumerate(objects(body.get("content"))):
            self._start(index, block)
            if block.get("type") == "tool_use":
                self.assembly.add_call(index, arguments=arguments_text(block.get("input")))
        self._stop(body.get("stop_reason"))

    def read(self, data: Mapping[str, Any]) -> list[Delta]:
        kind, index = data.get("type"), whole(data.get("index"))
        if kind == "message_start":
            self._facts(mapping(data, "message"))
        elif kind == "content_block_start":
            return self._start(index, mapping(data, "content_block"))
        elif kind == "content_block_delta":
            return self._piece(index, mapping(data, "delta"))
        elif kind == "message_delta":
            self._usage(mapping(data, "usage"))
            self._stop(mapping(data, "delta").get("stop_reason"))
        elif kind == "message_stop":
            self.done = True
        return []

    def _facts(self, message: Mapping[str, Any]) -> None:
        self.assembly.raw_id = text(message.get("id")) or None
        self.assembly.model = text(message.get("model")) or None
        self._usage(mapping(message, "usage"))

    def _start(self, index: int, block: Mapping[str, Any]) -> list[Delta]:
        kind = block.get("type")
        if kind == "text":
            return self.assembly.add_text(text(block.get("text")))
        if kind == "thinking":
            token = signed(_VENDOR, text(block.get("signature")))
            return self.assembly.add_reasoning(text(block.get("thinking")), token)
        if kind == "redacted_thinking":
            return self.assembly.add_reasoning("", signed(_VENDOR, _REDACTED + text(block.get("data"))))
        if kind == "tool_use":
            return self.assembly.add_call(index, id=text(block.get("id")) or None, name=text(block.get("name")))
        return []

    def _piece(self, index: int, delta: Mapping[str, Any]) -> list[Delta]:
        kind = delta.get("type")
        if kind == "text_delta":
            return self.assembly.add_text(text(delta.get("text")))
        if kind == "input_json_delta":
            return self.assembly.add_call(index, arguments=text(delta.get("partial_json")))
        if kind == "thinking_delta":
            return self.assembly.add_reasoning(text(delta.get("thinking")))
        if kind == "signature_delta":
            return self.assembly.add_reasoning("", signed(_VENDOR, text(delta.get("signature"))))
        return []

    def _usage(self, reported: Mapping[str, Any]) -> None:
        """The numbers of a stream's end are cumulative, and may leave out those that its start had."""
        if not reported:
            return
        known = self.assembly.usage or Usage()
        read, written = (
            whole(reported.get("cache_read_input_tokens")),
            whole(reported.get("cache_creation_input_tokens")),
        )
        fresh = reported.get("input_tokens")
        self.assembly.usage = Usage(
            input_tokens=known.input_tokens if fresh is None else whole(fresh) + read + written,
            output_tokens=whole(reported.get("output_tokens")) or known.output_tokens,
            cached_tokens=read or known.cached_tokens,
            cache_write_tokens=written or known.cache_write_tokens,
        )

    def _stop(self, reason: Any) -> None:
        if isinstance(reason, str) and reason:
            self.assembly.finish = _FINISH.get(reason, "other")


DIALECT = AnthropicMessages()
