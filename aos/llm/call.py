"""One call in progress: whom it asks, how much time is left, and how its failures are named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aos.llm.errors import CallDeadlineExceeded, ModelError, ModelTimedOut, TimeoutPhase

if TYPE_CHECKING:
    from aos.kernel.ports import Clock
    from aos.llm.endpoint import Endpoint
    from aos.llm.provider import Capabilities, Limits, ParameterRules, ProviderProfile
    from aos.llm.transport import CallTimes


@dataclass(frozen=True, slots=True)
class Target:
    """A model of a provider, with everything about it looked up."""

    profile: ProviderProfile
    model: str
    endpoint: Endpoint
    capabilities: Capabilities
    limits: Limits
    rules: ParameterRules

    @property
    def label(self) -> str:
        return f"{self.profile.name or self.profile.id} ({self.model})"

    def error(self, kind: type[ModelError], message: str, **facts: Any) -> ModelError:
        """An error of this provider and model, with any key taken out of its message."""
        for name in ("provider_code", "request_id"):
            if isinstance(facts.get(name), str):
                facts[name] = self.endpoint.redact(facts[name])
        return kind(
            self.endpoint.redact(f"{self.label}: {message}"),
            provider=self.profile.id,
            model=self.model,
            **facts,
        )


_PHASES: dict[TimeoutPhase, str] = {
    "connect": "no connection",
    "first_token": "nothing of the answer came",
    "between_tokens": "the answer stopped coming",
    "whole": "no complete answer",
}


class Call:
    """Times a call. All moments are on the monotonic clock it was given."""

    def __init__(self, target: Target, times: CallTimes, clock: Clock) -> None:
        self.target = target
        self.times = times
        self._clock = clock
        self.started = clock.monotonic()

    @property
    def now(self) -> float:
        return self._clock.monotonic()

    @property
    def elapsed(self) -> float:
        return self.now - self.started

    def check(self) -> None:
        """Raises `CallDeadlineExceeded` where the caller's deadline has passed."""
        if self.times.deadline is not None and self.now >= self.times.deadline:
            raise self._too_late()

    @asynccontextmanager
    async def within(self, phase: TimeoutPhase, due: float | None) -> AsyncIterator[None]:
        """Bound the block by the moment `due` and by the caller's deadline, whichever is first.

        Raises:
            ModelTimedOut: `due` passed.
            CallDeadlineExceeded: the deadline passed.
        """
        self.check()
        deadline = self.times.deadline
        is_deadline = deadline is not None and (due is None or deadline <= due)
        moment = deadline if is_deadline else due
        seconds = None if moment is None else max(moment - self.now, 0.0)
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise self._too_late() if is_deadline else self.timed_out(phase) from None

    def timed_out(self, phase: TimeoutPhase) -> ModelError:
        return self.target.error(ModelTimedOut, f"{_PHASES[phase]} within {self._allowed(phase):g} s.", phase=phase)

    def _allowed(self, phase: TimeoutPhase) -> float:
        allowed = {
            "connect": self.times.connect,
            "first_token": self.times.first_token,
            "between_tokens": self.times.between_tokens,
            "whole": self.times.whole,
        }[phase]
        return self.elapsed if allowed is None else allowed

    def _too_late(self) -> ModelError:
        return self.target.error(CallDeadlineExceeded, "the caller's deadline passed before the answer came.")
