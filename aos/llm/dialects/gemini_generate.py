"""Google's generateContent: contents of parts, tools as function declarations, streams of whole responses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aos.llm.assembly import Assembly
from aos.llm.call import Target
from aos.llm.dialect import (
    Ask,
    Decoder,
    EmbeddingDialect,
    Vectors,
    arguments_text,
    own_signature,
    path,
    shaped,
    signed,
    temperature,
    vector,
)
from aos.llm.errors import InvalidToolCall
from aos.llm.loose import mapping, objects, text, whole
from aos.llm.messages import ChatMessage, ForcedTool, ImagePart, Part, TextPart, ToolCall, ToolResult
from aos.llm.request import EmbeddingRequest
from aos.llm.response import Delta, FinishReason, Usage
from aos.llm.wire import Outgoing

_VENDOR = "gemini"
_FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
}
_TOOL_FAULTS = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"})
_BUDGETS = {"none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576}


class GeminiGenerate(EmbeddingDialect):
    def chat(self, ask: Ask) -> Outgoing:
        request = ask.request
        system = [{"text": m.text} for m in request.messages if m.role == "system"]
        functions = [
            {"name": t.name, "description": t.description, "parametersJsonSchema": t.parameters} for t in request.tools
        ]
        body: dict[str, Any] = {
            "contents": _contents(request.messages),
            "systemInstruction": {"parts": system} if system else None,
            "tools": [{"functionDeclarations": functions}] if functions else None,
            "toolConfig": _tool_config(ask) if functions else None,
            "generationConfig": _config(ask) or None,
        }
        verb = "streamGenerateContent" if ask.stream else "generateContent"
        return Outgoing(
            url=f"{_model_path(ask.target)}:{verb}",
            body=shaped(ask, body),
            query={"alt": "sse"} if ask.stream else {},
        )

    def decoder(self, ask: Ask, assembly: Assembly) -> Decoder:
        return _CandidateDecoder(ask, assembly)

    def embed(self, target: Target, request: EmbeddingRequest) -> Outgoing:
        task = "RETRIEVAL_DOCUMENT" if request.purpose == "document" else "RETRIEVAL_QUERY"
        one: dict[str, Any] = {"model": f"models/{target.model}", "taskType": task}
        if request.dimensions is not None:
            one["outputDimensionality"] = request.dimensions
        requests = [{**one, "content": {"parts": [{"text": words}]}} for words in request.inputs]
        body = {"requests": requests, **request.extra.get(target.profile.id, {})}
        return Outgoing(url=f"{_model_path(target)}:batchEmbedContents", body=body)

    def vectors(self, target: Target, body: Mapping[str, Any]) -> Vectors:
        return Vectors(tuple(vector(target, row.get("values")) for row in objects(body.get("embeddings"))))


def _model_path(target: Target) -> str:
    version = target.profile.api_version or "v1beta"
    return path(target, "chat", f"/{version}/models/{{model}}")


def _contents(messages: tuple[ChatMessage, ...]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "model" if message.role == "assistant" else "user"
        parts = [sent for part in message.parts if (sent := _part(part)) is not None]
        if not parts:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"] += parts
        else:
            turns.append({"role": role, "parts": parts})
    return turns


def _part(part: Part) -> dict[str, Any] | None:
    if isinstance(part, TextPart):
        return {"text": part.text}
    if isinstance(part, ImagePart):
        if part.url is not None:
            return {"fileData": {"fileUri": part.url, "mimeType": part.media_type}}
        return {"inlineData": {"mimeType": part.media_type, "data": part.data}}
    if isinstance(part, ToolCall):
        call: dict[str, Any] = {"functionCall": {"name": part.name, "args": part.arguments}}
        if token := own_signature(_VENDOR, part.signature):
            call["thoughtSignature"] = token
        return call
    if isinstance(part, ToolResult):
        return {"functionResponse": {"name": part.name, "response": _response(part)}}
    return None


def _response(result: ToolResult) -> dict[str, Any]:
    """Google wants an object; a result that is none is put into one."""
    if result.is_error:
        return {"error": result.content}
    try:
        value = json.loads(result.content)
    except ValueError:
        return {"result": result.content}
    return value if isinstance(value, dict) else {"result": value}


def _tool_config(ask: Ask) -> dict[str, Any]:
    choice = ask.request.tool_choice
    if isinstance(choice, ForcedTool):
        return {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [choice.name]}}
    mode = {"auto": "AUTO", "none": "NONE", "required": "ANY"}[choice]
    return {"functionCallingConfig": {"mode": mode}}


def _config(ask: Ask) -> dict[str, Any]:
    request = ask.request
    config: dict[str, Any] = {
        "temperature": temperature(ask),
        "topP": request.top_p,
        "topK": request.top_k,
        "maxOutputTokens": request.max_tokens,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
        "frequencyPenalty": request.frequency_penalty,
        "presencePenalty": request.presence_penalty,
        "thinkingConfig": _thinking(ask),
    }
    if request.response_format is not None and ask.structured is not None:
        config["responseMimeType"] = "application/json"
        if ask.structured == "json_schema":
            config["responseJsonSchema"] = request.response_format.json_schema
    dropped = ask.target.rules.drop
    return {name: value for name, value in config.items() if value is not None and name not in dropped}


def _thinking(ask: Ask) -> dict[str, Any] | None:
    effort, style = ask.request.reasoning, ask.target.rules.reasoning_style
    if effort is None or not ask.target.capabilities.reasoning or style == "none":
        return None
    shown = {"includeThoughts": effort != "none"}
    if style == "thinking":
        return {**shown, "thinkingBudget": _BUDGETS[effort]}
    return {**shown, "thinkingLevel": "MINIMAL" if effort == "none" else effort.upper()}


class _CandidateDecoder(Decoder):
    def __init__(self, ask: Ask, assembly: Assembly) -> None:
        super().__init__(ask, assembly)
        self._calls = 0

    def whole(self, body: Mapping[str, Any]) -> None:
        self.read(body)
        if self.assembly.finish is None and not self.assembly.refusal:
            raise self.malformed("the answer has no candidate that finished.")

    def read(self, data: Mapping[str, Any]) -> list[Delta]:
        assembly = self.assembly
        assembly.raw_id = text(data.get("responseId")) or assembly.raw_id
        assembly.model = text(data.get("modelVersion")) or assembly.model
        assembly.usage = _usage(mapping(data, "usageMetadata")) or assembly.usage
        if blocked := text(mapping(data, "promptFeedback").get("blockReason")):
            assembly.refusal = f"the prompt was blocked ({blocked})"
        deltas: list[Delta] = []
        for candidate in objects(data.get("candidates"))[:1]:
            for part in objects(mapping(candidate, "content").get("parts")):
                deltas += self._part(part)
            self._finish(candidate)
        return deltas

    def _part(self, part: Mapping[str, Any]) -> list[Delta]:
        call = mapping(part, "functionCall")
        if call:
            self._calls += 1
            return self.assembly.add_call(
                self._calls - 1,
                id=text(call.get("id")) or None,
                name=text(call.get("name")),
                arguments=arguments_text(call.get("args")),
                signature=signed(_VENDOR, text(part.get("thoughtSignature"))),
            )
        if part.get("thought") is True:
            return self.assembly.add_reasoning(text(part.get("text")))
        return self.assembly.add_text(text(part.get("text")))

    def _finish(self, candidate: Mapping[str, Any]) -> None:
        reason = text(candidate.get("finishReason"))
        if reason in _TOOL_FAULTS:
            said = text(candidate.get("finishMessage")) or "no more is said"
            raise self.ask.target.error(InvalidToolCall, f"the tool call failed ({reason}): {said}.")
        if reason and reason != "FINISH_REASON_UNSPECIFIED":
            self.assembly.finish = _FINISH.get(reason, "other")
            if self.assembly.finish == "content_filter":
                self.assembly.refusal = f"the answer was blocked ({reason})"


def _usage(reported: Mapping[str, Any]) -> Usage | None:
    if not reported:
        return None
    thoughts = whole(reported.get("thoughtsTokenCount"))
    return Usage(
        input_tokens=whole(reported.get("promptTokenCount")) + whole(reported.get("toolUsePromptTokenCount")),
        output_tokens=whole(reported.get("candidatesTokenCount")) + thoughts,
        cached_tokens=whole(reported.get("cachedContentTokenCount")),
        reasoning_tokens=thoughts,
    )


DIALECT = GeminiGenerate()
