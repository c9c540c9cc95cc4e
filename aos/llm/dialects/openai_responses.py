"""OpenAI responses, which Perplexity's agent API speaks too: items in, items out, streams of named events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aos.llm.assembly import Assembly
from aos.llm.dialect import Ask, Decoder, Dialect, ReportedError, path, shaped, temperature
from aos.llm.loose import mapping, objects, text, whole
from aos.llm.messages import ChatMessage, ForcedTool, ImagePart, TextPart, ToolSpec
from aos.llm.response import Delta, Usage
from aos.llm.schemas import strict_schema
from aos.llm.wire import Outgoing


class OpenAIResponses(Dialect):
    def chat(self, ask: Ask) -> Outgoing:
        request = ask.request
        system = "\n\n".join(m.text for m in request.messages if m.role == "system")
        tools = [_tool(tool) for tool in request.tools]
        body: dict[str, Any] = {
            "model": ask.target.model,
            "instructions": system or None,
            "input": [item for message in request.messages for item in _items(ask, message)],
            "max_output_tokens": request.max_tokens,
            "temperature": temperature(ask),
            "top_p": request.top_p,
            "tools": tools or None,
            "tool_choice": _tool_choice(ask) if tools else None,
            "parallel_tool_calls": request.parallel_tool_calls if tools else None,
            **_format(ask),
            **_reasoning(ask),
            "stream": True if ask.stream else None,
        }
        return Outgoing(url=path(ask.target, "chat", "/responses"), body=shaped(ask, body))

    def decoder(self, ask: Ask, assembly: Assembly) -> Decoder:
        return _ResponseDecoder(ask, assembly)


def _items(ask: Ask, message: ChatMessage) -> list[dict[str, Any]]:
    if message.role == "system":
        return []
    if message.role == "tool":
        return [
            {"type": "function_call_output", "call_id": result.call_id, "output": result.content}
            for result in message.tool_results
        ]
    sent: list[dict[str, Any]] = []
    if message.images:
        content = [_content(ask, part) for part in message.parts if isinstance(part, TextPart | ImagePart)]
        sent.append({"type": "message", "role": message.role, "content": content})
    elif message.text:
        sent.append({"type": "message", "role": message.role, "content": message.text})
    sent += [
        {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments_json}
        for call in message.tool_calls
    ]
    return sent


def _content(ask: Ask, part: TextPart | ImagePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "input_text", "text": part.text}
    image = {"type": "input_image", "image_url": part.url or f"data:{part.media_type};base64,{part.data}"}
    # OpenAI demands the detail, Perplexity refuses fields it does not know.
    return image if ask.target.rules.responses_format == "response_format" else {**image, "detail": "auto"}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    parameters = strict_schema(tool.parameters) if tool.strict else None
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters if parameters is None else parameters,
        "strict": parameters is not None,
    }


def _tool_choice(ask: Ask) -> Any:
    choice = ask.request.tool_choice
    if isinstance(choice, ForcedTool):
        return {"type": "function", "name": choice.name}
    return None if choice == "auto" else choice


def _format(ask: Ask) -> dict[str, Any]:
    wanted = ask.request.response_format
    if wanted is None or ask.structured is None:
        return {}
    strict = strict_schema(wanted.json_schema) if wanted.strict else None
    schema = {"name": wanted.name, "schema": wanted.json_schema if strict is None else strict}
    if ask.target.rules.responses_format == "response_format":
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if ask.structured == "json_object":
        return {"text": {"format": {"type": "json_object"}}}
    return {"text": {"format": {"type": "json_schema", **schema, "strict": strict is not None}}}


def _reasoning(ask: Ask) -> dict[str, Any]:
    effort = ask.request.reasoning
    if effort is None or not ask.target.capabilities.reasoning or ask.target.rules.reasoning_style == "none":
        return {}
    return {"reasoning": {"effort": ask.target.rules.reasoning_levels.get(effort, effort)}}


class _ResponseDecoder(Decoder):
    def __init__(self, ask: Ask, assembly: Assembly) -> None:
        super().__init__(ask, assembly)
        self._streamed: set[str] = set()

    def whole(self, body: Mapping[str, Any]) -> None:
        for index, item in enumerate(objects(body.get("output"))):
            self._item(index, item)
        self._end(body)

    def read(self, data: Mapping[str, Any]) -> list[Delta]:
        kind, index = text(data.get("type")), whole(data.get("output_index"))
        if kind == "response.output_text.delta":
            self._streamed.add(f"text{index}")
            return self.assembly.add_text(text(data.get("delta")))
        if kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            self._streamed.add(f"reasoning{index}")
            return self.assembly.add_reasoning(text(data.get("delta")))
        if kind == "response.refusal.delta":
            self.assembly.refusal += text(data.get("delta"))
        elif kind == "response.output_item.added":
            return self._added(index, mapping(data, "item"))
        elif kind == "response.function_call_arguments.delta":
            self._streamed.add(f"call{index}")
            return self.assembly.add_call(index, arguments=text(data.get("delta")))
        elif kind == "response.output_item.done":
            return self._item(index, mapping(data, "item"))
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            self._end(mapping(data, "response"))
            self.done = True
        return []

    def _added(self, index: int, item: Mapping[str, Any]) -> list[Delta]:
        if item.get("type") != "function_call":
            return []
        return self.assembly.add_call(index, id=text(item.get("call_id")) or None, name=text(item.get("name")))

    def _item(self, index: int, item: Mapping[str, Any]) -> list[Delta]:
        """An item that is complete; what of it was streamed already is not taken twice."""
        kind = item.get("type")
        if kind == "message":
            return self._message(index, item)
        if kind == "reasoning" and f"reasoning{index}" not in self._streamed:
            pieces = objects(item.get("summary")) or objects(item.get("content"))
            return self.assembly.add_reasoning("\n".join(text(piece.get("text")) for piece in pieces))
        if kind == "function_call":
            arguments = "" if f"call{index}" in self._streamed else text(item.get("arguments"))
            self._streamed.add(f"call{index}")
            return self.assembly.add_call(
                index, id=text(item.get("call_id")) or None, name=text(item.get("name")), arguments=arguments
            )
        return []

    def _message(self, index: int, item: Mapping[str, Any]) -> list[Delta]:
        deltas: list[Delta] = []
        for piece in objects(item.get("content")):
            if piece.get("type") == "refusal":
                self.assembly.refusal = text(piece.get("refusal"))
            elif f"text{index}" not in self._streamed:
                deltas += self.assembly.add_text(text(piece.get("text")))
        return deltas

    def _end(self, response: Mapping[str, Any]) -> None:
        assembly = self.assembly
        assembly.raw_id = text(response.get("id")) or None
        assembly.model = text(response.get("model")) or None
        assembly.usage = _usage(mapping(response, "usage"))
        status = response.get("status")
        if status == "failed":
            error = response.get("error") or {"message": "the response failed"}
            raise ReportedError({"error": error})
        if status == "incomplete":
            why = text(mapping(response, "incomplete_details").get("reason"))
            assembly.finish = "content_filter" if why == "content_filter" else "length"
        elif status == "completed":
            assembly.finish = "stop"
        else:
            raise self.malformed(f"the response has the status {status!r}.")


def _usage(reported: Mapping[str, Any]) -> Usage | None:
    if not reported:
        return None
    return Usage(
        input_tokens=whole(reported.get("input_tokens")),
        output_tokens=whole(reported.get("output_tokens")),
        cached_tokens=whole(mapping(reported, "input_tokens_details").get("cached_tokens")),
        reasoning_tokens=whole(mapping(reported, "output_tokens_details").get("reasoning_tokens")),
    )


DIALECT = OpenAIResponses()
