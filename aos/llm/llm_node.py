"""A node that answers `llm` tasks: a prompt in, text out, error codes where that fails."""

from __future__ import annotations

import os
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from aos.kernel.errors import InvalidInput
from aos.llm.building import build_router
from aos.llm.llm_manager import LLMManager, LLMManagerConfig, ModelConfig, ModelStatus
from aos.llm.providers import builtin


class LLMTask(BaseModel):
    """What an `LLMNode` is handed: `task_type` is `llm`, `payload` holds the `prompt` and the options of `complete`."""

    task_type: str
    payload: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] | None = None


class LLMNodeResult(BaseModel):
    """Success with `result["content"]`, or an `error` code with the reason in `result`."""

    success: bool
    result: dict[str, Any] | str
    latency: float | None = None
    source: str | None = None
    error: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class LLMNodeConfig(BaseModel):
    """A node with keys of its own.

    Attributes:
        name: Of the node.
        providers: Ids of providers, in the order in which they are asked.
        api_keys: By provider; where one is absent, the provider's environment variables are looked at.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = "llm"
    providers: list[str] = Field(min_length=1)
    api_keys: dict[str, SecretStr] = Field(default_factory=dict)


class LLMNode:
    """A manager behind a node's `handle`.

    Args:
        source: The manager, or the configuration of a node that builds its own.
        name: Of the node, where a manager is given.
    """

    task_type: Literal["llm"] = "llm"

    def __init__(self, source: LLMManager | LLMNodeConfig, name: str = "llm") -> None:
        self._manager = source if isinstance(source, LLMManager) else manager_of(source)
        self.name = name if isinstance(source, LLMManager) else source.name

    async def handle(self, task: LLMTask) -> LLMNodeResult:
        """Answer the task's prompt. Errors: `unsupported_task_type`, `missing_prompt`, `llm_api_error`."""
        if task.task_type != self.task_type:
            return self._refused("unsupported_task_type", f"Task type {task.task_type!r} is not 'llm'.")
        prompt = task.payload.get("prompt")
        if not isinstance(prompt, str) or not prompt:
            return self._refused("missing_prompt", "The payload needs a 'prompt'.")
        names = ("system_prompt", "max_tokens", "temperature", "force_model")
        options = {name: task.payload[name] for name in names if name in task.payload}
        found = await self._manager.complete(prompt, **options)
        if found.status is not ModelStatus.SUCCESS:
            return self._refused("llm_api_error", found.error_message or found.status.value)
        metadata = {"model": found.model_name, "tokens": found.tokens.model_dump(), "cost": found.cost}
        return LLMNodeResult(
            success=True,
            result={"content": found.content},
            latency=found.latency,
            source=self.name,
            metadata={**(task.metadata or {}), **metadata},
        )

    def get_stats(self) -> dict[str, Any]:
        return self._manager.get_stats()

    async def aclose(self) -> None:
        """Close the manager's connections."""
        await self._manager.aclose()

    def _refused(self, error: str, reason: str) -> LLMNodeResult:
        return LLMNodeResult(success=False, result=reason, source=self.name, error=error)


def manager_of(config: LLMNodeConfig) -> LLMManager:
    """A manager over a router of its own, with the configuration's keys.

    Raises:
        NotFound: there is no provider of that name.
        InvalidInput: a provider has no default model.
    """
    keys: dict[str, str] = {}
    models: list[ModelConfig] = []
    for place, name in enumerate(config.providers):
        profile = builtin().named(name)
        if profile.default_model is None:
            raise InvalidInput(f"Provider {name!r} has no default model; use a router with a route that names one.")
        if name in config.api_keys:
            keys |= dict.fromkeys(profile.api_key_env[:1], config.api_keys[name].get_secret_value())
        models.append(
            ModelConfig(
                name=profile.default_model, provider=profile.id, priority=max(100 - place, 0), local=profile.local
            )
        )

    async def secrets(name: str) -> str | None:
        return keys.get(name) or os.environ.get(name, "").strip() or None

    return LLMManager(build_router(secrets=secrets), LLMManagerConfig(models=models))
