"""What goes wrong is a typed failure in every dialect, and never passes for an answer."""

from __future__ import annotations

import pytest

from aos.llm import errors as e
from aos.llm.client import HttpTransport
from aos.llm.request import ModelRequest, ToolSpec
from aos.llm.response import StreamEnd, TextDelta
from aos.testing.models import (
    Break,
    Cut,
    Disconnect,
    Garble,
    ModelServer,
    Play,
    Raw,
    Refuse,
    Reproach,
    Say,
    SayCall,
)
from tests.llm.conftest import DIALECTS, MODEL_OF, PROVIDER_OF, TIMES, TOOL_DIALECTS, profile_on

LOOK = ToolSpec(name="look")


async def ask(
    transport: HttpTransport,
    server: ModelServer,
    dialect: str,
    request: ModelRequest,
    came: list[str],
    *,
    stream: bool,
) -> None:
    profile, model = profile_on(server, dialect), MODEL_OF[dialect]
    if not stream:
        await transport.complete(profile, model, request, times=TIMES)
        return
    async for delta in transport.stream(profile, model, request, times=TIMES):
        assert not isinstance(delta, StreamEnd)
        came.append(delta.text if isinstance(delta, TextDelta) else "")


async def fail(
    transport: HttpTransport,
    server: ModelServer,
    dialect: str,
    play: Play,
    *,
    stream: bool,
    request: ModelRequest | None = None,
) -> tuple[e.ModelError, str]:
    """The error that a play ends in, and the text that came before it."""
    server.play(play)
    came: list[str] = []
    with pytest.raises(e.ModelError) as caught:
        await ask(transport, server, dialect, request or ModelRequest.ask("Hello"), came, stream=stream)
    error = caught.value
    assert (error.provider, error.model) == (PROVIDER_OF[dialect], MODEL_OF[dialect])
    return error, "".join(came)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "kind", "recourse", "outage"),
    [
        (400, e.BadRequest, e.Recourse.STOP, e.Outage.NONE),
        (401, e.AuthenticationFailed, e.Recourse.FAIL_OVER, e.Outage.LONG),
        (402, e.CreditExhausted, e.Recourse.FAIL_OVER, e.Outage.LONG),
        (403, e.AccessRefused, e.Recourse.FAIL_OVER, e.Outage.MODEL),
        (404, e.ModelNotFound, e.Recourse.FAIL_OVER, e.Outage.MODEL),
        (408, e.ModelTimedOut, e.Recourse.RETRY, e.Outage.FAILURE),
        (413, e.ContextOverflow, e.Recourse.LARGER_MODEL, e.Outage.NONE),
        (422, e.BadRequest, e.Recourse.STOP, e.Outage.NONE),
        (429, e.RateLimited, e.Recourse.RETRY, e.Outage.UNTIL_RESET),
        (500, e.ProviderFailed, e.Recourse.RETRY, e.Outage.FAILURE),
        (502, e.ProviderFailed, e.Recourse.RETRY, e.Outage.FAILURE),
        (503, e.Overloaded, e.Recourse.RETRY, e.Outage.FAILURE),
        (504, e.ModelTimedOut, e.Recourse.RETRY, e.Outage.FAILURE),
        (529, e.Overloaded, e.Recourse.RETRY, e.Outage.FAILURE),
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_statuses(
    dialect: str,
    status: int,
    kind: type[e.ModelError],
    recourse: e.Recourse,
    outage: e.Outage,
    stream: bool,
    server: ModelServer,
    transport: HttpTransport,
) -> None:
    play = Refuse(status, "the message of the provider", headers={"retry-after": "3"})
    error, _ = await fail(transport, server, dialect, play, stream=stream)
    assert type(error) is kind
    assert (error.recourse, error.outage) == (recourse, outage)
    assert error.status == status
    assert error.retry_after == 3
    assert error.request_id == "req_loopback"
    assert "the message of the provider" in error.message
    assert error.partial is None


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d != "cohere_v2"])
async def test_an_error_under_status_200(
    dialect: str, stream: bool, server: ModelServer, transport: HttpTransport
) -> None:
    error, _ = await fail(transport, server, dialect, Reproach("out of order"), stream=stream)
    assert isinstance(error, e.ProviderFailed | e.BadRequest | e.MalformedAnswer)
    assert error.retryable


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_connection_that_drops_before_the_answer(
    dialect: str, stream: bool, server: ModelServer, transport: HttpTransport
) -> None:
    error, _ = await fail(transport, server, dialect, Disconnect(), stream=stream)
    assert type(error) is e.ConnectionFailed
    assert error.recourse is e.Recourse.RETRY


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_nobody_listens(dialect: str, transport: HttpTransport) -> None:
    async with ModelServer() as gone:
        profile = profile_on(gone, dialect)
    with pytest.raises(e.ConnectionFailed):
        await transport.complete(profile, MODEL_OF[dialect], ModelRequest.ask("?"), times=TIMES)


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_stream_cut_before_its_finish_marker_carries_what_arrived(
    dialect: str, clean: bool, server: ModelServer, transport: HttpTransport
) -> None:
    play = Cut(frames=4, clean=clean, say=Say("one two three four five six seven eight"))
    error, came = await fail(transport, server, dialect, play, stream=True)
    assert type(error) is e.StreamCut
    assert came
    assert error.partial is not None
    assert error.partial.text == came
    assert error.partial.finish_reason == "cut"
    assert error.partial.usage.estimated or error.partial.usage.input_tokens


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d != "replicate_predictions"])
async def test_a_whole_answer_cut_in_its_middle(dialect: str, server: ModelServer, transport: HttpTransport) -> None:
    error, _ = await fail(transport, server, dialect, Cut(), stream=False)
    assert isinstance(error, e.ConnectionFailed)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_error_inside_a_stream_carries_what_arrived(
    dialect: str, server: ModelServer, transport: HttpTransport
) -> None:
    play = Break(frames=4, message="gone up in smoke", say=Say("one two three four five six seven eight"))
    error, came = await fail(transport, server, dialect, play, stream=True)
    assert error.retryable
    assert "gone up in smoke" in error.message
    assert error.partial is not None
    assert error.partial.text == came != ""


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d != "replicate_predictions"])
async def test_garbage_in_a_stream(dialect: str, server: ModelServer, transport: HttpTransport) -> None:
    error, _ = await fail(transport, server, dialect, Garble(frames=3), stream=True)
    assert type(error) is e.MalformedAnswer


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"<html>busy</html>", b'{"unexpected": true}'])
@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d != "replicate_predictions"])
async def test_garbage_for_a_whole_answer(
    dialect: str, body: bytes, server: ModelServer, transport: HttpTransport
) -> None:
    error, _ = await fail(transport, server, dialect, Raw(body), stream=False)
    assert isinstance(error, e.MalformedAnswer | e.StreamCut)
    assert error.retryable


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_empty_answer(dialect: str, stream: bool, server: ModelServer, transport: HttpTransport) -> None:
    error, _ = await fail(transport, server, dialect, Say(""), stream=stream)
    assert type(error) is e.EmptyAnswer


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", TOOL_DIALECTS)
async def test_a_truncated_answer(dialect: str, stream: bool, server: ModelServer, transport: HttpTransport) -> None:
    error, _ = await fail(transport, server, dialect, Say("half a", finish="length"), stream=stream)
    assert type(error) is e.AnswerTruncated
    assert error.recourse is e.Recourse.LARGER_MODEL
    assert error.partial is not None
    assert (error.partial.text, error.partial.finish_reason) == ("half a", "length")
    own = ModelRequest.ask("Hello", max_tokens=3)
    error, _ = await fail(transport, server, dialect, Say("half a", finish="length"), stream=stream, request=own)
    assert error.recourse is e.Recourse.STOP


@pytest.mark.parametrize("dialect", TOOL_DIALECTS)
async def test_a_truncated_answer_that_the_caller_accepts(
    dialect: str, server: ModelServer, transport: HttpTransport
) -> None:
    server.play(Say("half a", finish="length"))
    request = ModelRequest.ask("Hello", max_tokens=3, allow_truncated=True)
    answer = await transport.complete(profile_on(server, dialect), MODEL_OF[dialect], request, times=TIMES)
    assert (answer.text, answer.finish_reason) == ("half a", "length")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic_messages", "gemini_generate", "openai_responses"])
async def test_a_refused_answer_is_surfaced(
    dialect: str, stream: bool, server: ModelServer, transport: HttpTransport
) -> None:
    error, _ = await fail(transport, server, dialect, Say("I", finish="content_filter"), stream=stream)
    assert type(error) is e.ContentFiltered
    assert error.recourse is e.Recourse.STOP


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("arguments", ['{"half": ', "[1]", '"text"'])
@pytest.mark.parametrize("dialect", TOOL_DIALECTS)
async def test_malformed_tool_arguments(
    dialect: str, arguments: str, stream: bool, server: ModelServer, transport: HttpTransport
) -> None:
    play = Say("", calls=(SayCall("look", arguments),))
    request = ModelRequest.ask("?", tools=(LOOK,))
    error, _ = await fail(transport, server, dialect, play, stream=stream, request=request)
    assert type(error) is e.InvalidToolCall


@pytest.mark.parametrize("dialect", TOOL_DIALECTS)
async def test_a_tool_nobody_offered_and_one_nobody_called(
    dialect: str, server: ModelServer, transport: HttpTransport
) -> None:
    request = ModelRequest.ask("?", tools=(LOOK,), tool_choice="required")
    strange = Say("", calls=(SayCall("delete_all", {}),))
    error, _ = await fail(transport, server, dialect, strange, stream=False, request=request)
    assert type(error) is e.InvalidToolCall
    error, _ = await fail(transport, server, dialect, Say("no thanks"), stream=False, request=request)
    assert type(error) is e.InvalidToolCall


async def test_a_prompt_that_gemini_blocks(server: ModelServer, transport: HttpTransport) -> None:
    body = b'{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}'
    error, _ = await fail(transport, server, "gemini_generate", Raw(body), stream=False)
    assert type(error) is e.ContentFiltered


async def test_a_failed_prediction(server: ModelServer, transport: HttpTransport) -> None:
    body = b'{"id": "p", "status": "failed", "error": "CUDA out of memory", "output": null, "urls": {}}'
    error, _ = await fail(transport, server, "replicate_predictions", Raw(body, status=201), stream=False)
    assert type(error) is e.ProviderFailed
    assert "CUDA" in error.message


async def test_a_redirection_is_not_followed(server: ModelServer, transport: HttpTransport) -> None:
    play = Raw(b"", status=307, headers={"location": "http://127.0.0.1:1/elsewhere"})
    error, _ = await fail(transport, server, "openai_chat", play, stream=False)
    assert type(error) is e.MalformedAnswer
    assert "base URL" in error.message
    assert len(server.seen) == 1


async def test_what_a_model_cannot_do_is_not_asked(server: ModelServer, transport: HttpTransport) -> None:
    profile = profile_on(server, "ollama_native")
    with pytest.raises(e.UnsupportedRequest, match="no tools"):
        await transport.complete(profile, "phi3:3.8b", ModelRequest.ask("?", tools=(LOOK,)), times=TIMES)
    assert server.seen == []


async def test_a_lost_reply_is_not_billed_twice(server: ModelServer, transport: HttpTransport) -> None:
    request = ModelRequest.ask("?", idempotency_key="call-1")
    await fail(
        transport, server, "openai_chat", Disconnect(after_work=True, say=Say("paid")), stream=False, request=request
    )
    profile = profile_on(server, "openai_chat")
    again = await transport.complete(profile, "gpt-4.1-mini", request, times=TIMES)
    assert again.text == "paid"
    assert server.billed == 1
