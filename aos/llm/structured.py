"""Gets an answer of a given structure out of any model: natively, by a tool it must call, or by asking and checking.

However it was asked for, the answer is validated here; one that does not fit is shown its mistakes and asked again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from aos.llm.call import Target
from aos.llm.messages import ChatMessage, ForcedTool, TextPart, ToolCall, ToolSpec
from aos.llm.provider import StructuredOutput
from aos.llm.request import ModelRequest, ResponseFormat
from aos.llm.response import Delta, ModelResponse, TextDelta, ToolCallDelta

_FENCED = re.compile(r"```(?:json)?\s*\n?(.*?)```", re.DOTALL | re.IGNORECASE)
_MOST_MISTAKES = 10


class Mismatch(Exception):
    """The answer does not have the structure; `mistakes` says what is wrong, for the model to read."""

    def __init__(self, mistakes: str) -> None:
        super().__init__(mistakes)
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Plan:
    """How one request gets its structure.

    Attributes:
        request: What is sent, with instructions or a tool put in.
        wanted: The structure; None where none was asked for.
        mode: How it is asked for.
    """

    request: ModelRequest
    wanted: ResponseFormat | None = None
    mode: StructuredOutput | None = None

    def delta(self, delta: Delta) -> Delta:
        """A delta as the caller sees it: the arguments of the structure's own tool are the text of the answer."""
        if self.mode == "tool" and isinstance(delta, ToolCallDelta):
            return TextDelta(delta.arguments)
        return delta

    def checked(self, response: ModelResponse) -> ModelResponse:
        """The response with `parsed` filled in.

        Raises:
            Mismatch: the text is not JSON, or not what the schema or the pydantic model wants.
        """
        if self.wanted is None:
            return response
        if self.mode == "tool":
            response = _tool_to_text(response)
        elif response.tool_calls:
            return response
        return response.model_copy(update={"parsed": parse(self.wanted, response.text)})

    def mended(self, response: ModelResponse, mismatch: Mismatch, repair: int) -> Plan:
        """The plan for asking again, the model's answer and its mistakes put behind the conversation."""
        said = _tool_to_text(response).text if self.mode == "tool" else response.text
        messages = (
            *self.request.messages,
            ChatMessage.assistant(said or "(no answer)"),
            ChatMessage.user(
                f"That does not fit the JSON schema:\n{mismatch.mistakes}\n"
                "Answer again with the whole corrected JSON and nothing else."
            ),
        )
        key = self.request.idempotency_key
        update = {"messages": messages, "idempotency_key": key and f"{key[:245]}-repair{repair}"}
        return replace(self, request=self.request.model_copy(update=update))


def plan(target: Target, request: ModelRequest, *, stream: bool) -> Plan:
    """Choose how to get the structure from this model."""
    wanted = request.response_format
    if wanted is None:
        return Plan(request)
    mode = _mode(target, request, stream=stream)
    if mode == "json_schema":
        return Plan(request, wanted, mode)
    if mode == "tool":
        tool = ToolSpec(
            name=wanted.name,
            description=wanted.description or "Give the answer.",
            parameters=wanted.json_schema,
        )
        update = {"tools": (tool,), "tool_choice": ForcedTool(name=tool.name), "response_format": None}
        return Plan(request.model_copy(update=update), wanted, mode)
    kept = wanted if mode == "json_object" else None
    messages = (ChatMessage.system(_instruction(wanted)), *request.messages)
    update = {"messages": _one_system(messages), "response_format": kept}
    return Plan(request.model_copy(update=update), wanted, mode)


def parse(wanted: ResponseFormat, text: str) -> Any:
    """The structure in a text: an instance of the format's pydantic model, or plain JSON where it has none.

    Raises:
        Mismatch: with the mistakes.
    """
    document = _document(text)
    if wanted.model is None:
        return _plain(wanted, document)
    try:
        return wanted.model.model_validate(document)
    except ValidationError as error:
        mistakes = [
            f"- {'.'.join(str(place) for place in mistake['loc']) or 'the whole'}: {mistake['msg']}"
            for mistake in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise Mismatch("\n".join(mistakes[:_MOST_MISTAKES])) from None


def _mode(target: Target, request: ModelRequest, *, stream: bool) -> StructuredOutput:
    rules, can = target.rules, target.capabilities
    mode = rules.structured
    if mode == "json_schema" and can.json_schema is False:
        mode = "tool" if can.tools else "json_object"
    if mode == "tool" and (not can.tools or request.tools):
        mode = "json_object"
    if mode == "json_object" and can.json_object is False:
        mode = "prompt"
    blocked = (request.tools and not rules.structured_with_tools) or (stream and not rules.structured_with_stream)
    if blocked and mode in ("json_schema", "json_object"):
        mode = "prompt"
    return mode


def _instruction(wanted: ResponseFormat) -> str:
    schema = json.dumps(wanted.json_schema, ensure_ascii=False)
    return f"Answer with one JSON object and nothing else. It must fit this JSON schema:\n{schema}"


def _one_system(messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
    """The instruction put behind the caller's own system message, where that comes first: many models take one."""
    instruction, *rest = messages
    if rest and rest[0].role == "system":
        return (ChatMessage.system(f"{rest[0].text}\n\n{instruction.text}"), *rest[1:])
    return messages


def _tool_to_text(response: ModelResponse) -> ModelResponse:
    calls = response.tool_calls
    if not calls:
        return response
    kept = [part for part in response.parts if not isinstance(part, ToolCall | TextPart)]
    answer = TextPart(text=calls[0].arguments_json)
    return response.model_copy(update={"parts": (*kept, answer), "finish_reason": "stop"})


def _document(text: str) -> Any:
    """The JSON in a text that may have a fence or words around it."""
    candidates = [text.strip(), *(match.strip() for match in _FENCED.findall(text))]
    first, last = text.find("{"), text.rfind("}")
    if 0 <= first < last:
        candidates.append(text[first : last + 1])
    problem = "the answer is empty"
    for candidate in candidates:
        try:
            return json.loads(candidate)
        except ValueError as error:
            problem = str(error)
    raise Mismatch(f"- the answer is not JSON: {problem}")


def _plain(wanted: ResponseFormat, document: Any) -> Any:
    schema = wanted.json_schema
    if schema.get("type", "object") == "object":
        if not isinstance(document, Mapping):
            raise Mismatch("- the whole: must be a JSON object")
        absent = [name for name in schema.get("required", ()) if name not in document]
        if absent:
            raise Mismatch("\n".join(f"- {name}: is missing" for name in absent))
    return document
