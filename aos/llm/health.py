"""How providers and models are faring: their breakers, and the latency and success that were learned."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from aos.kernel.ports import Clock
from aos.llm.candidates import Candidate
from aos.llm.errors import ConnectionFailed, ModelError, ModelTimedOut, Outage, ProviderNotConfigured
from aos.llm.strategies import Standing
from aos.reliability.breaker import BreakerState, CircuitBreaker, Permit
from aos.reliability.errors import CircuitBreakerOpenError
from aos.reliability.shared_breakers import SharedBreakers

_REMEMBERED = 50
_WEIGHT = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class OutagePolicy:
    """How long, in seconds, a failure takes a provider or model out.

    Attributes:
        long: Where somebody has to act: no credit, a wrong key, a model that is not there.
        rate_limit: A rate limit whose reset the provider did not tell.
    """

    long: float = 3_600.0
    rate_limit: float = 5.0


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to call a model: of its provider's breaker and of its own."""

    provider: Permit
    model: Permit

    def succeeded(self) -> None:
        self.provider.succeeded()
        self.model.succeeded()

    def released(self) -> None:
        self.provider.released()
        self.model.released()


@dataclass(slots=True)
class _Learned:
    latency: float | None = None
    outcomes: deque[bool] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    last_success: datetime | None = None
    last_failure: datetime | None = None
    consecutive_failures: int = 0


class Health:
    """Decides whether a model may be asked, and learns from how it went.

    Args:
        breakers: One for each provider, one for each of its models.
        clock: The time.
        policy: How long outages last.
    """

    def __init__(self, breakers: SharedBreakers, clock: Clock, policy: OutagePolicy | None = None) -> None:
        self.breakers = breakers
        self._clock = clock
        self._policy = policy or OutagePolicy()
        self._learned: dict[tuple[str, str], _Learned] = {}

    def of_provider(self, candidate: Candidate) -> CircuitBreaker:
        return self.breakers.get(candidate.profile.id)

    def of_model(self, candidate: Candidate) -> CircuitBreaker:
        return self.breakers.get(candidate.label)

    async def admit(self, candidate: Candidate) -> Admission:
        """Leave for one call. Raises `CircuitBreakerOpenError`."""
        provider = await self.breakers.admit(candidate.profile.id)
        try:
            return Admission(provider, await self.breakers.admit(candidate.label))
        except CircuitBreakerOpenError:
            provider.released()
            raise

    def obstacle(self, candidate: Candidate) -> str | None:
        """Why the model would not be asked now, as far as is known here."""
        for breaker in (self.of_provider(candidate), self.of_model(candidate)):
            if (refused := breaker.refusal()) is not None:
                return refused.message
        return None

    def pause(self, candidate: Candidate) -> float | None:
        """Seconds until a model that asked for a pause may be asked again; None where that is not its trouble."""
        open_now = (self.of_provider(candidate).state, self.of_model(candidate).state)
        if BreakerState.OPEN in open_now:
            return None
        return max(self.of_provider(candidate).paused, self.of_model(candidate).paused) or None

    def succeeded(self, candidate: Candidate, admission: Admission, seconds: float) -> None:
        admission.succeeded()
        learned = self._of(candidate)
        learned.outcomes.append(True)
        learned.last_success = self._clock.now()
        learned.consecutive_failures = 0
        before = learned.latency
        learned.latency = seconds if before is None else before + _WEIGHT * (seconds - before)

    def failed(self, candidate: Candidate, admission: Admission, error: ModelError) -> None:
        """Learn from a failure, as the error says what it means for the provider."""
        outage = Outage.NONE if isinstance(error, ProviderNotConfigured) else error.outage
        if outage is Outage.FAILURE:
            admission.model.failed()
            if _is_of_provider(error):
                admission.provider.failed()
        admission.released()
        if outage is Outage.NONE:
            return
        learned = self._of(candidate)
        learned.outcomes.append(False)
        learned.last_failure = self._clock.now()
        learned.consecutive_failures += 1
        if outage is Outage.UNTIL_RESET:
            self._pause(candidate, error)
        elif outage is Outage.MODEL:
            self.of_model(candidate).trip(self._policy.long, f"is out ({error.code})")
        elif outage is Outage.LONG:
            self.of_provider(candidate).trip(self._policy.long, f"is out ({error.code})")

    def standing(self, candidate: Candidate, in_flight: int = 0) -> Standing:
        learned = self._learned.get(candidate.key)
        if learned is None:
            return Standing(in_flight=in_flight)
        outcomes = learned.outcomes
        rate = sum(outcomes) / len(outcomes) if outcomes else None
        return Standing(latency=learned.latency, success_rate=rate, in_flight=in_flight)

    def report(self, candidate: Candidate) -> dict[str, object]:
        """The health of a model, for people: times are ISO 8601."""
        learned = self._learned.get(candidate.key, _Learned())
        standing = self.standing(candidate)
        return {
            "is_healthy": self.obstacle(candidate) is None,
            "response_time_ms": None if standing.latency is None else round(standing.latency * 1_000),
            "success_rate": standing.success_rate,
            "consecutive_failures": learned.consecutive_failures,
            "last_success": learned.last_success.isoformat() if learned.last_success else None,
            "last_failure": learned.last_failure.isoformat() if learned.last_failure else None,
        }

    def reset(self, candidate: Candidate) -> None:
        """Forgive provider and model: somebody has mended what was wrong."""
        self.of_provider(candidate).reset()
        self.of_model(candidate).reset()

    def _pause(self, candidate: Candidate, error: ModelError) -> None:
        seconds = self._policy.rate_limit if error.retry_after is None else error.retry_after
        self.of_model(candidate).pause(seconds, "has reached its rate limit")

    def _of(self, candidate: Candidate) -> _Learned:
        return self._learned.setdefault(candidate.key, _Learned())


def _is_of_provider(error: ModelError) -> bool:
    """Whether a failure says that the provider as a whole cannot be reached."""
    return isinstance(error, ConnectionFailed) or (isinstance(error, ModelTimedOut) and error.phase == "connect")
