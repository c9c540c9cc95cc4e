from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest

from aos.llm.client import HttpTransport
from aos.llm.endpoint import Endpoints
from aos.llm.provider import ProviderProfile
from aos.llm.providers import builtin
from aos.llm.transport import CallTimes
from aos.testing.models import ModelServer

KEY = "loopback-key-1234567890"
PROVIDER_OF = {
    "openai_chat": "openai",
    "anthropic_messages": "anthropic",
    "gemini_generate": "google",
    "cohere_v2": "cohere",
    "openai_responses": "perplexity",
    "replicate_predictions": "replicate",
    "ollama_native": "ollama",
}
MODEL_OF = {
    "openai_chat": "gpt-4.1-mini",
    "anthropic_messages": "claude-sonnet-5-5",
    "gemini_generate": "gemini-3.8-flash",
    "cohere_v2": "command-a-plus-05-2026",
    "openai_responses": "openai/gpt-5-mini",
    "replicate_predictions": "openai/gpt-oss-20b",
    "ollama_native": "gpt-oss:20b",
}
BASE_PATH = {"openai_chat": "/v1", "replicate_predictions": "/v1"}
DIALECTS = tuple(PROVIDER_OF)
TOOL_DIALECTS = tuple(d for d in DIALECTS if d != "replicate_predictions")
TIMES = CallTimes(whole=10.0, connect=5.0, first_token=10.0, between_tokens=10.0)


def secrets_of(values: Mapping[str, str]) -> Callable[[str], Awaitable[str | None]]:
    async def look_up(name: str) -> str | None:
        return values.get(name)

    return look_up


async def any_key(name: str) -> str | None:
    """Every key is there, and no address is overridden."""
    return KEY if name.endswith(("_KEY", "_TOKEN")) else None


def profile_on(server: ModelServer, dialect: str, **changes: object) -> ProviderProfile:
    """The shipped provider that speaks a dialect, moved to the loopback server."""
    base_url = server.url + BASE_PATH.get(dialect, "")
    return builtin()[PROVIDER_OF[dialect]].model_copy(update={"base_url": base_url, **changes})


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer(key=KEY) as running:
        yield running


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    made = HttpTransport(Endpoints(any_key), poll_every=0.0)
    yield made
    await made.aclose()
