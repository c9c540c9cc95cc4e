"""The orders in which candidates are asked. Each is a pure function of what is known of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aos.llm.candidates import Candidate
from aos.llm.route import Route, Strategy

_ORDERS: dict[str, tuple[str, ...]] = {
    "quality_first": (
        "openai", "anthropic", "google", "mistral", "cohere", "openrouter", "together", "anyscale", "fireworks",
        "groq", "deepseek", "perplexity", "cerebras", "replicate", "huggingface", "ollama",
    ),
    "speed_first": (
        "cerebras", "groq", "fireworks", "anyscale", "together", "anthropic", "openai", "cohere", "mistral", "google",
        "openrouter", "deepseek", "perplexity", "replicate", "huggingface", "ollama",
    ),
    "cost_optimized": (
        "ollama", "huggingface", "groq", "deepseek", "google", "cerebras", "fireworks", "together", "anyscale",
        "perplexity", "replicate", "cohere", "anthropic", "openrouter", "mistral", "openai",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """How a model has been faring. None is not known.

    Attributes:
        latency: Learned seconds of an answer.
        success_rate: Share of the latest calls that succeeded.
        in_flight: Calls under way in this process.
    """

    latency: float | None = None
    success_rate: float | None = None
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an order goes by.

    Attributes:
        standings: By provider and model.
        input_tokens, output_tokens: What the call is likely to take, for its price.
        assumed_latency: For models that nobody has asked yet, so that they are asked at all.
        turn: Counts calls, for round robin.
    """

    standings: Mapping[tuple[str, str], Standing] = field(default_factory=dict)
    input_tokens: int = 1_000
    output_tokens: int = 1_000
    assumed_latency: float = 1.5
    turn: int = 0

    def of(self, candidate: Candidate) -> Standing:
        return self.standings.get(candidate.key, Standing())

    def usd(self, candidate: Candidate) -> float | None:
        return candidate.usd(self.input_tokens, self.output_tokens)

    def latency(self, candidate: Candidate) -> float:
        learned = self.of(candidate).latency
        return self.assumed_latency if learned is None else learned


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate and why it stands where it stands."""

    candidate: Candidate
    why: str


def order(candidates: Sequence[Candidate], route: Route, circumstances: Circumstances) -> list[Ranked]:
    """Candidates in the order in which they are to be asked."""
    strategy = strategy_of(route)
    if strategy is None:
        return [Ranked(c, f"place {c.position + 1} of the chain") for c in sorted(candidates, key=_by_position)]
    if strategy in _ORDERS:
        return _by_list(candidates, _ORDERS[strategy])
    return _STRATEGIES[strategy](sorted(candidates, key=_by_priority), circumstances)


def strategy_of(route: Route) -> Strategy | None:
    """The strategy in force; None for the order of the chain."""
    if route.strategy is None and not route.models and route.force is None:
        return "priority"
    return route.strategy


def _priority(candidates: list[Candidate], _: Circumstances) -> list[Ranked]:
    return [Ranked(c, f"tier {c.tier}, priority {c.profile.priority}") for c in candidates]


def _cheapest(candidates: list[Candidate], circumstances: Circumstances) -> list[Ranked]:
    def price(candidate: Candidate) -> tuple[bool, float]:
        usd = circumstances.usd(candidate)
        return (usd is None, usd or 0.0)

    def why(candidate: Candidate) -> str:
        usd = circumstances.usd(candidate)
        return "price not known, so after the known ones" if usd is None else f"about {usd:.6f} USD"

    return [Ranked(c, why(c)) for c in sorted(candidates, key=price)]


def _fastest(candidates: list[Candidate], circumstances: Circumstances) -> list[Ranked]:
    def why(candidate: Candidate) -> str:
        learned = circumstances.of(candidate).latency
        return f"{circumstances.latency(candidate):.2f} s {'assumed' if learned is None else 'learned'}"

    return [Ranked(c, why(c)) for c in sorted(candidates, key=circumstances.latency)]


def _balanced(candidates: list[Candidate], circumstances: Circumstances) -> list[Ranked]:
    """By a score of price, latency, success and load, each compared with the middle of the field; least is best.

    A known price counts as its ratio to the median of the known ones, an unknown one as twice the median.
    """
    known = [usd for usd in map(circumstances.usd, candidates) if usd]
    middle_usd = statistics.median(known) if known else 1.0
    middle_latency = statistics.median([circumstances.latency(c) for c in candidates]) if candidates else 1.0

    def score(candidate: Candidate) -> float:
        usd = circumstances.usd(candidate)
        price = 2.0 if usd is None else usd / middle_usd
        speed = circumstances.latency(candidate) / (middle_latency or 1.0)
        standing = circumstances.of(candidate)
        success = 1.0 if standing.success_rate is None else standing.success_rate
        return 0.35 * price + 0.35 * speed + 1.0 * (1.0 - success) + 0.1 * candidate.tier + 0.05 * standing.in_flight

    return [Ranked(c, f"score {score(c):.3f} of price, speed, success and load") for c in sorted(candidates, key=score)]


def _round_robin(candidates: list[Candidate], circumstances: Circumstances) -> list[Ranked]:
    if not candidates:
        return []
    start = circumstances.turn % len(candidates)
    turned = candidates[start:] + candidates[:start]
    return [Ranked(c, f"turn {circumstances.turn + 1} of the round") for c in turned]


def _by_list(candidates: Sequence[Candidate], names: tuple[str, ...]) -> list[Ranked]:
    places = {name: place for place, name in enumerate(names)}
    ranked = sorted(candidates, key=lambda c: (places.get(c.profile.id, len(names)), *_by_priority(c)))
    return [
        Ranked(c, f"place {places[c.profile.id] + 1} of the order" if c.profile.id in places else "not in the order")
        for c in ranked
    ]


def _by_position(candidate: Candidate) -> int:
    return candidate.position


def _by_priority(candidate: Candidate) -> tuple[int, int, int]:
    return candidate.tier, candidate.profile.priority, candidate.position


_STRATEGIES: dict[str, Callable[[list[Candidate], Circumstances], list[Ranked]]] = {
    "priority": _priority,
    "cheapest": _cheapest,
    "fastest": _fastest,
    "balanced": _balanced,
    "round_robin": _round_robin,
}
