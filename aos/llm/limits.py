"""Keeps to providers' limits: requests and tokens a minute and calls at a time, as configured and as answers tell."""

from __future__ import annotations

from dataclasses import dataclass

from aos.kernel.ports import Clock
from aos.llm.candidates import Candidate
from aos.llm.provider import Limits
from aos.llm.response import RateLimits, RateWindow
from aos.reliability.bulkhead import Bulkhead
from aos.reliability.rate_limiter import RateLimiter

_MINUTE = 60.0
_WINDOWS = ("requests", "tokens", "input_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class Load:
    """What a call takes of a provider's limits."""

    input_tokens: int = 0
    output_tokens: int = 0

    def of(self, window: str) -> int:
        amounts = {
            "requests": 1,
            "tokens": self.input_tokens + self.output_tokens,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
        }
        return amounts[window]


@dataclass(slots=True)
class _Reported:
    """What is left of a window, by the last answer and what was sent since."""

    remaining: int
    resets_at: float
    limit: int | None


class Gate:
    """The limits of one model. What it lets through counts at once, and is put right by the answer."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._clock = clock
        self._reported: dict[str, _Reported] = {}
        self._configured: dict[str, RateLimiter] = {}
        if limits.requests_per_minute is not None:
            self._configured["requests"] = RateLimiter(limits.requests_per_minute, _MINUTE, clock=clock)
        if limits.tokens_per_minute is not None:
            self._configured["tokens"] = RateLimiter(limits.tokens_per_minute, _MINUTE, clock=clock)

    def wait(self, load: Load) -> float:
        """Seconds until the call fits; 0 when it fits now."""
        waits = [limiter.wait(load.of(window)) for window, limiter in self._configured.items()]
        now = self._clock.monotonic()
        for window, reported in self._reported.items():
            needed = load.of(window) if reported.limit is None else min(load.of(window), reported.limit)
            if reported.remaining < needed and reported.resets_at > now:
                waits.append(reported.resets_at - now)
        return max(waits, default=0.0)

    def enter(self, load: Load) -> None:
        for window, limiter in self._configured.items():
            limiter.take(load.of(window))
        for window, reported in self._reported.items():
            reported.remaining -= load.of(window)

    def leave(self, load: Load, used: Load | None, told: RateLimits | None) -> None:
        """Put right what `enter` assumed: `used` is None for a call that came to nothing."""
        tokens = self._configured.get("tokens")
        if tokens is not None:
            excess = load.of("tokens") - (used.of("tokens") if used else 0)
            tokens.give_back(excess)
            tokens.take(-excess)
        if told is not None:
            for window in _WINDOWS:
                self._learn(window, getattr(told, window))

    def _learn(self, window: str, told: RateWindow | None) -> None:
        if told is None or told.remaining is None or told.reset_after is None:
            return
        self._reported[window] = _Reported(told.remaining, self._clock.monotonic() + told.reset_after, told.limit)


class ProviderLimits:
    """The gates of all models, and a bulkhead for each provider.

    Args:
        clock: The time.
        concurrency: Calls at a time to a provider whose profile does not say.
        queue: Calls that may wait for one of them.
    """

    def __init__(self, clock: Clock, *, concurrency: int = 32, queue: int = 256) -> None:
        self._clock = clock
        self._concurrency = concurrency
        self._queue = queue
        self._gates: dict[tuple[str, str], Gate] = {}
        self._bulkheads: dict[str, Bulkhead] = {}

    def gate(self, candidate: Candidate) -> Gate:
        gate = self._gates.get(candidate.key)
        if gate is None:
            gate = self._gates[candidate.key] = Gate(candidate.limits, self._clock)
        return gate

    def bulkhead(self, candidate: Candidate) -> Bulkhead:
        provider = candidate.profile
        bulkhead = self._bulkheads.get(provider.id)
        if bulkhead is None:
            size = provider.limits.concurrency or self._concurrency
            bulkhead = Bulkhead(size, self._queue, timeout=None, name=provider.name or provider.id)
            self._bulkheads[provider.id] = bulkhead
        return bulkhead

    def in_flight(self, provider: str) -> int:
        bulkhead = self._bulkheads.get(provider)
        return 0 if bulkhead is None else bulkhead.active
