from __future__ import annotations

from datetime import date

import pytest

from aos.kernel.errors import NotFound, SettingInvalid
from aos.llm.client import HttpTransport
from aos.llm.dialect import load as load_dialect
from aos.llm.providers import builtin, load
from aos.llm.request import ModelRequest
from aos.testing.models import ModelServer
from tests.llm.conftest import TIMES

TODAY = date(2026, 11, 21)
NAMED = (
    *("openai", "azure_openai", "azure_openai_legacy", "azure_foundry", "anthropic", "google", "groq", "deepseek"),
    *("cohere", "mistral", "codestral", "together", "perplexity", "fireworks", "replicate", "huggingface", "ai21"),
    *("aleph_alpha", "writer", "moonshot", "cerebras", "nvidia", "zai", "xai", "qwen", "chutes", "openrouter"),
    *("ollama", "gptoss", "anyscale"),
)
OTHER_NAMES = {"kimi": "moonshot", "glm": "zai", "grok": "xai", "gemini": "google", "groq2": "groq", "groqai": "groq"}


def test_every_provider_is_there() -> None:
    assert set(builtin()) == set(NAMED)
    for name, provider in OTHER_NAMES.items():
        assert builtin()[name].id == provider
    with pytest.raises(NotFound, match="openrouter"):
        builtin().named("nobody")


@pytest.mark.parametrize("name", NAMED)
def test_profiles_are_complete(name: str) -> None:
    profile = builtin()[name]
    assert profile.name
    assert profile.base_url or profile.base_url_env
    assert profile.auth == "none" or profile.api_key_env
    assert load_dialect(profile.dialect) is not None
    for model in profile.models:
        profile.rules_of(model.id)
    if profile.is_available(TODAY) and profile.default_model:
        assert profile.is_model_current(profile.default_model, TODAY)


def test_providers_that_ended_are_skipped() -> None:
    assert not builtin()["ai21"].is_available(TODAY)
    assert builtin()["ai21"].sunset == date(2026, 8, 9)
    assert not builtin()["anyscale"].is_available(TODAY)
    ending = builtin()["groq"].model_copy(update={"sunset": TODAY})
    assert ending.is_available(TODAY)
    assert not ending.is_available(date(2026, 11, 22))


def test_models_past_their_day_are_known() -> None:
    deepseek = builtin()["deepseek"]
    assert not deepseek.is_model_current("deepseek-chat", TODAY)
    assert deepseek.is_model_current("deepseek-chat", date(2026, 7, 23))
    assert deepseek.is_model_current("a-model-nobody-listed", TODAY)


def test_they_come_in_order_of_tier_and_priority() -> None:
    order = [(profile.tier, profile.priority) for profile in builtin().values()]
    assert order == sorted(order)
    assert list(builtin())[-1] == "ollama"


def test_what_a_model_can_do_comes_from_its_family_too() -> None:
    ollama = builtin()["ollama"]
    assert ollama.capabilities_of("phi3:3.8b").tools is False
    assert ollama.capabilities_of("llama3.2").tools is True
    openai = builtin()["openai"]
    assert "temperature" in openai.rules_of("gpt-5.4").drop
    assert "temperature" not in openai.rules_of("gpt-4.1").drop
    assert openai.rules_of("gpt-5.4").rename == {"max_tokens": "max_completion_tokens"}
    assert openai.limits_of("gpt-4.1").context_window


async def test_a_few_lines_add_a_provider(server: ModelServer, transport: HttpTransport) -> None:
    providers = load(
        {"acme": {"base_url": f"{server.url}/v1", "api_key_env": "ACME_KEY", "models": ["acme-large", "acme-small"]}}
    )
    acme = providers["acme"]
    assert acme.default_model == "acme-large"
    answer = await transport.complete(acme, "acme-small", ModelRequest.ask("?"), times=TIMES)
    assert answer.provider == "acme"
    assert server.seen[0].path == "/v1/chat/completions"
    assert server.seen[0].body["model"] == "acme-small"


def test_a_shipped_provider_can_be_changed_in_part() -> None:
    changed = load({"groq": {"priority": 1, "limits": {"concurrency": 2}, "models": [{"id": "my-model"}]}})["groq"]
    shipped = builtin()["groq"]
    assert (changed.priority, changed.limits.concurrency) == (1, 2)
    assert changed.base_url == shipped.base_url
    assert [model.id for model in changed.models] == ["my-model", *(model.id for model in shipped.models)]
    assert shipped.limits.concurrency is None


def test_a_second_account_is_like_the_first() -> None:
    second = load({"groq-eu": {"like": "groq", "api_key_env": "GROQ_EU_KEY"}})["groq-eu"]
    assert second.api_key_env == ("GROQ_EU_KEY",)
    assert second.rules == builtin()["groq"].rules
    assert second.aliases == ()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"base_url": "http://x", "dialect": "klingon"}, "dialect"),
        ({"base_url": "http://x", "colour": "red"}, "colour"),
        ({"like": "nobody"}, "nobody"),
        ("http://x", "table"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(table: object, said: str) -> None:
    with pytest.raises(SettingInvalid, match=said):
        load({"mine": table})
