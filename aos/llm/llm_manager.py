"""Models by priority, as a list of plain settings: `LLMManager` for callers that bring their own, over the router.

Where no model answers there is no answer: the result says so, and never holds invented text.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aos.llm.errors import ModelError, ModelTimedOut
from aos.llm.request import ModelRequest
from aos.llm.response import ModelResponse
from aos.llm.route import Route
from aos.llm.router import Answered, ModelRouter
from aos.llm.tries import AllModelsFailed, NoModelFits

_SHAPE = ConfigDict(extra="forbid")


class ModelStatus(StrEnum):
    SUCCESS = "success"
    TIMEOUT = "timeout"
    ERROR = "error"
    UNAVAILABLE = "unavailable"


class ModelConfig(BaseModel):
    """One model. A higher `priority` is asked first; costs are US dollars per 1,000 tokens, seconds for times."""

    model_config = _SHAPE

    name: str
    provider: str
    api_key_env: str | None = None
    priority: int = Field(default=50, ge=0, le=100)
    max_tokens: int = 1_024
    temperature: float = 0.7
    timeout: float = 30.0
    cost_per_1k_input: float = 0.0
    cost_per_1k_output: float = 0.0
    local: bool = False


def default_models() -> list[ModelConfig]:
    """The four a manager has where it is given none."""
    return [
        ModelConfig(
            name="gpt-4o", provider="openai", api_key_env="OPENAI_API_KEY", priority=90,
            cost_per_1k_input=0.01, cost_per_1k_output=0.03,
        ),
        ModelConfig(
            name="claude-3-opus", provider="anthropic", api_key_env="ANTHROPIC_API_KEY", priority=85,
            cost_per_1k_input=0.015, cost_per_1k_output=0.075,
        ),
        ModelConfig(
            name="gemini-1.5-pro", provider="google", api_key_env="GOOGLE_API_KEY", priority=80,
            cost_per_1k_input=0.0025, cost_per_1k_output=0.0025,
        ),
        ModelConfig(name="llama3", provider="ollama", priority=70, local=True),
    ]  # fmt: skip


class LLMManagerConfig(BaseModel):
    """Attributes: max_attempts: Models tried. max_retries: Further tries with each, paused as the router does."""

    model_config = _SHAPE

    models: list[ModelConfig] = Field(default_factory=default_models)
    default_system_prompt: str = "You are a helpful AI assistant."
    default_max_tokens: int = 1_024
    default_temperature: float = 0.7
    local_only: bool = False
    max_attempts: int = Field(default=3, ge=1)
    max_retries: int = Field(default=2, ge=0)


class ModelTokens(BaseModel):
    """Tokens of a call; `total` is their sum where it is not given."""

    prompt: int = 0
    completion: int = 0
    total: int = 0

    @model_validator(mode="after")
    def _summed(self) -> Self:
        if not self.total:
            self.total = self.prompt + self.completion
        return self


class ModelResult(BaseModel):
    """What came of a call. `content` is empty unless `status` is success."""

    content: str = ""
    status: ModelStatus
    model_name: str = ""
    tokens: ModelTokens = Field(default_factory=ModelTokens)
    cost: float = 0.0
    latency: float = 0.0
    raw_response: dict[str, Any] | None = None
    error_message: str | None = None


class LLMManager:
    """Asks the models of its configuration, highest priority first.

    Args:
        router: Makes the calls; it must know the providers that the configuration names.
        config: Models and defaults.
        environ: Where `api_key_env` is looked up: a model whose variable is empty is skipped.
    """

    def __init__(
        self, router: ModelRouter, config: LLMManagerConfig | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self.config = config or LLMManagerConfig()
        self._router = router
        self._environ = os.environ if environ is None else environ

    def available(self) -> list[ModelConfig]:
        """Models that may be asked, highest priority first."""
        return sorted((m for m in self.config.models if self._is_available(m)), key=lambda m: m.priority, reverse=True)

    async def complete(
        self,
        prompt: str,
        *,
        system_prompt: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        force_model: str | None = None,
    ) -> ModelResult:
        """Ask. Never raises for a model's failure: the result's `status` and `error_message` say what it was."""
        models = [m for m in self.available() if force_model in (None, m.name)]
        if not models:
            which = f"Model {force_model!r} is" if force_model else "No model is"
            message = f"{which} not available; see its API key and `local_only`."
            return ModelResult(status=ModelStatus.UNAVAILABLE, model_name=force_model or "", error_message=message)
        request = ModelRequest.ask(
            prompt,
            system=system_prompt or self.config.default_system_prompt,
            max_tokens=max_tokens or self.config.default_max_tokens,
            temperature=self.config.default_temperature if temperature is None else temperature,
            allow_truncated=True,
        )
        try:
            answered = await self._router.answer(request, self._route(models))
        except ModelError as error:
            return _failed(error, models[0])
        return self._succeeded(answered, models)

    def get_stats(self) -> dict[str, Any]:
        """Counts of all calls of the router: each try counts."""
        return self._router.statistics.to_json()

    async def aclose(self) -> None:
        """Close the router's connections."""
        await self._router.aclose()

    def _is_available(self, model: ModelConfig) -> bool:
        if self.config.local_only and not model.local:
            return False
        return model.api_key_env is None or bool(self._environ.get(model.api_key_env))

    def _route(self, models: list[ModelConfig]) -> Route:
        return Route(
            models=tuple(f"{m.provider}/{m.name}" for m in models),
            max_models=self.config.max_attempts,
            max_retries=self.config.max_retries,
            try_seconds=max(m.timeout for m in models),
        )

    @staticmethod
    def _succeeded(answered: Answered, models: list[ModelConfig]) -> ModelResult:
        response = answered.response
        asked = answered.tries[-1].model if answered.tries else response.model
        model = next((m for m in models if m.name == asked), None)
        return ModelResult(
            content=response.text,
            status=ModelStatus.SUCCESS,
            model_name=asked,
            tokens=ModelTokens(prompt=response.usage.input_tokens, completion=response.usage.output_tokens),
            cost=_cost(response, model),
            latency=response.latency,
            raw_response=response.model_dump(mode="json"),
        )


def _cost(response: ModelResponse, model: ModelConfig | None) -> float:
    if model is not None and (model.cost_per_1k_input or model.cost_per_1k_output):
        usage = response.usage
        return (usage.input_tokens * model.cost_per_1k_input + usage.output_tokens * model.cost_per_1k_output) / 1_000
    return 0.0 if response.cost is None else response.cost.usd


def _failed(error: ModelError, first: ModelConfig) -> ModelResult:
    status = ModelStatus.ERROR
    if isinstance(error, NoModelFits):
        status = ModelStatus.UNAVAILABLE
    elif isinstance(error, ModelTimedOut) or _all_timed_out(error):
        status = ModelStatus.TIMEOUT
    return ModelResult(status=status, model_name=first.name, error_message=error.message)


def _all_timed_out(error: ModelError) -> bool:
    tries = error.tries if isinstance(error, AllModelsFailed) else ()
    asked = [each for each in tries if each.status != "skipped"]
    return bool(asked) and all(each.status == "timeout" for each in asked)
