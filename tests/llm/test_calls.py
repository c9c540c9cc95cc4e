"""The transport's corners: a client of the caller's, addresses that cannot be used, predictions, odd embeddings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from aos.llm import errors as e
from aos.llm.client import HttpTransport
from aos.llm.endpoint import Endpoints
from aos.llm.provider import Capabilities, ProviderProfile
from aos.llm.providers import builtin
from aos.llm.request import ChatMessage, EmbeddingRequest, ImagePart, ModelRequest, ToolSpec
from aos.testing.models import ModelServer, Raw, Say
from tests.llm.conftest import KEY, TIMES, any_key, profile_on

ASK = ModelRequest.ask("?")
Handler = Callable[[httpx.Request], httpx.Response]


async def ask_through(handler: Handler, profile: ProviderProfile | None = None, request: ModelRequest = ASK) -> str:
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        transport = HttpTransport(Endpoints(any_key), client=client)
        chosen = profile or builtin()["openai"]
        text = (await transport.complete(chosen, "gpt-4.1", request, times=TIMES)).text
        await transport.aclose()
        assert not client.is_closed
        return text


async def test_a_client_of_the_callers() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url == "https://api.openai.com/v1/chat/completions"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        return httpx.Response(200, json={"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]})

    assert await ask_through(answer) == "hi"


@pytest.mark.parametrize(
    ("raised", "kind", "outage"),
    [
        (httpx.ConnectTimeout("slow"), e.ModelTimedOut, e.Outage.FAILURE),
        (httpx.PoolTimeout("busy"), e.ConnectionFailed, e.Outage.NONE),
        (httpx.ConnectError("refused"), e.ConnectionFailed, e.Outage.FAILURE),
        (httpx.RemoteProtocolError("nonsense"), e.ConnectionFailed, e.Outage.FAILURE),
        (httpx.DecodingError("not gzip"), e.MalformedAnswer, e.Outage.FAILURE),
        (httpx.UnsupportedProtocol("what is gopher"), e.BadRequest, e.Outage.NONE),
    ],
)
async def test_what_the_http_client_raises(raised: httpx.HTTPError, kind: type[e.ModelError], outage: e.Outage) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise raised

    with pytest.raises(e.ModelError) as caught:
        await ask_through(fail)
    assert type(caught.value) is kind
    assert caught.value.outage is outage


async def test_an_address_that_is_none() -> None:
    profile = builtin()["openai"].model_copy(update={"base_url": "http://host:notaport", "base_url_env": ()})
    with pytest.raises(e.BadRequest, match="base URL"):
        await ask_through(lambda request: httpx.Response(200), profile)


@pytest.mark.parametrize("value", [float("nan"), object()])
async def test_what_is_no_json_is_not_sent(value: object) -> None:
    request = ASK.model_copy(update={"extra": {"openai": {"odd": value}}})
    with pytest.raises(e.BadRequest, match="not JSON"):
        await ask_through(lambda sent: httpx.Response(200), request=request)


async def test_a_model_that_does_not_stream(server: ModelServer, transport: HttpTransport) -> None:
    capabilities = Capabilities(streaming=False)
    profile = profile_on(server, "openai_chat", capabilities=capabilities, models=(), families=())
    with pytest.raises(e.UnsupportedRequest, match="stream"):
        await anext(transport.stream(profile, "m", ASK, times=TIMES))


async def test_an_answer_in_one_piece_where_a_stream_was_asked_for(
    server: ModelServer, transport: HttpTransport
) -> None:
    server.play(Raw(b'{"choices": []}'))
    with pytest.raises(e.MalformedAnswer, match="stream"):
        await anext(transport.stream(profile_on(server, "openai_chat"), "m", ASK, times=TIMES))


@pytest.mark.parametrize(
    "body",
    [
        {"data": []},
        {"data": [{"index": 0, "embedding": []}]},
        {"data": [{"index": 0, "embedding": ["a"]}]},
        {"data": [{"index": 0, "embedding": "%%%"}]},
        {"data": [{"index": 0, "embedding": None}]},
        {},
    ],
)
async def test_vectors_that_are_none(body: Any, server: ModelServer, transport: HttpTransport) -> None:
    server.play(Raw(json.dumps(body).encode()))
    with pytest.raises(e.MalformedAnswer):
        await transport.embed(
            profile_on(server, "openai_chat"), "text-embedding-3-small", EmbeddingRequest(inputs=("a",)), times=TIMES
        )


@pytest.mark.parametrize("dialect", ["anthropic_messages", "replicate_predictions", "openai_responses"])
async def test_who_has_no_embeddings(dialect: str, server: ModelServer, transport: HttpTransport) -> None:
    with pytest.raises(e.UnsupportedRequest):
        await transport.embed(profile_on(server, dialect), "m", EmbeddingRequest(inputs=("a",)), times=TIMES)


async def test_a_prediction_gets_the_conversation_as_a_prompt(server: ModelServer, transport: HttpTransport) -> None:
    profile = profile_on(server, "replicate_predictions")
    talk = (
        ChatMessage.system("Be brief."),
        ChatMessage.user("Hello"),
        ChatMessage.assistant("Hi."),
        ChatMessage.user("And?"),
    )
    await transport.complete(profile, "owner/name", ModelRequest(messages=talk, max_tokens=9), times=TIMES)
    assert server.seen[0].path == "/v1/models/owner/name/predictions"
    assert server.seen[0].body["input"] == {
        "system_prompt": "Be brief.",
        "prompt": "User: Hello\n\nAssistant: Hi.\n\nUser: And?\n\nAssistant:",
        "max_tokens": 9,
    }
    await transport.complete(profile, "owner/name:abc123", ASK, times=TIMES)
    assert (server.seen[-1].path, server.seen[-1].body["version"]) == ("/v1/predictions", "abc123")


@pytest.mark.parametrize(
    "request_",
    [
        ModelRequest.ask("?", tools=(ToolSpec(name="look"),)),
        ModelRequest(messages=(ChatMessage.user(ImagePart(url="https://example.org/a.png")),)),
    ],
)
async def test_a_prediction_takes_neither_tools_nor_images(
    request_: ModelRequest, server: ModelServer, transport: HttpTransport
) -> None:
    profile = profile_on(server, "replicate_predictions", capabilities=Capabilities(), models=())
    with pytest.raises(e.UnsupportedRequest):
        await transport.complete(profile, "owner/name", request_, times=TIMES)
    assert server.seen == []


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("event: output\ndata: a\n\nevent: done\ndata: {}\n\n", None),
        ('event: output\ndata: a\n\nevent: done\ndata: {"reason": "canceled"}\n\n', e.ProviderFailed),
        ('event: error\ndata: {"detail": "no memory"}\n\n', e.ProviderFailed),
        ("event: output\ndata: a\n\n", e.StreamCut),
    ],
)
async def test_how_a_predictions_stream_ends(event: str, kind: type[e.ModelError] | None) -> None:
    base_url = builtin()["replicate"].base_url
    order = {"id": "p", "status": "starting", "urls": {"stream": f"{base_url}/streams/p"}}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(201, json=order)
        assert request.url.path == "/v1/streams/p"
        return httpx.Response(200, text=event, headers={"content-type": "text/event-stream"})

    caught: e.ModelError | None = None
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        transport = HttpTransport(Endpoints(any_key), client=client)
        try:
            async for _ in transport.stream(builtin()["replicate"], "x/y", ASK, times=TIMES):
                pass
        except e.ModelError as error:
            caught = error
    assert (type(caught) if caught else None) is kind


async def test_an_image_by_address_is_not_for_ollama(server: ModelServer, transport: HttpTransport) -> None:
    message = ChatMessage.user(ImagePart(url="https://example.org/a.png"))
    with pytest.raises(e.UnsupportedRequest, match="bytes"):
        await transport.complete(
            profile_on(server, "ollama_native"), "llava", ModelRequest(messages=(message,)), times=TIMES
        )


async def test_a_stream_that_stalls_after_its_finish_marker_is_whole(
    server: ModelServer, transport: HttpTransport
) -> None:
    wire = 'data: {"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]}\n\n'
    length = {"content-length": str(len(wire) + 10)}
    server.play(Raw(wire.encode(), content_type="text/event-stream", headers=length), Say())
    profile = profile_on(server, "openai_chat")
    times = TIMES.__class__(first_token=5, between_tokens=0.05)
    deltas = [delta async for delta in transport.stream(profile, "m", ASK, times=times)]
    assert deltas[-1].response.text == "hi"  # type: ignore[union-attr]
