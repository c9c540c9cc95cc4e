"""What a system settles about its model router."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from aos.llm.budgets import Budget
from aos.llm.prices import Price
from aos.llm.route import Routes


class RouterSettings(BaseModel):
    """Times are in seconds, money in US dollars.

    Attributes:
        routes: Chains, tiers and strategies.
        budgets: All that are in force.
        prices: Put over the shipped catalogue.
        unknown_price: Assumed per million tokens where a budget is in force and nobody knows a model's price.
            Without it, such a model is not asked while a budget is in force.
        assumed_output_tokens: Length of an answer that the caller does not bound, for estimates.
        estimate_margin: By which estimates are raised before they are reserved.
        failure_threshold, failure_window, open_seconds, success_threshold: Of the breakers.
        share_seconds: At most one reading and one writing of shared state in this time.
        long_outage: How long a provider is out that has no credit or refuses the key, or a model that is gone.
        rate_limit_pause: After a rate limit whose reset the provider does not tell.
        first_pause, longest_backoff: Before a second try; it doubles up to the longest.
        concurrency: Calls at a time to a provider whose profile does not say; `queue` more may wait.
        assumed_latency: Of models that were not asked yet.
        cache_entries: Answers kept in this process.
        record_spending: Write each call down in a table (`aos.llm.spending`): one storage transaction more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    routes: Routes = Routes()
    budgets: tuple[Budget, ...] = ()
    prices: tuple[Price, ...] = ()
    unknown_price: float | None = Field(default=None, ge=0)
    assumed_output_tokens: int = Field(default=1_024, ge=1)
    estimate_margin: float = Field(default=1.2, ge=1)
    failure_threshold: int = Field(default=5, ge=1)
    failure_window: float = Field(default=60.0, gt=0)
    open_seconds: float = Field(default=60.0, gt=0)
    success_threshold: int = Field(default=2, ge=1)
    share_seconds: float = Field(default=1.0, ge=0)
    long_outage: float = Field(default=3_600.0, gt=0)
    rate_limit_pause: float = Field(default=5.0, gt=0)
    first_pause: float = Field(default=0.5, ge=0)
    longest_backoff: float = Field(default=8.0, ge=0)
    concurrency: int = Field(default=32, ge=1)
    queue: int = Field(default=256, ge=0)
    assumed_latency: float = Field(default=1.5, gt=0)
    cache_entries: int = Field(default=256, ge=0)
    record_spending: bool = False
