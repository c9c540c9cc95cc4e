"""What each dialect sends is what the provider's specification allows.

The specifications are reference data kept beside the project, or where AOS_PROVIDER_SPECS says.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from aos.llm.call import Target
from aos.llm.dialect import Ask, EmbeddingDialect, load
from aos.llm.endpoint import Endpoint
from aos.llm.providers import builtin
from aos.llm.request import (
    ChatMessage,
    EmbeddingRequest,
    ForcedTool,
    ImagePart,
    ModelRequest,
    ReasoningPart,
    ResponseFormat,
    ToolCall,
    ToolSpec,
)
from aos.llm.structured import plan

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "specs"
SPECS = Path(os.environ.get("AOS_PROVIDER_SPECS") or _BESIDE)
pytestmark = pytest.mark.skipif(
    not (SPECS / "validate_request.py").is_file(),
    reason=f"no provider specifications at {SPECS}; set AOS_PROVIDER_SPECS to check requests against them",
)

Check = Callable[..., list[str]]
OPENAI = ("llm/openai.chat.subset.json", "/chat/completions", "post")
# Providers without a specification of their own are held to OpenAI's.
CHAT_SPECS = {
    "openai": OPENAI,
    "azure_openai": OPENAI,
    "azure_openai_legacy": OPENAI,
    "azure_foundry": OPENAI,
    "anthropic": ("llm/anthropic.subset.json", "/v1/messages", "post"),
    "google": ("llm/gemini.subset.json", "/models/{modelsId}:generateContent", "post"),
    "groq": ("sdk-derived/groq.json", "chat_request", ""),
    "mistral": ("llm/mistral.subset.json", "/v1/chat/completions", "post"),
    "codestral": ("llm/mistral.subset.json", "/v1/chat/completions", "post"),
    "together": ("sdk-derived/together.json", "chat_request", ""),
    "perplexity": ("sdk-derived/perplexityai.json", "agent_request", ""),
    "fireworks": ("sdk-derived/fireworks_ai.json", "chat_request", ""),
    "cerebras": ("sdk-derived/cerebras.json", "chat_request", ""),
    "writer": ("sdk-derived/writer_sdk.json", "chat_request", ""),
    "openrouter": ("llm/openrouter.subset.json", "/chat/completions", "post"),
    "gptoss": ("llm/openrouter.subset.json", "/chat/completions", "post"),
    "ollama": ("sdk-derived/ollama.json", "ChatRequest", ""),
    "huggingface": OPENAI,
    "aleph_alpha": OPENAI,
    "ai21": OPENAI,
    "chutes": OPENAI,
    "nvidia": OPENAI,
    "xai": OPENAI,
}
# Fields that these providers have and OpenAI's specification has not.
OWN_FIELDS = {"deepseek": {"thinking"}, "zai": {"thinking"}, "moonshot": {"thinking"}, "qwen": {"enable_thinking"}}


class Place(BaseModel):
    name: str
    height: float | None = Field(default=None, description="metres")


class Places(BaseModel):
    """Places on a map."""

    places: list[Place]


LOOK = ToolSpec(name="look", description="Look at a place.", parameters=Place.model_json_schema())
CALL = ToolCall(id="call_1", name="look", arguments={"name": "Bern"})
TALK = (
    ChatMessage.system("Be brief."),
    ChatMessage.user("Where is Bern?"),
    ChatMessage.assistant("Let me see.", tool_calls=(CALL,), reasoning=(ReasoningPart(text="hm"),)),
    ChatMessage.tool(CALL, '{"height": 540}'),
    ChatMessage.assistant("In Switzerland."),
    ChatMessage.user("And Ulm?"),
)
SAMPLING: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 20,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.1,
    "max_tokens": 4000,
    "seed": 7,
    "stop": ("END",),
}
PICTURE = ChatMessage.user("What is it?", ImagePart.of(b"x", "image/png"))
REQUESTS = {
    "plain": ModelRequest(messages=(ChatMessage.user("Hello"),)),
    "sampling": ModelRequest(messages=(ChatMessage.user("Hello"),), **SAMPLING),
    "reasoning": ModelRequest(messages=(ChatMessage.user("Hello"),), reasoning="low", max_tokens=9000),
    "structured": ModelRequest(messages=(ChatMessage.user("Hello"),), response_format=ResponseFormat.of(Places)),
    "tools": ModelRequest(messages=TALK, tools=(LOOK,), parallel_tool_calls=False),
    "required": ModelRequest(messages=(ChatMessage.user("?"),), tools=(LOOK,), tool_choice="required"),
    "none": ModelRequest(messages=(ChatMessage.user("?"),), tools=(LOOK,), tool_choice="none"),
    "named": ModelRequest(messages=(ChatMessage.user("?"),), tools=(LOOK,), tool_choice=ForcedTool(name="look")),
    "picture": ModelRequest(messages=(PICTURE,)),
}


@pytest.fixture(scope="module")
def check() -> Check:
    spec = importlib.util.spec_from_file_location("validate_request", SPECS / "validate_request.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # It leaves the files it opens to the garbage collector.
    module.__dict__["open"] = lambda name: io.StringIO(Path(name).read_text(encoding="utf-8"))
    spec.loader.exec_module(module)
    found: Check = module.check
    return found


def target_of(provider: str, model: str | None = None) -> Target:
    profile = builtin()[provider]
    name = model or profile.default_model or "a-deployment"
    return Target(
        profile=profile,
        model=name,
        endpoint=Endpoint("http://x"),
        capabilities=profile.capabilities_of(name),
        limits=profile.limits_of(name),
        rules=profile.rules_of(name),
    )


def sent(provider: str, request: ModelRequest, *, stream: bool, model: str | None = None) -> dict[str, Any] | None:
    """The body as it goes out; None where the model cannot be asked this."""
    target = target_of(provider, model)
    can = target.capabilities
    if (request.tools and can.tools is False) or (request.needs_vision and can.vision is False):
        return None
    chosen = plan(target, request, stream=stream)
    native = chosen.mode if chosen.mode in ("json_schema", "json_object") else None
    outgoing = load(target.profile.dialect).chat(Ask(target, chosen.request, stream, native))
    body: dict[str, Any] = json.loads(json.dumps(outgoing.body))
    return body


def askable() -> list[tuple[str, str]]:
    """Each provider with what its default model can be asked."""
    providers = [*CHAT_SPECS, *OWN_FIELDS]
    return [
        (p, kind) for p in providers for kind, asked in REQUESTS.items() if sent(p, asked, stream=False) is not None
    ]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("provider", "kind"), askable())
def test_chat_requests(provider: str, kind: str, stream: bool, check: Check) -> None:
    body = sent(provider, REQUESTS[kind], stream=stream)
    assert body is not None
    for field in OWN_FIELDS.get(provider, ()):
        body.pop(field, None)
    spec, path, method = CHAT_SPECS.get(provider, OPENAI)
    assert check(spec, path, method, body) == []


@pytest.mark.parametrize("kind", REQUESTS)
def test_openai_reasoning_models(kind: str, check: Check) -> None:
    body = sent("openai", REQUESTS[kind], stream=True, model="gpt-5.4")
    assert body is not None
    assert check(*OPENAI, body) == []
    assert "temperature" not in body


@pytest.mark.parametrize("kind", REQUESTS)
def test_openai_responses(kind: str, check: Check) -> None:
    target = target_of("openai", "gpt-5.4")
    request = REQUESTS[kind]
    chosen = plan(target, request, stream=False)
    native: Literal["json_schema"] | None = "json_schema" if chosen.mode == "json_schema" else None
    body = load("openai_responses").chat(Ask(target, chosen.request, False, native)).body
    assert check("llm/openai.responses.subset.json", "/responses", "post", json.loads(json.dumps(body))) == []


@pytest.mark.parametrize("kind", REQUESTS)
def test_the_new_anthropic_version_gets_no_sampling(kind: str, check: Check) -> None:
    target = target_of("anthropic", "claude-sonnet-5-5")
    profile = target.profile.model_copy(update={"api_version": "2026-10-21"})
    newer = Target(profile, target.model, target.endpoint, target.capabilities, target.limits, target.rules)
    chosen = plan(newer, REQUESTS[kind], stream=False)
    native: Literal["json_schema"] | None = "json_schema" if chosen.mode == "json_schema" else None
    outgoing = load("anthropic_messages").chat(Ask(newer, chosen.request, False, native))
    assert outgoing.headers["anthropic-version"] == "2026-10-21"
    body = json.loads(json.dumps(outgoing.body))
    assert not {"temperature", "top_p", "top_k"} & set(body)
    assert check("sdk-derived/anthropic.json", "message_request", "", body) == []


@pytest.mark.parametrize("kind", [kind for kind in REQUESTS if kind != "picture"])
def test_cohere_messages_and_tools(kind: str, check: Check) -> None:
    body = sent("cohere", REQUESTS[kind], stream=False)
    assert body is not None
    for message in body["messages"]:
        assert check("sdk-derived/cohere.json", "ChatMessageV2", "", message) == []
    for tool in body.get("tools", ()):
        assert check("sdk-derived/cohere.json", "ToolV2", "", tool) == []
    if "response_format" in body:
        assert check("sdk-derived/cohere.json", "ResponseFormatV2", "", body["response_format"]) == []


EMBED_SPECS = {
    "openai": ("llm/openai.chat.subset.json", "/embeddings", "post"),
    "mistral": ("llm/mistral.subset.json", "/v1/embeddings", "post"),
    "together": ("llm/together.subset.json", "/embeddings", "post"),
    "openrouter": ("llm/openrouter.subset.json", "/embeddings", "post"),
    "google": ("llm/gemini.subset.json", "/models/{modelsId}:batchEmbedContents", "post"),
    "ollama": ("sdk-derived/ollama.json", "EmbedRequest", ""),
}


@pytest.mark.parametrize("provider", EMBED_SPECS)
def test_embedding_requests(provider: str, check: Check) -> None:
    target = target_of(provider, builtin()[provider].default_embedding_model or "some-embedder")
    dialect = load(target.profile.dialect)
    assert isinstance(dialect, EmbeddingDialect)
    body: Mapping[str, Any] | None = dialect.embed(target, EmbeddingRequest(inputs=("a", "b"), dimensions=256)).body
    assert check(*EMBED_SPECS[provider], json.loads(json.dumps(body))) == []
