"""Puts an answer together from its pieces, whole or streamed, and refuses what only looks like an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aos.llm.call import Target
from aos.llm.errors import (
    AnswerTruncated,
    ContentFiltered,
    EmptyAnswer,
    InvalidToolCall,
    Recourse,
    StreamCut,
)
from aos.llm.messages import ForcedTool, Part, ReasoningPart, TextPart, ToolCall
from aos.llm.request import ModelRequest
from aos.llm.response import Delta, FinishReason, ModelResponse, ReasoningDelta, TextDelta, ToolCallDelta, Usage


@dataclass(slots=True)
class _Piece:
    kind: Literal["text", "reasoning", "tool"]
    text: list[str] = field(default_factory=list)
    id: str | None = None
    name: str = ""
    signature: str | None = None
    index: int = 0


class Assembly:
    """An answer under construction. Each method that adds content returns the deltas it makes.

    Attributes:
        finish: Why the model stopped; None until it said so.
        usage: None until the provider reported it.
        raw_id: The provider's id of the answer.
        model: The model's name as the answer has it.
        refusal: What the model or a filter said in place of an answer.
    """

    def __init__(self, target: Target, request: ModelRequest, new_id: Callable[[], str]) -> None:
        self.finish: FinishReason | None = None
        self.usage: Usage | None = None
        self.raw_id: str | None = None
        self.model: str | None = None
        self.refusal: str = ""
        self._target = target
        self._request = request
        self._new_id = new_id
        self._pieces: list[_Piece] = []
        self._calls: dict[int, _Piece] = {}
        self._call_count = 0

    @property
    def has_content(self) -> bool:
        return bool(self._pieces)

    @property
    def has_calls(self) -> bool:
        return bool(self._calls)

    def add_text(self, text: str) -> list[Delta]:
        if text:
            self._open("text", None).text.append(text)
        return [TextDelta(text)] if text else []

    def add_reasoning(self, text: str, signature: str | None = None) -> list[Delta]:
        if text or signature:
            self._open("reasoning", signature).text.append(text)
        return [ReasoningDelta(text)] if text else []

    def add_call(
        self,
        index: int,
        *,
        id: str | None = None,
        name: str | None = None,
        arguments: str = "",
        signature: str | None = None,
    ) -> list[Delta]:
        """Begin or continue the tool call that the provider numbers `index`."""
        piece = self._calls.get(index)
        # Some providers number every call 0 and tell them apart by id.
        if piece is None or (id and piece.id and id != piece.id):
            piece = _Piece("tool", index=self._call_count)
            self._call_count += 1
            self._calls[index] = piece
            self._pieces.append(piece)
        piece.id = piece.id or id
        # A provider may repeat the name with every fragment.
        fresh = name if name and not piece.name else None
        piece.name = piece.name or name or ""
        piece.signature = signature or piece.signature
        piece.text.append(arguments)
        return [ToolCallDelta(piece.index, id=id, name=fresh, arguments=arguments)]

    def whole(self) -> tuple[tuple[Part, ...], FinishReason]:
        """The finished answer's parts, and why it ended.

        Raises:
            StreamCut: no finish marker came.
            ContentFiltered: a policy stopped the answer.
            AnswerTruncated: a length limit did, and the caller does not accept that.
            InvalidToolCall: arguments that are no JSON object, an unknown tool, or no call where one was required.
            EmptyAnswer: neither text nor a call.
        """
        if self.finish == "content_filter" or self.refusal:
            said = f": {self.refusal}" if self.refusal else "."
            raise self._target.error(ContentFiltered, f"the content policy stopped the answer{said}")
        if self.finish is None:
            raise self._target.error(StreamCut, "the answer ended before its finish marker.")
        if self.finish == "length":
            return self._at_limit()
        parts = tuple(self._part(piece) for piece in self._pieces)
        self._check_calls(parts)
        finish: FinishReason = "tool_calls" if self._calls else self.finish
        return parts, finish

    def partial(self) -> tuple[Part, ...]:
        """What has arrived; calls whose arguments are not complete are left out."""
        parts: list[Part] = []
        for piece in self._pieces:
            try:
                parts.append(self._part(piece))
            except InvalidToolCall:
                continue
        return tuple(parts)

    def estimated_usage(self) -> Usage:
        written = sum(len(text) for piece in self._pieces for text in piece.text)
        return Usage(
            input_tokens=self._request.estimated_input_tokens,
            output_tokens=(written + 3) // 4,
            estimated=True,
        )

    def response(self, parts: tuple[Part, ...], finish: FinishReason, **facts: Any) -> ModelResponse:
        return ModelResponse(
            parts=parts,
            finish_reason=finish,
            usage=self.usage or self.estimated_usage(),
            provider=self._target.profile.id,
            model=self.model or self._target.model,
            raw_id=self.raw_id,
            **facts,
        )

    def _at_limit(self) -> tuple[tuple[Part, ...], FinishReason]:
        own = self._request.max_tokens is not None
        if not self._request.allow_truncated:
            whose = "the caller's max_tokens" if own else "the model's length limit"
            raise self._target.error(
                AnswerTruncated,
                f"the answer ran into {whose}. Allow more tokens, or set allow_truncated.",
                recourse=Recourse.STOP if own else None,
            )
        parts = self.partial()
        if not any(isinstance(part, TextPart | ToolCall) for part in parts):
            raise self._target.error(EmptyAnswer, "the length limit was reached before the answer began.")
        return parts, "length"

    def _check_calls(self, parts: tuple[Part, ...]) -> None:
        choice = self._request.tool_choice
        called = {part.name for part in parts if isinstance(part, ToolCall)}
        if not called and (choice == "required" or isinstance(choice, ForcedTool)):
            raise self._target.error(InvalidToolCall, "no tool was called, though one had to be.")
        if not called and not any(part.text.strip() for part in parts if isinstance(part, TextPart)):
            raise self._target.error(EmptyAnswer, "the answer holds neither text nor a tool call.")

    def _open(self, kind: Literal["text", "reasoning"], signature: str | None) -> _Piece:
        last = self._pieces[-1] if self._pieces else None
        if last is None or last.kind != kind or last.signature:
            last = _Piece(kind)
            self._pieces.append(last)
        last.signature = signature or last.signature
        return last

    def _part(self, piece: _Piece) -> Part:
        text = "".join(piece.text)
        if piece.kind == "text":
            return TextPart(text=text)
        if piece.kind == "reasoning":
            return ReasoningPart(text=text, signature=piece.signature)
        if piece.name not in {tool.name for tool in self._request.tools}:
            raise self._target.error(
                InvalidToolCall, f"the tool {piece.name[:80]!r} was called, which was not offered."
            )
        if piece.id is None:
            piece.id = f"call_{self._new_id()}"
        return ToolCall(
            id=piece.id, name=piece.name, arguments=self._arguments(piece.name, text), signature=piece.signature
        )

    def _arguments(self, name: str, text: str) -> dict[str, Any]:
        try:
            arguments = json.loads(text) if text.strip() else {}
        except ValueError as error:
            raise self._target.error(InvalidToolCall, f"the arguments of {name!r} are not JSON: {error}.") from error
        if not isinstance(arguments, dict):
            raise self._target.error(InvalidToolCall, f"the arguments of {name!r} are not a JSON object.")
        return arguments
