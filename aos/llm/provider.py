"""What is known of a provider and its models, as data: address, key, dialect, quirks, limits, end of life.

A profile says everything a dialect needs, so that another provider of a known dialect is a few lines of TOML.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_SHAPE = ConfigDict(frozen=True, extra="forbid", defer_build=True)

DialectName = Literal[
    "openai_chat",
    "anthropic_messages",
    "gemini_generate",
    "cohere_v2",
    "openai_responses",
    "replicate_predictions",
    "ollama_native",
]
Auth = Literal["bearer", "api-key", "x-api-key", "x-goog-api-key", "api-key+bearer", "none"]
ErrorKind = Literal[
    "rate_limited",
    "overloaded",
    "failed",
    "timed_out",
    "credit_exhausted",
    "authentication",
    "access",
    "model_not_found",
    "context_overflow",
    "content_filtered",
    "bad_request",
    "unsupported",
    "malformed",
]
StructuredOutput = Literal["json_schema", "json_object", "tool", "prompt"]


class Capabilities(BaseModel):
    """What a model can do. Where a model leaves a field None, its provider's value holds."""

    model_config = _SHAPE

    chat: bool | None = None
    streaming: bool | None = None
    tools: bool | None = None
    parallel_tools: bool | None = None
    tool_choice: bool | None = None
    vision: bool | None = None
    reasoning: bool | None = None
    seed: bool | None = None
    json_schema: bool | None = None
    json_object: bool | None = None
    embeddings: bool | None = None

    def over(self, defaults: Capabilities) -> Capabilities:
        """These, and `defaults` where these say nothing."""
        return defaults.model_copy(update=self.model_dump(exclude_none=True))


class Limits(BaseModel):
    """Bounds of a provider or a model. None is unknown, not unlimited.

    Attributes:
        context_window: Tokens a model can read, prompt and answer together where the vendor counts so.
        max_output_tokens: Tokens of the longest answer.
        requests_per_minute: And `tokens_per_minute`: what the router keeps to before it hears of better.
        concurrency: Calls at a time.
    """

    model_config = _SHAPE

    context_window: int | None = None
    max_output_tokens: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None

    def over(self, defaults: Limits) -> Limits:
        return defaults.model_copy(update=self.model_dump(exclude_none=True))


class EmbeddingRules(BaseModel):
    """How a provider's embeddings body differs.

    Attributes:
        drop: Fields never sent.
        rename: Field of the reference (`dimensions`, `encoding_format`) to the provider's name for it.
        purpose_field: Field that says what the texts are for, with its values for the two purposes.
    """

    model_config = _SHAPE

    drop: frozenset[str] = frozenset()
    rename: Mapping[str, str] = Field(default_factory=dict)
    purpose_field: str | None = None
    document: str = "document"
    query: str = "query"


class ParameterRules(BaseModel):
    """How a provider's body differs from its dialect's reference.

    Attributes:
        drop: Fields of the body that are never sent.
        allow: Where given, the only fields that are sent.
        rename: Field of the reference to the provider's name for it.
        fixed: Fields that are always sent with this value, unless the request set them.
        max_temperature: Higher ones are brought down to it.
        tool_choice: Which of `auto`, `none`, `required`, `named` are understood; what is not is sent as the
            nearest weaker one that is.
        tool_choice_style: `openai`, or `value` for a provider that wants `{"value": ...}`.
        structured: How a schema is asked for: natively, as JSON mode with the schema in the prompt, as a tool
            the model must call, or by the prompt alone.
        structured_with_tools: Whether that goes together with the caller's tools.
        structured_with_stream: Whether it goes together with streaming.
        stream_usage: Whether `stream_options.include_usage` has to be asked for.
        reasoning_outside_output: Reasoning tokens are not in the reported output tokens.
        echo_reasoning: Assistant messages must carry their reasoning when they are sent back.
        call_id_length: Length of alphanumeric tool-call ids, where the provider insists.
        responses_format: Where OpenAI's responses dialect puts the schema of an answer.
        indexed_calls: Tool calls that are sent back are numbered.
        reasoning_style: How reasoning is asked for: `reasoning_effort`, `thinking: {type}`, `enable_thinking`,
            or not at all. `reasoning_levels` puts the provider's words for ours.
    """

    model_config = _SHAPE

    drop: frozenset[str] = frozenset()
    allow: frozenset[str] | None = None
    rename: Mapping[str, str] = Field(default_factory=dict)
    fixed: Mapping[str, Any] = Field(default_factory=dict)
    max_temperature: float | None = None
    tool_choice: frozenset[Literal["auto", "none", "required", "named"]] = frozenset(
        {"auto", "none", "required", "named"}
    )
    tool_choice_style: Literal["openai", "value"] = "openai"
    structured: StructuredOutput = "json_schema"
    structured_with_tools: bool = True
    structured_with_stream: bool = True
    stream_usage: bool = True
    reasoning_outside_output: bool = False
    echo_reasoning: bool = False
    call_id_length: int | None = None
    indexed_calls: bool = False
    reasoning_style: Literal["effort", "thinking", "enable_thinking", "none"] = "effort"
    reasoning_levels: Mapping[str, str] = Field(default_factory=dict)
    responses_format: Literal["text", "response_format"] = "text"
    embedding: EmbeddingRules = EmbeddingRules()


class ModelProfile(BaseModel):
    """One model of a provider.

    Attributes:
        id: As the provider names it.
        aliases: Other names it answers to.
        deprecated_on: From this day on it is skipped.
        rules: Replaces the provider's fields that it sets.
        tier: Overrides the provider's.
    """

    model_config = _SHAPE

    id: str
    aliases: tuple[str, ...] = ()
    tier: int | None = None
    deprecated_on: date | None = None
    capabilities: Capabilities = Capabilities()
    limits: Limits = Limits()
    rules: Mapping[str, Any] = Field(default_factory=dict)
    dimensions: int | None = None


class ModelFamily(BaseModel):
    """What holds for all models whose name matches `pattern` (as in a file glob), listed or not."""

    model_config = _SHAPE

    pattern: str
    capabilities: Capabilities = Capabilities()
    limits: Limits = Limits()
    rules: Mapping[str, Any] = Field(default_factory=dict)


class Paths(BaseModel):
    """Where below the base URL things are. `{model}` is filled in."""

    model_config = _SHAPE

    chat: str | None = None
    embeddings: str | None = None


class ProviderProfile(BaseModel):
    """One provider.

    Attributes:
        id: Stable; what routes and reports call it. `aliases` are other names it is known by.
        base_url: May hold `{placeholders}`, each filled from the setting `variables` names for it.
        base_url_env: Settings that replace the base URL, first found wins. `base_url_suffix` is put behind such
            a value where it is not there, `base_url_trim` taken off its end where it is.
        api_key_env: Settings or vault secrets that hold the key, first found wins.
        bearer_env: Those of `api_key_env` whose value is sent as a bearer token whatever `auth` says.
        entra_scope: Where given, a Microsoft Entra token of this scope is used when there is no key.
        headers: Sent with every request. `header_env` names settings for those that are secret or personal.
        idempotency_header: Header for the idempotency key, where the provider takes one.
        tier: 1 is asked first; `local` providers run on the user's own machines.
        priority: Order within a tier, lower first.
        status: A retired provider is skipped; `sunset` is its last day, `notice` says what happened.
        default_model: What is asked when the route names none; `default_model_env` names settings that replace it.
        error_codes: The provider's own codes, types or statuses to the error they mean, where the general
            reading (`aos.llm.faults`) would be wrong.
    """

    model_config = _SHAPE

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    name: str = ""
    aliases: tuple[str, ...] = ()
    dialect: DialectName = "openai_chat"
    base_url: str = ""
    base_url_env: tuple[str, ...] = ()
    base_url_suffix: str = ""
    base_url_trim: str = ""
    variables: Mapping[str, str] = Field(default_factory=dict)
    api_key_env: tuple[str, ...] = ()
    bearer_env: frozenset[str] = frozenset()
    auth: Auth = "bearer"
    entra_scope: str | None = None
    api_version: str | None = None
    paths: Paths = Paths()
    query: Mapping[str, str] = Field(default_factory=dict)
    headers: Mapping[str, str] = Field(default_factory=dict)
    header_env: Mapping[str, str] = Field(default_factory=dict)
    idempotency_header: str | None = None
    tier: int = Field(default=3, ge=1, le=9)
    priority: int = Field(default=50, ge=0, le=1000)
    local: bool = False
    enabled: bool = True
    status: Literal["active", "retired"] = "active"
    sunset: date | None = None
    notice: str = ""
    capabilities: Capabilities = Capabilities()
    limits: Limits = Limits()
    rules: ParameterRules = ParameterRules()
    models: tuple[ModelProfile, ...] = ()
    families: tuple[ModelFamily, ...] = ()
    default_model: str | None = None
    default_model_env: tuple[str, ...] = ()
    default_embedding_model: str | None = None
    error_codes: Mapping[str, ErrorKind] = Field(default_factory=dict)

    def model(self, name: str) -> ModelProfile:
        """The model's profile; for one that is not listed, an empty profile of that name."""
        for known in self.models:
            if name == known.id or name in known.aliases:
                return known
        return ModelProfile(id=name)

    def family(self, model: str) -> ModelFamily:
        """The first family the model belongs to; an empty one where there is none."""
        name = self.model(model).id
        for family in self.families:
            if fnmatchcase(name, family.pattern):
                return family
        return ModelFamily(pattern=name)

    def capabilities_of(self, model: str) -> Capabilities:
        return self.model(model).capabilities.over(self.family(model).capabilities.over(self.capabilities))

    def limits_of(self, model: str) -> Limits:
        return self.model(model).limits.over(self.family(model).limits.over(self.limits))

    def rules_of(self, model: str) -> ParameterRules:
        own = {**self.family(model).rules, **self.model(model).rules}
        if not own:
            return self.rules
        return ParameterRules.model_validate({**self.rules.model_dump(exclude_unset=True), **own})

    def is_available(self, today: date) -> bool:
        """Whether the provider may be asked on this day: enabled, not retired, not past its sunset."""
        return self.enabled and self.status == "active" and not (self.sunset and today > self.sunset)

    def is_model_current(self, model: str, today: date) -> bool:
        ends = self.model(model).deprecated_on
        return ends is None or today < ends
