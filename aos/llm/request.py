"""What an agent asks of a model, in words that hold for every provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aos.llm.messages import (
    ChatMessage,
    ForcedTool,
    ImagePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)

__all__ = [
    "ChatMessage",
    "EmbeddingRequest",
    "ForcedTool",
    "ImagePart",
    "ModelRequest",
    "Part",
    "ReasoningEffort",
    "ReasoningPart",
    "ResponseFormat",
    "TextPart",
    "ToolCall",
    "ToolChoice",
    "ToolResult",
    "ToolSpec",
]

_SHAPE = ConfigDict(frozen=True, extra="forbid", defer_build=True)

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high"]


class ResponseFormat(BaseModel):
    """The structure an answer must have. Build it with `of`.

    Attributes:
        name: What the provider is told the structure is called.
        json_schema: JSON Schema of the answer.
        repairs: How often a model without native schemas is shown its mistakes and asked again.
        model: The pydantic model the answer is validated with; it does not travel.
    """

    model_config = _SHAPE

    name: str = Field(default="answer", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str = ""
    json_schema: Mapping[str, Any]
    strict: bool = True
    repairs: int = Field(default=1, ge=0, le=5)
    model: type[BaseModel] | None = Field(default=None, exclude=True, repr=False)

    @classmethod
    def of(cls, model: type[BaseModel], *, strict: bool = True, repairs: int = 1) -> ResponseFormat:
        """The format of a pydantic model's JSON."""
        name = "".join(c if c.isalnum() or c in "_-" else "_" for c in model.__name__)[:64]
        return cls(
            name=name,
            description=(model.__doc__ or "").strip(),
            json_schema=model.model_json_schema(),
            strict=strict,
            repairs=repairs,
            model=model,
        )


class ModelRequest(BaseModel):
    """One question to a model. Which model answers is not said here: that is the route's affair.

    Attributes:
        messages: The conversation so far, oldest first.
        tools: What the model may call; `parallel_tool_calls` says whether several at once.
        response_format: The structure of the answer, where it must have one.
        max_tokens: Bound of the answer. None leaves it to the provider.
        allow_truncated: Accept an answer that ran into a length limit; otherwise `AnswerTruncated` is raised.
        seed: For repeatable sampling, where the provider has it.
        stop: Texts that end the answer.
        reasoning: How much the model should think first; ignored by models that do not reason.
        metadata: Labels for journals and metrics. Not sent to the provider.
        idempotency_key: Identity of the logical call, kept over retries, so that a repeat is not billed twice.
        extra: Further fields of the provider's own body, by provider id; sent as they are.
    """

    model_config = _SHAPE

    messages: tuple[ChatMessage, ...] = Field(min_length=1)
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=1)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    allow_truncated: bool = False
    seed: int | None = None
    stop: tuple[str, ...] = ()
    reasoning: ReasoningEffort | None = None
    metadata: Mapping[str, str] = Field(default_factory=dict)
    idempotency_key: str | None = Field(default=None, max_length=255)
    extra: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _tool_choice_has_tools(self) -> Self:
        choice = self.tool_choice
        if isinstance(choice, ForcedTool) and choice.name not in {tool.name for tool in self.tools}:
            raise ValueError(f"tool_choice names {choice.name!r}, which is not among the tools")
        if choice == "required" and not self.tools:
            raise ValueError("tool_choice 'required' needs tools")
        return self

    @classmethod
    def ask(cls, prompt: str, *, system: str | None = None, **fields: Any) -> ModelRequest:
        """A single question, with an optional system message."""
        first = (ChatMessage.system(system),) if system else ()
        return cls(messages=(*first, ChatMessage.user(prompt)), **fields)

    @property
    def needs_vision(self) -> bool:
        return any(message.images for message in self.messages)

    @property
    def estimated_input_tokens(self) -> int:
        """A rough count, four characters a token and 1,000 tokens an image; never zero."""
        letters = sum(
            len(part.model_dump_json())
            for message in self.messages
            for part in message.parts
            if not isinstance(part, ImagePart)
        )
        letters += sum(len(tool.model_dump_json()) for tool in self.tools)
        images = sum(len(message.images) for message in self.messages)
        return letters // 4 + 1000 * images + 1


class EmbeddingRequest(BaseModel):
    """Texts to turn into vectors.

    Attributes:
        dimensions: Length of the vectors, where the model can be told.
        purpose: Whether the texts are to be found or to find with; some models embed these differently.
    """

    model_config = _SHAPE

    inputs: tuple[str, ...] = Field(min_length=1)
    dimensions: int | None = Field(default=None, ge=1)
    purpose: Literal["document", "query"] = "document"
    metadata: Mapping[str, str] = Field(default_factory=dict)
    idempotency_key: str | None = Field(default=None, max_length=255)
    extra: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)

    @property
    def estimated_input_tokens(self) -> int:
        return sum(len(text) for text in self.inputs) // 4 + 1
