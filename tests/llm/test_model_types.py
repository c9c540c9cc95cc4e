from __future__ import annotations

import pickle

import pytest
from pydantic import BaseModel, ValidationError

from aos.kernel.errors import AosError, RetryableError, TerminalError
from aos.llm import errors
from aos.llm.errors import ModelError, ModelTimedOut, Outage, RateLimited, Recourse
from aos.llm.request import (
    ChatMessage,
    ForcedTool,
    ImagePart,
    ModelRequest,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolSpec,
)
from aos.llm.response import ModelResponse, RateLimits, RateWindow, Usage

CALL = ToolCall(id="1", name="look", arguments={"at": "Bern", "deep": True})


class Look(BaseModel):
    """Look at a place."""

    at: str


def test_requests_travel_as_json() -> None:
    request = ModelRequest(
        messages=(
            ChatMessage.system("s"),
            ChatMessage.user("u", ImagePart(url="https://example.org/a.png")),
            ChatMessage.assistant("a", tool_calls=(CALL,), reasoning=(ReasoningPart(text="r", signature="x|y"),)),
            ChatMessage.tool(CALL, "clear", is_error=True),
        ),
        tools=(ToolSpec.from_model(Look, name="look"),),
        tool_choice=ForcedTool(name="look"),
        stop=("END",),
        reasoning="low",
    )
    assert ModelRequest.model_validate_json(request.model_dump_json()) == request
    assert request.needs_vision
    assert request.estimated_input_tokens > 1000
    assert request.tools[0].description == "Look at a place."


def test_responses_travel_as_json() -> None:
    response = ModelResponse(
        parts=(ReasoningPart(text="hm"), TextPart(text="a"), CALL, TextPart(text="b")),
        finish_reason="tool_calls",
        usage=Usage(input_tokens=1, output_tokens=2),
        provider="openai",
        model="m",
        rate_limits=RateLimits(requests=RateWindow(limit=1)),
    )
    assert ModelResponse.model_validate_json(response.model_dump_json()) == response
    assert (response.text, response.reasoning, response.tool_calls) == ("ab", "hm", (CALL,))
    assert response.message.tool_calls == (CALL,)
    assert response.cost is None


def test_usage_adds_up() -> None:
    one = Usage(input_tokens=1, output_tokens=2, cached_tokens=3, cache_write_tokens=4, reasoning_tokens=5)
    total = one.plus(Usage(input_tokens=10, estimated=True))
    assert (total.input_tokens, total.output_tokens, total.total_tokens) == (11, 2, 13)
    assert total.estimated


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": ()},
        {"tool_choice": "required"},
        {"tools": (ToolSpec(name="look"),), "tool_choice": ForcedTool(name="other")},
        {"temperature": 3},
        {"max_tokens": 0},
        {"temprature": 1},
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ModelRequest.model_validate({"messages": (ChatMessage.user("?"),), **fields})


def test_an_image_has_one_source() -> None:
    with pytest.raises(ValidationError):
        ImagePart()
    with pytest.raises(ValidationError):
        ImagePart(url="https://example.org/a.png", data="eA==")


def test_errors_survive_pickling() -> None:
    error = ModelTimedOut("late", phase="first_token", provider="p", model="m", status=504, retry_after=2.0)
    copy = pickle.loads(pickle.dumps(error))
    assert copy.__dict__ == error.__dict__
    assert (copy.phase, copy.provider, copy.retry_after, str(copy)) == ("first_token", "p", 2.0, "late")
    assert copy.to_json()["details"] == {"provider": "p", "model": "m", "status": 504, "phase": "first_token"}


def leaves(kind: type[ModelError]) -> list[type[ModelError]]:
    return [kind, *(leaf for below in kind.__subclasses__() for leaf in leaves(below))]


@pytest.mark.parametrize(
    "kind", [k for k in leaves(ModelError) if k.__module__ == errors.__name__ and k is not ModelError]
)
def test_every_error_says_what_the_kernel_and_a_router_do(kind: type[ModelError]) -> None:
    assert issubclass(kind, AosError)
    assert issubclass(kind, RetryableError) != issubclass(kind, TerminalError)
    assert kind.code != ModelError.code
    assert kind.__name__ in (errors.__doc__ or "")
    assert isinstance(kind.recourse, Recourse)
    assert isinstance(kind.outage, Outage)


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in leaves(ModelError) if kind.__module__ == errors.__name__]
    assert len(codes) == len(set(codes))


def test_a_recourse_may_be_better_known() -> None:
    assert RateLimited("x", recourse=Recourse.FAIL_OVER).recourse is Recourse.FAIL_OVER
    assert RateLimited("x").recourse is Recourse.RETRY
