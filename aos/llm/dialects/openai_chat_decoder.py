"""Reads OpenAI chat completions, whole and streamed, with the habits of the providers that imitate them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.llm.dialect import Decoder, ReportedError
from aos.llm.framing import ServerEvent
from aos.llm.loose import mapping, objects, text, whole
from aos.llm.provider import ParameterRules
from aos.llm.response import Delta, FinishReason, Usage

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
}


class ChatDecoder(Decoder):
    def feed(self, event: ServerEvent) -> list[Delta]:
        if event.data.strip() == "[DONE]":
            self.done = True
            # xAI leaves the reason out after tool calls; the marker itself says the answer is whole.
            if self.assembly.finish is None and self.assembly.has_content:
                self.assembly.finish = "tool_calls" if self.assembly.has_calls else "other"
            return []
        return super().feed(event)

    def whole(self, body: Mapping[str, Any]) -> None:
        self._facts(body)
        choices = objects(body.get("choices"))
        if not choices:
            raise self.malformed("the answer has no choices.")
        message = mapping(choices[0], "message")
        self._content(message)
        for index, call in enumerate(objects(message.get("tool_calls"))):
            self._call(index, call)
        self.assembly.refusal = text(message.get("refusal"))
        self._finish(choices[0].get("finish_reason"))
        if self.assembly.finish is None:
            self.assembly.finish = "tool_calls" if self.assembly.has_calls else "other"

    def read(self, data: Mapping[str, Any]) -> list[Delta]:
        self._facts(data)
        deltas: list[Delta] = []
        for choice in objects(data.get("choices"))[:1]:
            delta = mapping(choice, "delta")
            deltas += self._content(delta)
            for position, call in enumerate(objects(delta.get("tool_calls"))):
                index = call.get("index")
                deltas += self._call(index if isinstance(index, int) else position, call)
            self.assembly.refusal += text(delta.get("refusal"))
            self._finish(choice.get("finish_reason"))
        return deltas

    def _facts(self, body: Mapping[str, Any]) -> None:
        assembly = self.assembly
        assembly.raw_id = text(body.get("id")) or assembly.raw_id
        assembly.model = text(body.get("model")) or assembly.model
        reported = mapping(body, "usage") or mapping(body, "x_groq", "usage")
        assembly.usage = usage_of(reported, self.ask.target.rules) or assembly.usage

    def _content(self, message: Mapping[str, Any]) -> list[Delta]:
        thought = text(message.get("reasoning_content")) or text(message.get("reasoning"))
        deltas = self.assembly.add_reasoning(thought)
        content = message.get("content")
        if isinstance(content, str):
            return deltas + self.assembly.add_text(content)
        # Mistral's reasoning models answer in chunks.
        for chunk in objects(content):
            if chunk.get("type") == "thinking":
                inner = "".join(text(piece.get("text")) for piece in objects(chunk.get("thinking")))
                deltas += self.assembly.add_reasoning(inner)
            else:
                deltas += self.assembly.add_text(text(chunk.get("text")))
        return deltas

    def _call(self, index: int, call: Mapping[str, Any]) -> list[Delta]:
        function = mapping(call, "function")
        return self.assembly.add_call(
            index,
            id=text(call.get("id")) or None,
            name=text(function.get("name")) or None,
            arguments=text(function.get("arguments")),
        )

    def _finish(self, reason: Any) -> None:
        if not isinstance(reason, str) or not reason:
            return
        if reason == "error":
            raise ReportedError({"error": {"message": "the answer ended with finish reason 'error'", "code": 502}})
        self.assembly.finish = _FINISH.get(reason, "other")


def usage_of(reported: Mapping[str, Any], rules: ParameterRules) -> Usage | None:
    """The tokens a provider reports; None where it reports none."""
    if not reported:
        return None
    details = mapping(reported, "completion_tokens_details")
    reasoning = whole(details.get("reasoning_tokens"))
    written = whole(reported.get("completion_tokens"))
    cached = whole(mapping(reported, "prompt_tokens_details").get("cached_tokens"))
    return Usage(
        input_tokens=whole(reported.get("prompt_tokens")),
        output_tokens=written + reasoning if rules.reasoning_outside_output else written,
        cached_tokens=cached or whole(reported.get("prompt_cache_hit_tokens")),
        reasoning_tokens=reasoning,
    )
