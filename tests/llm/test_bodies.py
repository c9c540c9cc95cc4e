"""How providers of one dialect differ, in what is sent to them and in what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aos.llm.client import HttpTransport
from aos.llm.provider import ProviderProfile
from aos.llm.providers import builtin
from aos.llm.request import ChatMessage, EmbeddingRequest, ImagePart, ModelRequest, ReasoningPart, ToolCall, ToolSpec
from aos.llm.response import ModelResponse, StreamEnd
from aos.testing.models import ModelServer, Raw, Say, SayCall
from tests.llm.conftest import TIMES

LOOK = ToolSpec(name="look")
CALL = ToolCall(id="call_with_a_long_id", name="look", arguments={"at": "Bern"})
TALK = (
    ChatMessage.user("Where?"),
    ChatMessage.assistant(tool_calls=(CALL,), reasoning=(ReasoningPart(text="let me think"),)),
    ChatMessage.tool(CALL, "here"),
)


def moved(server: ModelServer, provider: str) -> ProviderProfile:
    return builtin()[provider].model_copy(update={"base_url": f"{server.url}/v1", "base_url_env": ()})


async def body_for(server: ModelServer, transport: HttpTransport, provider: str, request: ModelRequest) -> Any:
    profile = moved(server, provider)
    await transport.complete(profile, profile.default_model or "deployed", request, times=TIMES)
    return server.seen[-1].body


@pytest.mark.parametrize(
    ("provider", "there", "absent"),
    [
        ("openai", {"max_completion_tokens": 50}, {"max_tokens", "temperature"}),
        ("cerebras", {"max_completion_tokens": 50, "seed": 7}, {"frequency_penalty"}),
        ("deepseek", {"max_tokens": 50}, {"seed"}),
        ("mistral", {"max_tokens": 50, "random_seed": 7}, {"seed", "stream_options"}),
        ("zai", {"max_tokens": 50, "temperature": 1.0}, {"seed", "frequency_penalty"}),
        ("xai", {"max_completion_tokens": 50, "seed": 7}, {"stop", "frequency_penalty"}),
        ("nvidia", {"max_tokens": 50, "stop": ["END"]}, set()),
        ("moonshot", {"max_tokens": 50}, {"temperature", "seed"}),
        ("together", {"max_tokens": 50, "temperature": 1.5}, set()),
    ],
)
async def test_parameters(
    provider: str, there: dict[str, Any], absent: set[str], server: ModelServer, transport: HttpTransport
) -> None:
    request = ModelRequest.ask("?", max_tokens=50, temperature=1.5, seed=7, stop=("END",), frequency_penalty=0.5)
    body = await body_for(server, transport, provider, request)
    assert there.items() <= body.items()
    assert not absent & set(body)


@pytest.mark.parametrize(
    ("provider", "effort", "sent"),
    [
        ("openai", "low", {"reasoning_effort": "low"}),
        ("deepseek", "none", {"thinking": {"type": "disabled"}}),
        ("zai", "high", {"thinking": {"type": "enabled"}}),
    ],
)
async def test_reasoning(
    provider: str, effort: Any, sent: dict[str, Any], server: ModelServer, transport: HttpTransport
) -> None:
    body = await body_for(server, transport, provider, ModelRequest.ask("?", reasoning=effort))
    assert sent.items() <= body.items()


async def test_writer_has_its_own_path_and_tool_choice(server: ModelServer, transport: HttpTransport) -> None:
    server.play(Say("", calls=(SayCall("look"),)))
    request = ModelRequest.ask("?", tools=(LOOK,), tool_choice="required")
    body = await body_for(server, transport, "writer", request)
    assert server.seen[0].path == "/v1/chat"
    assert body["tool_choice"] == {"value": "required"}


@pytest.mark.parametrize("provider", ["moonshot", "zai"])
async def test_who_cannot_be_made_to_call_a_tool_is_asked_to(
    provider: str, server: ModelServer, transport: HttpTransport
) -> None:
    server.play(Say("", calls=(SayCall("look"),)))
    request = ModelRequest.ask("?", tools=(LOOK,), tool_choice="required")
    body = await body_for(server, transport, provider, request)
    assert body.get("tool_choice", "auto") == "auto"
    assert "calling one of the tools" in body["messages"][-1]["content"]


async def test_mistral_gets_short_ids_that_still_match(server: ModelServer, transport: HttpTransport) -> None:
    body = await body_for(server, transport, "mistral", ModelRequest(messages=TALK, tools=(LOOK,)))
    sent = body["messages"][1]["tool_calls"][0]["id"]
    assert len(sent) == 9
    assert sent.isalnum()
    assert body["messages"][2]["tool_call_id"] == sent


async def test_kimi_gets_its_reasoning_back(server: ModelServer, transport: HttpTransport) -> None:
    body = await body_for(server, transport, "moonshot", ModelRequest(messages=TALK, tools=(LOOK,)))
    assert body["messages"][1]["reasoning_content"] == "let me think"
    bare = (TALK[0], ChatMessage.assistant(tool_calls=(CALL,)), TALK[2])
    body = await body_for(server, transport, "moonshot", ModelRequest(messages=bare, tools=(LOOK,)))
    assert body["messages"][1]["reasoning_content"]


async def test_azure_of_dated_versions_names_the_deployment_in_the_path(
    server: ModelServer, transport: HttpTransport
) -> None:
    await body_for(server, transport, "azure_openai_legacy", ModelRequest.ask("?"))
    assert server.seen[0].path == "/v1/openai/deployments/deployed/chat/completions"
    assert server.seen[0].query == {"api-version": "2024-10-21"}
    assert "api-key" in server.seen[0].headers


async def test_extra_fields_go_to_their_provider_only(server: ModelServer, transport: HttpTransport) -> None:
    request = ModelRequest.ask("?", extra={"groq": {"service_tier": "flex"}})
    assert (await body_for(server, transport, "groq", request))["service_tier"] == "flex"
    assert "service_tier" not in await body_for(server, transport, "together", request)


async def test_ollama_is_given_room_for_a_long_prompt(server: ModelServer, transport: HttpTransport) -> None:
    profile = builtin()["ollama"].model_copy(update={"base_url": server.url, "base_url_env": ()})
    for prompt, room in (("short", None), ("long " * 8000, 16384)):
        await transport.complete(profile, "llama3.2", ModelRequest.ask(prompt), times=TIMES)
        assert server.seen[-1].body.get("options", {}).get("num_ctx") == room
    assert server.seen[-1].body["stream"] is False


async def test_nvidia_is_told_what_the_texts_are_for(server: ModelServer, transport: HttpTransport) -> None:
    for purpose, sent in (("document", "passage"), ("query", "query")):
        request = EmbeddingRequest.model_validate({"inputs": ("a",), "purpose": purpose})
        await transport.embed(moved(server, "nvidia"), "some-embedder", request, times=TIMES)
        assert server.seen[-1].body["input_type"] == sent


async def test_vectors_as_base64(server: ModelServer, transport: HttpTransport) -> None:
    request = EmbeddingRequest(inputs=("a",), dimensions=3, extra={"openai": {"encoding_format": "base64"}})
    packed = await transport.embed(moved(server, "openai"), "text-embedding-3-small", request, times=TIMES)
    plain = await transport.embed(
        moved(server, "openai"), "text-embedding-3-small", EmbeddingRequest(inputs=("a",), dimensions=3), times=TIMES
    )
    assert packed.vectors[0] == pytest.approx(plain.vectors[0])


async def test_images_by_address(server: ModelServer, transport: HttpTransport) -> None:
    message = ChatMessage.user("?", ImagePart(url="https://example.org/a.png"))
    body = await body_for(server, transport, "openai", ModelRequest(messages=(message,)))
    assert body["messages"][0]["content"][1]["image_url"]["url"] == "https://example.org/a.png"


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})


async def read_stream(
    server: ModelServer, transport: HttpTransport, provider: str, *events: str, tools: bool = False
) -> ModelResponse:
    wire = "".join(event if event.startswith(":") else f"data: {event}\n\n" for event in events)
    server.play(Raw(wire.encode(), content_type="text/event-stream"))
    profile = moved(server, provider)
    request = ModelRequest.ask("?", tools=(LOOK,) if tools else ())
    last: object = None
    async for delta in transport.stream(profile, profile.default_model or "deployed", request, times=TIMES):
        last = delta
    assert isinstance(last, StreamEnd)
    return last.response


async def test_keep_alives_and_groq_usage(server: ModelServer, transport: HttpTransport) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    answer = await read_stream(
        server,
        transport,
        "groq",
        ": keep-alive\n\n",
        chunk({"content": "hi"}),
        ": OPENROUTER PROCESSING\n\n",
        chunk({}, "stop", x_groq={"usage": usage}),
        "[DONE]",
    )
    assert answer.text == "hi"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 2)


async def test_azure_begins_with_a_filter_report(server: ModelServer, transport: HttpTransport) -> None:
    report = json.dumps({"choices": [], "prompt_filter_results": []})
    answer = await read_stream(server, transport, "azure_openai", report, chunk({"content": "hi"}, "stop"), "[DONE]")
    assert answer.text == "hi"


async def test_xai_leaves_the_reason_out_and_counts_reasoning_apart(
    server: ModelServer, transport: HttpTransport
) -> None:
    function = {"name": "look", "arguments": "{}"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 5}}
    answer = await read_stream(
        server,
        transport,
        "xai",
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": function}]}, ""),
        json.dumps({"choices": [], "usage": usage}),
        "[DONE]",
        tools=True,
    )
    assert answer.finish_reason == "tool_calls"
    assert (answer.usage.output_tokens, answer.usage.reasoning_tokens) == (7, 5)


async def test_calls_that_all_have_number_0(server: ModelServer, transport: HttpTransport) -> None:
    calls = [
        {"index": 0, "id": name, "function": {"name": "look", "arguments": f'{{"at": "{name}"}}'}} for name in "ab"
    ]
    answer = await read_stream(
        server,
        transport,
        "chutes",
        *(chunk({"tool_calls": [call]}) for call in calls),
        chunk({}, "tool_calls"),
        tools=True,
    )
    assert [call.arguments for call in answer.tool_calls] == [{"at": "a"}, {"at": "b"}]


async def test_deepseek_cache_and_mistral_chunks(server: ModelServer, transport: HttpTransport) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4}
    answer = await read_stream(
        server, transport, "deepseek", chunk({"reasoning_content": "hm"}), chunk({"content": "a"}, "stop", usage=usage)
    )
    assert (answer.reasoning, answer.usage.cached_tokens) == ("hm", 4)
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    answer = await read_stream(
        server,
        transport,
        "mistral",
        chunk({"content": [thought]}),
        chunk({"content": [{"type": "text", "text": "a"}]}, "stop", usage=usage),
        "[DONE]",
    )
    assert (answer.reasoning, answer.text) == ("hm", "a")


async def test_a_refusal_of_the_model_is_no_answer(server: ModelServer, transport: HttpTransport) -> None:
    with pytest.raises(Exception, match="I cannot help"):
        await read_stream(server, transport, "openai", chunk({"refusal": "I cannot help"}), chunk({}, "stop"), "[DONE]")


async def test_rate_limits_are_told(server: ModelServer, transport: HttpTransport) -> None:
    headers = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59"}
    body = {"model": "m", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    server.play(Raw(json.dumps(body).encode(), headers=headers))
    answer = await transport.complete(moved(server, "groq"), "m", ModelRequest.ask("?"), times=TIMES)
    assert answer.rate_limits is not None
    assert answer.rate_limits.requests is not None
    assert answer.rate_limits.requests.remaining == 59
    assert answer.usage.estimated
