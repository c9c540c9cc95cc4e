"""An answer has the structure that was asked for, whatever the model can do, or it is a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, Field

from aos.llm import errors as e
from aos.llm.client import HttpTransport
from aos.llm.provider import ProviderProfile
from aos.llm.request import ChatMessage, ModelRequest, ResponseFormat, ToolSpec
from aos.llm.response import StreamEnd, TextDelta
from aos.llm.schemas import strict_schema
from aos.testing.models import ModelServer, Say, SayCall
from tests.llm.conftest import DIALECTS, MODEL_OF, TIMES, profile_on


class City(BaseModel):
    """A city."""

    name: str
    people: int = Field(ge=0)


GOOD = json.dumps({"name": "Bern", "people": 134_000})
WANTED = ResponseFormat.of(City)
ASK = ModelRequest.ask("Tell me of Bern.", system="Be brief.", response_format=WANTED)


def limited(server: ModelServer, structured: str, **can: bool) -> ProviderProfile:
    """An OpenAI-compatible provider that gets its structures in another way."""
    profile = profile_on(server, "openai_chat")
    rules = profile.rules.model_copy(update={"structured": structured})
    capabilities = profile.capabilities.model_copy(update=can)
    return profile.model_copy(update={"rules": rules, "capabilities": capabilities, "models": ()})


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_dialect_gives_the_structure(dialect: str, server: ModelServer, transport: HttpTransport) -> None:
    server.play(Say(GOOD))
    answer = await transport.complete(profile_on(server, dialect), MODEL_OF[dialect], ASK, times=TIMES)
    assert answer.parsed == City(name="Bern", people=134_000)
    assert answer.repairs == 0
    assert "people" in json.dumps(server.seen[0].body)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_stream_ends_in_the_structure(dialect: str, server: ModelServer, transport: HttpTransport) -> None:
    server.play(Say(GOOD))
    deltas = [d async for d in transport.stream(profile_on(server, dialect), MODEL_OF[dialect], ASK, times=TIMES)]
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == GOOD
    assert isinstance(deltas[-1], StreamEnd)
    assert deltas[-1].response.parsed == City(name="Bern", people=134_000)


async def test_natively(server: ModelServer, transport: HttpTransport) -> None:
    server.play(Say(GOOD))
    await transport.complete(profile_on(server, "openai_chat"), "gpt-4.1-mini", ASK, times=TIMES)
    sent = server.seen[0].body["response_format"]
    assert sent["json_schema"]["strict"] is True
    assert sent["json_schema"]["schema"]["additionalProperties"] is False
    assert len(server.seen[0].body["messages"]) == 2


async def test_by_a_tool_the_model_must_call(server: ModelServer, transport: HttpTransport) -> None:
    server.play(Say("", calls=(SayCall("City", GOOD),)), Say("", calls=(SayCall("City", GOOD),)))
    profile = limited(server, "tool")
    answer = await transport.complete(profile, "m", ASK, times=TIMES)
    assert answer.parsed == City(name="Bern", people=134_000)
    assert answer.tool_calls == ()
    assert json.loads(answer.text) == json.loads(GOOD)
    assert answer.finish_reason == "stop"
    sent = server.seen[0].body
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "City"}}
    assert "response_format" not in sent
    deltas = [d async for d in transport.stream(profile, "m", ASK, times=TIMES)]
    assert json.loads("".join(d.text for d in deltas if isinstance(d, TextDelta))) == json.loads(GOOD)


async def test_by_json_mode_with_the_schema_in_the_prompt(server: ModelServer, transport: HttpTransport) -> None:
    server.play(Say(GOOD))
    await transport.complete(limited(server, "json_object"), "m", ASK, times=TIMES)
    sent = server.seen[0].body
    assert sent["response_format"] == {"type": "json_object"}
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["messages"][0]["content"].startswith("Be brief.")
    assert "JSON schema" in sent["messages"][0]["content"]


async def test_by_the_prompt_alone(server: ModelServer, transport: HttpTransport) -> None:
    server.play(Say(f"Here it is:\n```json\n{GOOD}\n```\nAnything else?"))
    answer = await transport.complete(limited(server, "prompt"), "m", ASK, times=TIMES)
    assert answer.parsed == City(name="Bern", people=134_000)
    assert "response_format" not in server.seen[0].body


@pytest.mark.parametrize(
    ("can", "mode"),
    [
        ({"json_schema": False}, "tools"),
        ({"json_schema": False, "tools": False}, "response_format"),
        ({"json_schema": False, "tools": False, "json_object": False}, None),
    ],
)
async def test_what_a_model_cannot_do_is_done_another_way(
    can: dict[str, bool], mode: str | None, server: ModelServer, transport: HttpTransport
) -> None:
    server.play(Say("", calls=(SayCall("City", GOOD),)) if mode == "tools" else Say(GOOD))
    answer = await transport.complete(limited(server, "json_schema", **can), "m", ASK, times=TIMES)
    assert answer.parsed == City(name="Bern", people=134_000)
    assert {"tools", "response_format"} & set(server.seen[0].body) == ({mode} if mode else set())


@pytest.mark.parametrize("structured", ["json_schema", "json_object", "prompt"])
async def test_a_wrong_structure_is_shown_its_mistakes_and_mended(
    structured: str, server: ModelServer, transport: HttpTransport
) -> None:
    server.play(Say('{"name": "Bern", "people": -1}', input_tokens=10, output_tokens=5), Say(GOOD, input_tokens=20))
    request = ASK.model_copy(update={"idempotency_key": "k"})
    answer = await transport.complete(limited(server, structured), "m", request, times=TIMES)
    assert answer.parsed == City(name="Bern", people=134_000)
    assert answer.repairs == 1
    assert answer.usage.input_tokens == 30
    first, second = server.seen
    assert "people: Input should be greater than or equal to 0" in second.body["messages"][-1]["content"]
    assert second.body["messages"][-2]["content"] == '{"name": "Bern", "people": -1}'
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


async def test_a_wrong_tool_call_is_mended_too(server: ModelServer, transport: HttpTransport) -> None:
    server.play(Say("", calls=(SayCall("City", {"name": "Bern"}),)), Say("", calls=(SayCall("City", GOOD),)))
    answer = await transport.complete(limited(server, "tool"), "m", ASK, times=TIMES)
    assert answer.repairs == 1
    assert "people: Field required" in server.seen[1].body["messages"][-1]["content"]


@pytest.mark.parametrize("text", ["Bern is nice.", "{", "[1, 2]", '{"name": "Bern"}'])
async def test_a_structure_that_stays_wrong_is_a_failure(
    text: str, server: ModelServer, transport: HttpTransport
) -> None:
    server.play(Say(text), Say(text))
    with pytest.raises(e.StructureInvalid) as caught:
        await transport.complete(profile_on(server, "openai_chat"), "gpt-4.1-mini", ASK, times=TIMES)
    assert caught.value.partial is not None
    assert caught.value.partial.text == text
    assert caught.value.recourse is e.Recourse.FAIL_OVER
    assert len(server.seen) == 2


async def test_a_stream_is_not_mended(server: ModelServer, transport: HttpTransport) -> None:
    server.play(Say("Bern is nice."))
    stream = transport.stream(profile_on(server, "openai_chat"), "gpt-4.1-mini", ASK, times=TIMES)
    with pytest.raises(e.StructureInvalid):
        [d async for d in stream]
    assert len(server.seen) == 1


async def test_a_model_may_call_the_callers_tools_first(server: ModelServer, transport: HttpTransport) -> None:
    look = ToolSpec(name="look")
    server.play(Say("", calls=(SayCall("look", {}),)), Say(GOOD))
    profile = profile_on(server, "openai_chat")
    request = ASK.model_copy(update={"tools": (look,)})
    first = await transport.complete(profile, "gpt-4.1-mini", request, times=TIMES)
    assert first.parsed is None
    talk = (*request.messages, first.message, ChatMessage.tool(first.tool_calls[0], "134000"))
    second = await transport.complete(
        profile, "gpt-4.1-mini", request.model_copy(update={"messages": talk}), times=TIMES
    )
    assert second.parsed == City(name="Bern", people=134_000)


async def test_a_format_that_travelled_is_checked_without_its_model(
    server: ModelServer, transport: HttpTransport
) -> None:
    request = ModelRequest.model_validate_json(ASK.model_dump_json())
    assert request.response_format is not None
    assert request.response_format.model is None
    server.play(Say('{"name": "Bern"}'), Say(GOOD))
    answer = await transport.complete(profile_on(server, "openai_chat"), "gpt-4.1-mini", request, times=TIMES)
    assert answer.parsed == json.loads(GOOD)
    assert "people: is missing" in server.seen[1].body["messages"][-1]["content"]


class Tree(BaseModel):
    label: str = "x"
    twigs: list[Tree] = Field(default_factory=list)
    city: City | None = None


class Free(BaseModel):
    labels: dict[str, str]


def objects_in(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for item in schema for found in objects_in(item)]
    if not isinstance(schema, dict):
        return []
    below = [found for item in schema.values() for found in objects_in(item)]
    return [schema, *below] if schema.get("type") == "object" else below


def test_strict_schemas_close_every_object() -> None:
    schema = strict_schema(Tree.model_json_schema())
    assert schema is not None
    found = objects_in(schema)
    assert len(found) >= 2
    for one in found:
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])
    assert "default" not in json.dumps(schema)


def test_free_keys_cannot_be_strict() -> None:
    assert strict_schema(Free.model_json_schema()) is None
