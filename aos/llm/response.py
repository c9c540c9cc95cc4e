"""What a model answered: the whole answer, or the deltas of a stream that end in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aos.llm.messages import ChatMessage, Part, ReasoningPart, TextPart, ToolCall

_SHAPE = ConfigDict(frozen=True, extra="forbid", defer_build=True)

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "cut", "other"]


class Usage(BaseModel):
    """Tokens of a call.

    Attributes:
        input_tokens: The whole prompt, cached part included.
        output_tokens: The whole answer, reasoning included.
        cached_tokens: How much of the prompt the provider had in its cache.
        cache_write_tokens: How much of the prompt was written to that cache.
        reasoning_tokens: How much of the answer was reasoning.
        estimated: The provider did not say; the numbers are counted from the text.
    """

    model_config = _SHAPE

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def plus(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            estimated=self.estimated or other.estimated,
        )


class Cost(BaseModel):
    """What a call cost, in US dollars, by a price of a certain day. An unknown price is no `Cost` at all."""

    model_config = _SHAPE

    usd: float
    input_usd: float = 0.0
    output_usd: float = 0.0
    price_date: str | None = None


class RateWindow(BaseModel):
    """One limit a provider reports: how much there is, how much is left, seconds until it is full again."""

    model_config = _SHAPE

    limit: int | None = None
    remaining: int | None = None
    reset_after: float | None = None


class RateLimits(BaseModel):
    """What the answer's headers say about limits. Absent windows were not reported."""

    model_config = _SHAPE

    requests: RateWindow | None = None
    tokens: RateWindow | None = None
    input_tokens: RateWindow | None = None
    output_tokens: RateWindow | None = None


class ModelResponse(BaseModel):
    """One answer.

    Attributes:
        parts: Text, reasoning and tool calls, in the order they were given.
        parsed: The validated structure, where the request had a `response_format`: an instance of its pydantic
            model, or plain JSON where it had only a schema. It does not travel in dumps.
        provider: Id of the profile that answered.
        model: The model as the provider names it in its answer, or as it was asked for.
        cost: None where the price is not known, or the pricing has not been done.
        latency: Seconds from the start of the call that succeeded to the end of its answer.
        time_to_first_token: Seconds to the first content; None where the answer was not streamed.
        raw_id: The provider's id of the answer; `request_id` that of the HTTP request, for support cases.
        cached: The answer came from the router's own cache and cost nothing.
        degraded: The answer is less than was asked for, which the caller allowed; `degraded_reason` says how.
        repairs: How often the model was asked to mend a structure that did not validate.
    """

    model_config = _SHAPE

    parts: tuple[Part, ...]
    finish_reason: FinishReason
    usage: Usage
    provider: str
    model: str
    parsed: Any = Field(default=None, exclude=True)
    cost: Cost | None = None
    latency: float = 0.0
    time_to_first_token: float | None = None
    raw_id: str | None = None
    request_id: str | None = None
    rate_limits: RateLimits | None = None
    cached: bool = False
    degraded: bool = False
    degraded_reason: str | None = None
    repairs: int = 0

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def reasoning(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, ReasoningPart))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def message(self) -> ChatMessage:
        """The answer as the next message of the conversation."""
        return ChatMessage(role="assistant", parts=self.parts)


class EmbeddingResponse(BaseModel):
    """Vectors, one for each input and in its order."""

    model_config = _SHAPE

    vectors: tuple[tuple[float, ...], ...] = Field(repr=False)
    usage: Usage
    provider: str
    model: str
    cost: Cost | None = None
    latency: float = 0.0
    request_id: str | None = None
    rate_limits: RateLimits | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call: the first of an `index` carries `id` and `name`, all may carry argument text."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class StreamRestarted:
    """What came so far is void: another provider starts over. Only sent where the caller asked for it."""

    provider: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The last delta of a stream that succeeded; a stream without it ended in an error."""

    response: ModelResponse


Delta = TextDelta | ReasoningDelta | ToolCallDelta | StreamRestarted | StreamEnd
