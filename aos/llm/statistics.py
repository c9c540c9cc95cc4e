"""Counts what the router did: calls, failures, fallbacks, retries, tokens and money, by model and by provider."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from aos.llm.response import Usage


@dataclass(slots=True)
class Tally:
    """Counts of one model or provider. Latencies are in seconds."""

    calls: int = 0
    successful: int = 0
    failed: int = 0
    total_latency: float = 0.0
    tokens: int = 0
    cost_usd: float = 0.0
    calls_of_unknown_cost: int = 0

    @property
    def avg_latency(self) -> float:
        return self.total_latency / self.successful if self.successful else 0.0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "avg_latency": self.avg_latency}


@dataclass(slots=True)
class Statistics:
    """What this process's router did since it began. A call here is one try with one model.

    Attributes:
        fallbacks: Times another model was asked because one had failed.
        retries: Times the same model was asked again.
        cached: Answers that came from the cache or were shared, and so were no calls.
        fallback_pairs: Counts by the providers before and after.
    """

    total_calls: int = 0
    successful_calls: int = 0
    failed_calls: int = 0
    fallbacks: int = 0
    retries: int = 0
    cached: int = 0
    by_model: dict[str, Tally] = field(default_factory=dict)
    by_provider: dict[str, Tally] = field(default_factory=dict)
    fallback_pairs: dict[tuple[str, str], int] = field(default_factory=dict)

    def succeeded(self, provider: str, model: str, seconds: float, usage: Usage, usd: float | None) -> None:
        self.total_calls += 1
        self.successful_calls += 1
        for tally in self._tallies(provider, model):
            tally.calls += 1
            tally.successful += 1
            tally.total_latency += seconds
            tally.tokens += usage.total_tokens
            tally.cost_usd += usd or 0.0
            tally.calls_of_unknown_cost += usd is None

    def failed(self, provider: str, model: str, usd: float | None = None) -> None:
        self.total_calls += 1
        self.failed_calls += 1
        for tally in self._tallies(provider, model):
            tally.calls += 1
            tally.failed += 1
            tally.cost_usd += usd or 0.0

    def fell_back(self, before: str, after: str) -> None:
        self.fallbacks += 1
        pair = (before, after)
        self.fallback_pairs[pair] = self.fallback_pairs.get(pair, 0) + 1

    def to_json(self) -> dict[str, Any]:
        return {
            "total_calls": self.total_calls,
            "successful_calls": self.successful_calls,
            "failed_calls": self.failed_calls,
            "fallbacks": self.fallbacks,
            "retries": self.retries,
            "cached": self.cached,
            "by_model": {name: tally.to_json() for name, tally in self.by_model.items()},
            "by_provider": {name: tally.to_json() for name, tally in self.by_provider.items()},
            "fallback_pairs": [
                {"from_provider": before, "to_provider": after, "count": count}
                for (before, after), count in self.fallback_pairs.items()
            ],
        }

    def _tallies(self, provider: str, model: str) -> tuple[Tally, Tally]:
        return (
            self.by_model.setdefault(f"{provider}/{model}", Tally()),
            self.by_provider.setdefault(provider, Tally()),
        )
