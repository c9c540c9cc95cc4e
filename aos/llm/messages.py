"""What is said to a model and by it: messages made of text, image, reasoning, tool-call and tool-result parts.

Provider-neutral: each dialect translates these, and nothing above the dialects sees a vendor's shape.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_SHAPE = ConfigDict(frozen=True, extra="forbid", defer_build=True)

Role = Literal["system", "user", "assistant", "tool"]


class TextPart(BaseModel):
    model_config = _SHAPE

    type: Literal["text"] = "text"
    text: str


class ImagePart(BaseModel):
    """A picture, by address or by value.

    Attributes:
        url: Where the provider can fetch it.
        data: The picture itself, base64, in place of `url`.
        media_type: For instance `image/png`. Needed with `data`.
    """

    model_config = _SHAPE

    type: Literal["image"] = "image"
    url: str | None = None
    data: str | None = Field(default=None, repr=False)
    media_type: str = "image/png"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.url is None) == (self.data is None):
            raise ValueError("give an image either `url` or `data`")
        return self

    @classmethod
    def of(cls, content: bytes, media_type: str) -> ImagePart:
        """An image from its bytes."""
        return cls(data=base64.b64encode(content).decode("ascii"), media_type=media_type)


class ReasoningPart(BaseModel):
    """What a model thought before it answered. `signature` is opaque and must be sent back unchanged."""

    model_config = _SHAPE

    type: Literal["reasoning"] = "reasoning"
    text: str
    signature: str | None = Field(default=None, repr=False)


class ToolCall(BaseModel):
    """A model's wish to have a tool called.

    Attributes:
        id: Ties the result to the call. Made by the dialect where the provider gives none.
        arguments: Parsed. A call whose arguments are not a JSON object never becomes a `ToolCall`.
        signature: Opaque token that some providers want back with the call.
    """

    model_config = _SHAPE

    type: Literal["tool_call"] = "tool_call"
    id: str
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    signature: str | None = Field(default=None, repr=False)

    @property
    def arguments_json(self) -> str:
        """The arguments as the text most providers want them in."""
        return json.dumps(self.arguments, ensure_ascii=False, separators=(",", ":"))


class ToolResult(BaseModel):
    """What a tool answered."""

    model_config = _SHAPE

    type: Literal["tool_result"] = "tool_result"
    call_id: str
    name: str
    content: str
    is_error: bool = False


Part = Annotated[
    TextPart | ImagePart | ReasoningPart | ToolCall | ToolResult,
    Field(discriminator="type"),
]


class ChatMessage(BaseModel):
    """One message of a conversation. Build it with `system`, `user`, `assistant` or `tool`."""

    model_config = _SHAPE

    role: Role
    parts: tuple[Part, ...]

    @classmethod
    def system(cls, text: str) -> ChatMessage:
        return cls(role="system", parts=(TextPart(text=text),))

    @classmethod
    def user(cls, *parts: str | TextPart | ImagePart) -> ChatMessage:
        return cls(role="user", parts=tuple(TextPart(text=p) if isinstance(p, str) else p for p in parts))

    @classmethod
    def assistant(
        cls, text: str = "", *, tool_calls: Sequence[ToolCall] = (), reasoning: Sequence[ReasoningPart] = ()
    ) -> ChatMessage:
        said: tuple[TextPart, ...] = (TextPart(text=text),) if text else ()
        return cls(role="assistant", parts=(*reasoning, *said, *tool_calls))

    @classmethod
    def tool(cls, call: ToolCall, content: str, *, is_error: bool = False) -> ChatMessage:
        """The answer to `call`."""
        result = ToolResult(call_id=call.id, name=call.name, content=content, is_error=is_error)
        return cls(role="tool", parts=(result,))

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def reasoning(self) -> tuple[ReasoningPart, ...]:
        return tuple(part for part in self.parts if isinstance(part, ReasoningPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        return tuple(part for part in self.parts if isinstance(part, ImagePart))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def tool_results(self) -> tuple[ToolResult, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolResult))


class ToolSpec(BaseModel):
    """A tool a model may call.

    Attributes:
        parameters: JSON Schema of its arguments, an object.
        strict: Ask the provider to hold the arguments to the schema, where it can.
    """

    model_config = _SHAPE

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str = ""
    parameters: Mapping[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    strict: bool = False

    @classmethod
    def from_model(cls, arguments: type[BaseModel], *, name: str, description: str = "") -> ToolSpec:
        """A tool whose arguments are a pydantic model."""
        about = description or (arguments.__doc__ or "").strip()
        return cls(name=name, description=about, parameters=arguments.model_json_schema())


class ForcedTool(BaseModel):
    """A tool choice that names the one tool to call."""

    model_config = _SHAPE

    name: str


ToolChoice = Literal["auto", "none", "required"] | ForcedTool
