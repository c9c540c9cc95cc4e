"""Which models may answer a call, in what order, and what may be done when one fails: per agent, task or call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_SHAPE = ConfigDict(frozen=True, extra="forbid", defer_build=True)

Strategy = Literal[
    "priority",
    "cheapest",
    "fastest",
    "balanced",
    "round_robin",
    "quality_first",
    "speed_first",
    "cost_optimized",
]


class Degraded(BaseModel):
    """What may be given in place of an answer when every model failed. Nothing, unless it is named here.

    Attributes:
        stale: An answer from the cache whose time is over.
        partial: What had arrived of an answer that broke off or ran into a length limit.
        text: These words.
    """

    model_config = _SHAPE

    stale: bool = False
    partial: bool = False
    text: str | None = None


class Route(BaseModel):
    """How a call finds its model. A route of a call overrides field by field that of its task, agent and system.

    Attributes:
        models: The chain, each a provider (`openai`), a model of one (`openai/gpt-5-mini`) or a model whoever has
            it (`gpt-oss-120b`). Empty: every configured provider with its default model.
        tiers: Only providers and models of these tiers.
        strategy: The order. None keeps that of `models`; without a chain it is `priority`.
        local_only: Only providers on the user's own machines.
        force: This model and no other, spelled as in `models`.
        larger_models: A context overflow may go to a model outside the chain.
        max_models: How many models are tried; None tries all.
        max_retries: Further tries with the same model.
        seconds: Deadline of the whole call.
        try_seconds: Longest single try. Streams that keep flowing are bounded by `seconds` alone.
        connect_seconds, first_token_seconds, between_tokens_seconds: Bounds within a try.
        longest_pause: A provider that asks for a longer pause than this is not waited for.
        allow_filtered_elsewhere: A refusal by a content filter may go to another provider.
        restart_stream: A stream that broke off underway is begun again with another model, which the caller sees.
        degraded: What may be given when everything failed.
        cache_seconds: How old an answer to the identical prompt may be; None asks afresh.
        similar: With `cache_seconds`, the answer to a prompt that is alike may serve too: how alike at least, as the
            cosine of the embeddings of the last messages (0.85 is usual). Costs an embedding a call.
        embedding_model: Who embeds for `similar`: `openai/text-embedding-3-small`.
        share_identical: Identical calls at the same time share one answer. Goes without saying with a cache.
    """

    model_config = _SHAPE

    models: tuple[str, ...] = ()
    tiers: frozenset[int] = frozenset()
    strategy: Strategy | None = None
    local_only: bool = False
    force: str | None = None
    larger_models: bool = True
    max_models: int | None = Field(default=None, ge=1)
    max_retries: int = Field(default=2, ge=0, le=10)
    seconds: float = Field(default=120.0, gt=0)
    try_seconds: float | None = Field(default=60.0, gt=0)
    connect_seconds: float = Field(default=10.0, gt=0)
    first_token_seconds: float | None = Field(default=30.0, gt=0)
    between_tokens_seconds: float | None = Field(default=20.0, gt=0)
    longest_pause: float = Field(default=20.0, ge=0)
    allow_filtered_elsewhere: bool = False
    restart_stream: bool = False
    degraded: Degraded = Degraded()
    cache_seconds: float | None = Field(default=None, gt=0)
    similar: float | None = Field(default=None, gt=0, le=1)
    embedding_model: str | None = None
    share_identical: bool = False

    def over(self, defaults: Route) -> Route:
        """This route, and `defaults` where it says nothing."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        return defaults.model_copy(update=said) if said else defaults


class CallContext(BaseModel):
    """On whose account a call is made; routes and budgets go by it.

    Attributes:
        agent: Address or id of the agent.
        task: Id of the task.
        task_type: What kind of task it is.
        team: Of the agent.
        purpose: What the money is spent on.
    """

    model_config = _SHAPE

    agent: str | None = None
    task: str | None = None
    task_type: str | None = None
    team: str | None = None
    purpose: str | None = None


class Routes(BaseModel):
    """The routes a system has settled on.

    Attributes:
        default: For every call.
        by_purpose, by_team, by_agent, by_task_type: What differs for some; the later ones override the earlier.
    """

    model_config = _SHAPE

    default: Route = Route()
    by_purpose: Mapping[str, Route] = Field(default_factory=dict)
    by_team: Mapping[str, Route] = Field(default_factory=dict)
    by_agent: Mapping[str, Route] = Field(default_factory=dict)
    by_task_type: Mapping[str, Route] = Field(default_factory=dict)

    def resolve(self, context: CallContext, own: Route | None) -> Route:
        """The route of a call made in this context, whose own route is `own`."""
        chosen = self.default
        places: tuple[tuple[Mapping[str, Route], str | None], ...] = (
            (self.by_purpose, context.purpose),
            (self.by_team, context.team),
            (self.by_agent, context.agent),
            (self.by_task_type, context.task_type),
        )
        for routes, key in places:
            if key is not None and key in routes:
                chosen = routes[key].over(chosen)
        return own.over(chosen) if own is not None else chosen
