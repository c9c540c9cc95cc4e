"""The vendors' own clients understand the loopback provider, so what it says is what a vendor would say."""

from __future__ import annotations

from typing import Any

import pytest

from aos.testing.models import ModelServer, Refuse, Say, SayCall

TOOL = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
CALLS = (SayCall("weather", {"place": "Bern"}, "call_a"), SayCall("weather", {"place": "Ulm"}, "call_b"))
TEXT = "Grüße, 你好."


class TestOpenAI:
    @pytest.fixture
    def sdk(self) -> Any:
        return pytest.importorskip("openai", reason="the openai SDK is not installed (group vendor-sdks)")

    @pytest.fixture
    async def server(self) -> Any:
        async with ModelServer(shatter=7) as running:
            yield running

    @pytest.fixture
    async def client(self, sdk: Any, server: ModelServer) -> Any:
        async with sdk.AsyncOpenAI(api_key="k", base_url=f"{server.url}/v1", max_retries=0) as made:
            yield made

    async def test_chat(self, client: Any, server: ModelServer) -> None:
        server.play(Say(TEXT, input_tokens=3, output_tokens=2), Say("", calls=CALLS))
        messages = [{"role": "user", "content": "?"}]
        answer = await client.chat.completions.create(model="m", messages=messages)
        assert answer.choices[0].message.content == TEXT
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 2)
        tools = [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]
        answer = await client.chat.completions.create(model="m", messages=messages, tools=tools)
        assert [c.function.arguments for c in answer.choices[0].message.tool_calls] == [c.text for c in CALLS]

    async def test_chat_stream(self, client: Any, server: ModelServer) -> None:
        server.play(Say(TEXT, calls=CALLS))
        async with client.chat.completions.stream(
            model="m", messages=[{"role": "user", "content": "?"}], stream_options={"include_usage": True}
        ) as stream:
            answer = await stream.get_final_completion()
        message = answer.choices[0].message
        assert message.content == TEXT
        assert [call.function.arguments for call in message.tool_calls] == [call.text for call in CALLS]
        assert answer.choices[0].finish_reason == "tool_calls"
        assert answer.usage.completion_tokens == 7

    async def test_responses(self, client: Any, server: ModelServer) -> None:
        server.play(Say(TEXT, reasoning="hm", calls=CALLS), Say(TEXT, reasoning="hm", calls=CALLS))
        answer = await client.responses.create(model="m", input="?")
        assert answer.output_text == TEXT
        async with client.responses.stream(model="m", input="?") as stream:
            final = await stream.get_final_response()
        assert final.output_text == TEXT
        assert [item.arguments for item in final.output if item.type == "function_call"] == [c.text for c in CALLS]

    async def test_embeddings(self, client: Any, server: ModelServer) -> None:
        answer = await client.embeddings.create(model="m", input=["a", "b"], dimensions=4)
        assert [len(row.embedding) for row in answer.data] == [4, 4]
        assert server.seen[0].body["encoding_format"] == "base64"

    @pytest.mark.parametrize(
        ("status", "name"), [(401, "AuthenticationError"), (429, "RateLimitError"), (500, "InternalServerError")]
    )
    async def test_errors(self, sdk: Any, client: Any, server: ModelServer, status: int, name: str) -> None:
        server.play(Refuse(status, "no", code="some_code"))
        with pytest.raises(getattr(sdk, name)) as caught:
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])
        assert caught.value.code == "some_code"
        assert caught.value.request_id == "req_loopback"


class TestAnthropic:
    @pytest.fixture
    def sdk(self) -> Any:
        return pytest.importorskip("anthropic", reason="the anthropic SDK is not installed (group vendor-sdks)")

    @pytest.fixture
    async def server(self) -> Any:
        async with ModelServer(shatter=7) as running:
            yield running

    @pytest.fixture
    async def client(self, sdk: Any, server: ModelServer) -> Any:
        async with sdk.AsyncAnthropic(api_key="k", base_url=server.url, max_retries=0) as made:
            yield made

    async def test_messages(self, client: Any, server: ModelServer) -> None:
        server.play(Say(TEXT, reasoning="hm", calls=CALLS, input_tokens=9, cached_tokens=4))
        ask = [{"role": "user", "content": "?"}]
        answer = await client.messages.create(model="m", max_tokens=9, messages=ask)
        assert [block.type for block in answer.content] == ["thinking", "text", "tool_use", "tool_use"]
        assert answer.content[2].input == {"place": "Bern"}
        assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (5, 4)

    async def test_stream(self, client: Any, server: ModelServer) -> None:
        server.play(Say(TEXT, reasoning="hm", calls=CALLS))
        ask = [{"role": "user", "content": "?"}]
        async with client.messages.stream(model="m", max_tokens=9, messages=ask) as stream:
            answer = await stream.get_final_message()
        assert answer.content[0].thinking == "hm"
        assert answer.content[0].signature == "sig-1"
        assert answer.content[1].text == TEXT
        assert [block.input for block in answer.content[2:]] == [{"place": "Bern"}, {"place": "Ulm"}]
        assert answer.stop_reason == "tool_use"
        assert answer.usage.output_tokens == 7

    @pytest.mark.parametrize(("status", "name"), [(401, "AuthenticationError"), (529, "OverloadedError")])
    async def test_errors(self, sdk: Any, client: Any, server: ModelServer, status: int, name: str) -> None:
        server.play(Refuse(status, "no"))
        kind = getattr(sdk, name, sdk.APIStatusError)
        with pytest.raises(kind) as caught:
            await client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "?"}])
        assert caught.value.status_code == status
