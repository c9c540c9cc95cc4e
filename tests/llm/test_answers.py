"""Every dialect gives the same answer, whole and streamed."""

from __future__ import annotations

import pytest

from aos.llm.client import HttpTransport
from aos.llm.request import ChatMessage, EmbeddingRequest, ForcedTool, ImagePart, ModelRequest, ToolCall, ToolSpec
from aos.llm.response import ModelResponse, ReasoningDelta, StreamEnd, TextDelta, ToolCallDelta
from aos.testing.models import ModelServer, Pending, Say, SayCall
from tests.llm.conftest import DIALECTS, MODEL_OF, TIMES, TOOL_DIALECTS, profile_on

WEATHER = ToolSpec(
    name="weather",
    description="The weather of a place.",
    parameters={"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
)
TEXT = "Grüße aus Zürich, 你好, 🙂."


async def streamed(
    transport: HttpTransport, server: ModelServer, dialect: str, request: ModelRequest
) -> tuple[list[object], ModelResponse]:
    stream = transport.stream(profile_on(server, dialect), MODEL_OF[dialect], request, times=TIMES)
    deltas: list[object] = [delta async for delta in stream]
    last = deltas.pop()
    assert isinstance(last, StreamEnd)
    return deltas, last.response


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_whole_answer(dialect: str, server: ModelServer, transport: HttpTransport) -> None:
    server.play(Say(TEXT, input_tokens=21, output_tokens=9))
    profile = profile_on(server, dialect)
    answer = await transport.complete(profile, MODEL_OF[dialect], ModelRequest.ask("Hello"), times=TIMES)
    assert answer.text == TEXT
    assert answer.finish_reason == "stop"
    assert answer.provider == profile.id
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (21, 9)
    assert not answer.usage.estimated
    assert answer.latency > 0
    assert answer.time_to_first_token is None
    assert answer.request_id == "req_loopback"
    assert answer.cost is None


@pytest.mark.parametrize("shatter", [None, 1, 7])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_streamed_answer_is_the_same_however_its_bytes_are_cut(
    dialect: str, shatter: int | None, transport: HttpTransport
) -> None:
    async with ModelServer(Say(TEXT, input_tokens=21, output_tokens=9), shatter=shatter) as server:
        deltas, answer = await streamed(transport, server, dialect, ModelRequest.ask("Hello"))
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == TEXT == answer.text
    assert answer.finish_reason == "stop"
    assert answer.time_to_first_token is not None
    assert 0 < answer.time_to_first_token <= answer.latency
    if dialect != "replicate_predictions":  # its streams report no tokens
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (21, 9)
    else:
        assert answer.usage.estimated
        assert answer.usage.output_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", TOOL_DIALECTS)
async def test_parallel_tool_calls(dialect: str, stream: bool, server: ModelServer, transport: HttpTransport) -> None:
    calls = (SayCall("weather", {"place": "Bern"}, "call_a"), SayCall("weather", {"place": "Ulm"}, "call_b"))
    server.play(Say("", calls=calls))
    request = ModelRequest.ask("Weather in Bern and Ulm?", tools=(WEATHER,))
    if stream:
        deltas, answer = await streamed(transport, server, dialect, request)
        pieces = [d for d in deltas if isinstance(d, ToolCallDelta)]
        assert {d.index for d in pieces} == {0, 1}
        assert [d.name for d in pieces if d.name] == ["weather", "weather"]
    else:
        answer = await transport.complete(profile_on(server, dialect), MODEL_OF[dialect], request, times=TIMES)
    assert answer.finish_reason == "tool_calls"
    assert [call.arguments for call in answer.tool_calls] == [{"place": "Bern"}, {"place": "Ulm"}]
    assert len({call.id for call in answer.tool_calls}) == 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", TOOL_DIALECTS)
async def test_reasoning_is_kept_apart(
    dialect: str, stream: bool, server: ModelServer, transport: HttpTransport
) -> None:
    server.play(Say("42", reasoning="six times seven"))
    request = ModelRequest.ask("6 * 7?", reasoning="low")
    if stream:
        deltas, answer = await streamed(transport, server, dialect, request)
        assert "".join(d.text for d in deltas if isinstance(d, ReasoningDelta)) == "six times seven"
    else:
        answer = await transport.complete(profile_on(server, dialect), MODEL_OF[dialect], request, times=TIMES)
    assert (answer.text, answer.reasoning) == ("42", "six times seven")


@pytest.mark.parametrize("dialect", TOOL_DIALECTS)
async def test_a_conversation_with_tools_goes_on(dialect: str, server: ModelServer, transport: HttpTransport) -> None:
    server.play(Say("", reasoning="look it up", calls=(SayCall("weather", {"place": "Bern"}),)), Say("Sunny."))
    profile, model = profile_on(server, dialect), MODEL_OF[dialect]
    start = (ChatMessage.system("Be brief."), ChatMessage.user("Weather in Bern?"))
    first = await transport.complete(profile, model, ModelRequest(messages=start, tools=(WEATHER,)), times=TIMES)
    result = ChatMessage.tool(first.tool_calls[0], '{"sky": "clear"}')
    more = ModelRequest(messages=(*start, first.message, result), tools=(WEATHER,))
    second = await transport.complete(profile, model, more, times=TIMES)
    assert second.text == "Sunny."
    sent = str(server.seen[-1].body)
    assert "sky" in sent
    assert "Bern" in sent
    assert "Be brief." in sent


async def test_opaque_tokens_go_back_to_their_maker_only(server: ModelServer, transport: HttpTransport) -> None:
    call = SayCall("weather", {"place": "Bern"})
    server.play(Say("", reasoning="hm", calls=(call,)), Say("a"), Say("b"), Say("c"))
    start = ChatMessage.user("Weather?")

    async def ask(dialect: str, *messages: ChatMessage) -> ModelResponse:
        request = ModelRequest(messages=messages, tools=(WEATHER,))
        return await transport.complete(profile_on(server, dialect), MODEL_OF[dialect], request, times=TIMES)

    first = await ask("gemini_generate", start)
    talk = (start, first.message, ChatMessage.tool(first.tool_calls[0], "clear"))
    await ask("gemini_generate", *talk)
    assert "thought-call_1" in str(server.seen[-1].body)
    await ask("anthropic_messages", *talk)
    assert "thought-call_1" not in str(server.seen[-1].body)
    assert "signature" not in str(server.seen[-1].body)


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic_messages", "gemini_generate", "ollama_native"])
async def test_images_are_sent(dialect: str, server: ModelServer, transport: HttpTransport) -> None:
    message = ChatMessage.user("What is this?", ImagePart.of(b"\x89PNG", "image/png"))
    profile = profile_on(server, dialect)
    model = "llava" if dialect == "ollama_native" else MODEL_OF[dialect]
    await transport.complete(profile, model, ModelRequest(messages=(message,)), times=TIMES)
    assert "iVBORw==" in str(server.seen[-1].body)


@pytest.mark.parametrize("dialect", ["openai_chat", "gemini_generate", "cohere_v2", "ollama_native"])
async def test_embeddings_come_in_order(dialect: str, server: ModelServer, transport: HttpTransport) -> None:
    profile = profile_on(server, dialect)
    request = EmbeddingRequest(inputs=("one", "two", "one"), dimensions=4)
    answer = await transport.embed(profile, profile.default_embedding_model or "", request, times=TIMES)
    assert [len(v) for v in answer.vectors] == [4, 4, 4]
    assert answer.vectors[0] == answer.vectors[2] != answer.vectors[1]
    assert answer.usage.input_tokens > 0


@pytest.mark.parametrize(("cached", "reasoning"), [(5, 3)])
@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses", "gemini_generate"])
async def test_cached_and_reasoning_tokens(
    dialect: str, cached: int, reasoning: int, server: ModelServer, transport: HttpTransport
) -> None:
    server.play(Say("x", input_tokens=10, cached_tokens=cached, output_tokens=8, reasoning_tokens=reasoning))
    answer = await transport.complete(
        profile_on(server, dialect), MODEL_OF[dialect], ModelRequest.ask("?"), times=TIMES
    )
    usage = answer.usage
    assert (usage.input_tokens, usage.cached_tokens) == (10, 5)
    assert (usage.output_tokens, usage.reasoning_tokens) == (8, 3)


async def test_anthropic_counts_the_cached_prompt_as_input(server: ModelServer, transport: HttpTransport) -> None:
    server.play(Say("x", input_tokens=10, cached_tokens=4), Say("x", input_tokens=10, cached_tokens=4))
    request = ModelRequest.ask("?")
    profile, model = profile_on(server, "anthropic_messages"), MODEL_OF["anthropic_messages"]
    whole = await transport.complete(profile, model, request, times=TIMES)
    _, stream = await streamed(transport, server, "anthropic_messages", request)
    for answer in (whole, stream):
        assert (answer.usage.input_tokens, answer.usage.cached_tokens) == (10, 4)


@pytest.mark.parametrize("dialect", TOOL_DIALECTS)
async def test_a_forced_tool(dialect: str, server: ModelServer, transport: HttpTransport) -> None:
    server.play(Say("", calls=(SayCall("weather", {"place": "Bern"}),)))
    request = ModelRequest.ask("?", tools=(WEATHER,), tool_choice=ForcedTool(name="weather"))
    answer = await transport.complete(profile_on(server, dialect), MODEL_OF[dialect], request, times=TIMES)
    assert isinstance(answer.tool_calls[0], ToolCall)


async def test_a_slow_prediction_is_polled(server: ModelServer, transport: HttpTransport) -> None:
    server.play(Pending(polls=3, say=Say("done")))
    profile = profile_on(server, "replicate_predictions")
    answer = await transport.complete(profile, "openai/gpt-oss-20b", ModelRequest.ask("?"), times=TIMES)
    assert answer.text == "done"
    assert [seen.method for seen in server.seen] == ["POST", "GET", "GET", "GET"]
    assert server.canceled == []
