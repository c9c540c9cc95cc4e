"""OpenAI chat completions, which most providers speak; how they differ is in their profiles' rules."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from aos.llm.assembly import Assembly
from aos.llm.call import Target
from aos.llm.dialect import Ask, Decoder, EmbeddingDialect, Vectors, path, shaped, temperature, vector
from aos.llm.dialects.openai_chat_decoder import ChatDecoder, usage_of
from aos.llm.loose import mapping, objects, whole
from aos.llm.messages import ChatMessage, ForcedTool, ImagePart, TextPart, ToolCall, ToolSpec
from aos.llm.request import EmbeddingRequest
from aos.llm.schemas import strict_schema
from aos.llm.wire import Outgoing

_NUDGE = "Answer by calling one of the tools."


class OpenAIChat(EmbeddingDialect):
    def chat(self, ask: Ask) -> Outgoing:
        request, rules = ask.request, ask.target.rules
        tools = [_tool(tool) for tool in request.tools]
        body: dict[str, Any] = {
            "model": ask.target.model,
            "messages": _messages(ask),
            "max_tokens": request.max_tokens,
            "temperature": temperature(ask),
            "top_p": request.top_p,
            "frequency_penalty": request.frequency_penalty,
            "presence_penalty": request.presence_penalty,
            "seed": request.seed,
            "stop": list(request.stop) or None,
            "tools": tools or None,
            "tool_choice": _tool_choice(ask) if tools else None,
            "parallel_tool_calls": request.parallel_tool_calls if tools else None,
            "response_format": _response_format(ask),
            "stream": True if ask.stream else None,
            "stream_options": {"include_usage": True} if ask.stream and rules.stream_usage else None,
            **_reasoning(ask),
        }
        return Outgoing(url=path(ask.target, "chat", "/chat/completions"), body=shaped(ask, body))

    def decoder(self, ask: Ask, assembly: Assembly) -> Decoder:
        return ChatDecoder(ask, assembly)

    def embed(self, target: Target, request: EmbeddingRequest) -> Outgoing:
        rules = target.rules.embedding
        body: dict[str, Any] = {
            "model": target.model,
            "input": list(request.inputs),
            "dimensions": request.dimensions,
            "encoding_format": "float",
        }
        if rules.purpose_field:
            body[rules.purpose_field] = rules.document if request.purpose == "document" else rules.query
        sent = {
            rules.rename.get(name, name): value
            for name, value in body.items()
            if value is not None and name not in rules.drop
        }
        sent.update(request.extra.get(target.profile.id, {}))
        return Outgoing(url=path(target, "embeddings", "/embeddings"), body=sent)

    def vectors(self, target: Target, body: Mapping[str, Any]) -> Vectors:
        rows = sorted(objects(body.get("data")), key=lambda row: whole(row.get("index")))
        usage = usage_of(mapping(body, "usage"), target.rules)
        return Vectors(tuple(vector(target, row.get("embedding")) for row in rows), usage)


def _messages(ask: Ask) -> list[dict[str, Any]]:
    said = [message for one in ask.request.messages for message in _message(ask, one)]
    wants_call = ask.request.tool_choice == "required" or isinstance(ask.request.tool_choice, ForcedTool)
    if wants_call and "required" not in ask.target.rules.tool_choice:
        said.append({"role": "user", "content": _NUDGE})
    return said


def _message(ask: Ask, message: ChatMessage) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [
            {"role": "tool", "tool_call_id": _call_id(ask, result.call_id), "content": result.content}
            for result in message.tool_results
        ]
    if message.role == "assistant":
        return [_assistant(ask, message)]
    if message.images:
        content: Any = [_content(p) for p in message.parts if isinstance(p, TextPart | ImagePart)]
    else:
        content = message.text
    return [{"role": message.role, "content": content}]


def _assistant(ask: Ask, message: ChatMessage) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": message.text or None}
    if message.tool_calls:
        said["tool_calls"] = [_call(ask, call, index) for index, call in enumerate(message.tool_calls)]
    elif not message.text:
        said["content"] = ""
    if ask.target.rules.echo_reasoning:
        thought = "".join(part.text for part in message.reasoning)
        # Kimi refuses a call without its reasoning, and an empty one too.
        if thought or message.tool_calls:
            said["reasoning_content"] = thought or "(not recorded)"
    return said


def _content(part: TextPart | ImagePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": part.url or f"data:{part.media_type};base64,{part.data}"}}


def _call(ask: Ask, call: ToolCall, index: int) -> dict[str, Any]:
    numbered = {"index": index} if ask.target.rules.indexed_calls else {}
    return {
        **numbered,
        "id": _call_id(ask, call.id),
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments_json},
    }


def _call_id(ask: Ask, call_id: str) -> str:
    length = ask.target.rules.call_id_length
    if length is None or (len(call_id) == length and call_id.isalnum()):
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:length]


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    if tool.strict and (parameters := strict_schema(tool.parameters)) is not None:
        function |= {"parameters": parameters, "strict": True}
    return {"type": "function", "function": function}


def _tool_choice(ask: Ask) -> Any:
    choice, known = ask.request.tool_choice, ask.target.rules.tool_choice
    if isinstance(choice, ForcedTool) and "named" in known:
        return {"type": "function", "function": {"name": choice.name}}
    word = "required" if isinstance(choice, ForcedTool) else choice
    if word not in known:
        word = "auto"
    if word == "auto" and isinstance(choice, str) and choice == "auto":
        return None
    return {"value": word} if ask.target.rules.tool_choice_style == "value" else word


def _response_format(ask: Ask) -> dict[str, Any] | None:
    wanted = ask.request.response_format
    if wanted is None or ask.structured is None:
        return None
    if ask.structured == "json_object":
        return {"type": "json_object"}
    strict = strict_schema(wanted.json_schema) if wanted.strict else None
    schema: dict[str, Any] = {"name": wanted.name, "schema": wanted.json_schema if strict is None else strict}
    if wanted.description:
        schema["description"] = wanted.description[:1024]
    schema["strict"] = strict is not None
    return {"type": "json_schema", "json_schema": schema}


def _reasoning(ask: Ask) -> dict[str, Any]:
    effort, style = ask.request.reasoning, ask.target.rules.reasoning_style
    if effort is None or not ask.target.capabilities.reasoning:
        return {}
    if style == "thinking":
        return {"thinking": {"type": "disabled" if effort == "none" else "enabled"}}
    if style == "enable_thinking":
        return {"enable_thinking": effort != "none"}
    level = ask.target.rules.reasoning_levels.get(effort, effort)
    return {"reasoning_effort": level} if style == "effort" else {}


DIALECT = OpenAIChat()
