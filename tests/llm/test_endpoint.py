from __future__ import annotations

import pytest

from aos.llm.endpoint import Endpoints
from aos.llm.errors import ProviderNotConfigured
from aos.llm.providers import builtin, load
from tests.llm.conftest import secrets_of


async def entra(scope: str) -> str:
    return f"token-for-{scope}"


@pytest.mark.parametrize(
    ("provider", "settings", "base_url", "headers"),
    [
        ("openai", {"OPENAI_API_KEY": "k"}, "https://api.openai.com/v1", {"authorization": "Bearer k"}),
        (
            "openai",
            {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://gate/v1/", "OPENAI_ORG_ID": "org"},
            "http://gate/v1",
            {"authorization": "Bearer k", "OpenAI-Organization": "org"},
        ),
        (
            "azure_openai",
            {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/"},
            "https://r.openai.azure.com/openai/v1",
            {"api-key": "k"},
        ),
        (
            "azure_openai",
            {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/openai/v1"},
            "https://r.openai.azure.com/openai/v1",
            {"api-key": "k"},
        ),
        (
            "azure_foundry",
            {"AZURE_AI_API_KEY": "k", "AZURE_AI_API_BASE": "https://r.services.ai.azure.com"},
            "https://r.services.ai.azure.com/models",
            {"api-key": "k", "authorization": "Bearer k"},
        ),
        ("anthropic", {"ANTHROPIC_API_KEY": "k"}, "https://api.anthropic.com", {"x-api-key": "k"}),
        ("anthropic", {"ANTHROPIC_AUTH_TOKEN": "t"}, "https://api.anthropic.com", {"authorization": "Bearer t"}),
        ("gemini", {"GEMINI_API_KEY": "k"}, "https://generativelanguage.googleapis.com", {"x-goog-api-key": "k"}),
        (
            "qwen",
            {"DASHSCOPE_API_KEY": "k", "DASHSCOPE_WORKSPACE_ID": "w1"},
            "https://w1.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1",
            {"authorization": "Bearer k"},
        ),
        (
            "qwen",
            {"DASHSCOPE_API_KEY": "k", "DASHSCOPE_BASE_URL": "https://dashscope.aliyuncs.com/compatible-mode/v1"},
            "https://dashscope.aliyuncs.com/compatible-mode/v1",
            {"authorization": "Bearer k"},
        ),
        ("ollama", {}, "http://localhost:11434", {}),
        ("ollama", {"OLLAMA_HOST": "127.0.0.1:5000"}, "http://127.0.0.1:5000", {}),
        ("ollama", {"OLLAMA_BASE_URL": "http://box:11434/v1"}, "http://box:11434", {}),
    ],
)
async def test_addresses_and_keys(
    provider: str, settings: dict[str, str], base_url: str, headers: dict[str, str]
) -> None:
    endpoint = await Endpoints(secrets_of(settings)).resolve(builtin()[provider])
    assert endpoint.base_url == base_url
    assert dict(endpoint.headers) == headers


async def test_an_entra_token_stands_in_for_a_missing_key() -> None:
    profile = builtin()["azure_openai"]
    settings = {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com"}
    endpoints = Endpoints(secrets_of(settings), entra)
    assert await endpoints.missing(profile) == ()
    endpoint = await endpoints.resolve(profile)
    assert endpoint.headers["authorization"] == "Bearer token-for-https://cognitiveservices.azure.com/.default"


@pytest.mark.parametrize(
    ("provider", "settings", "missing"),
    [
        ("openai", {}, ("OPENAI_API_KEY",)),
        ("openai", {"OPENAI_API_KEY": "k"}, ()),
        ("azure_openai", {}, ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY")),
        ("qwen", {"DASHSCOPE_API_KEY": "k"}, ("DASHSCOPE_WORKSPACE_ID",)),
        ("qwen", {"QWEN_API_KEY": "k", "DASHSCOPE_BASE_URL": "http://x"}, ()),
        ("ollama", {}, ("OLLAMA_HOST",)),
        ("ollama", {"OLLAMA_MODEL": "llama3.2"}, ()),
    ],
)
async def test_what_is_missing(provider: str, settings: dict[str, str], missing: tuple[str, ...]) -> None:
    assert await Endpoints(secrets_of(settings)).missing(builtin()[provider]) == missing


@pytest.mark.parametrize("provider", ["openai", "azure_openai", "qwen"])
async def test_a_provider_without_its_settings_says_which(provider: str) -> None:
    profile = builtin()[provider]
    with pytest.raises(ProviderNotConfigured) as caught:
        await Endpoints(secrets_of({})).resolve(profile)
    assert any(name in caught.value.message for name in (*profile.api_key_env, *profile.base_url_env))


async def test_a_key_that_cannot_be_sent_is_refused_without_being_shown() -> None:
    with pytest.raises(ProviderNotConfigured) as caught:
        await Endpoints(secrets_of({"OPENAI_API_KEY": "bad key\r\nx: y"})).resolve(builtin()["openai"])
    assert "bad key" not in str(caught.value)
    assert "OPENAI_API_KEY" in caught.value.message


async def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", " gsk ")
    monkeypatch.delenv("GROQ_BASE_URL", raising=False)
    endpoint = await Endpoints().resolve(builtin()["groq"])
    assert endpoint.headers["authorization"] == "Bearer gsk"


async def test_the_model_to_ask_may_be_a_setting() -> None:
    profile = builtin()["ollama"]
    assert await Endpoints(secrets_of({})).default_model(profile) == "phi3:3.8b"
    assert await Endpoints(secrets_of({"OLLAMA_MODEL": "llama3.2"})).default_model(profile) == "llama3.2"


async def test_a_local_server_of_the_users_needs_no_key() -> None:
    profile = load({"lab": {"base_url": "http://127.0.0.1:8000/v1", "auth": "none", "local": True}})["lab"]
    endpoints = Endpoints(secrets_of({}))
    assert await endpoints.missing(profile) == ()
    assert (await endpoints.resolve(profile)).headers == {}
