"""What an agent type may ask of the kernel: retries, order, time and size."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with jitter, spent as scheduled messages.

    Attributes:
        max_attempts: Tries in all; after the last the message is a dead letter.
        first_delay: Seconds before the second try.
        factor: How much longer each further delay is.
        max_delay: Seconds no delay exceeds.
        jitter: Up to this share of the delay is added at random, so that many failures do not return at once.
    """

    max_attempts: int = 5
    first_delay: float = 1.0
    factor: float = 2.0
    max_delay: float = 300.0
    jitter: float = 0.25

    def delay(self, attempt: int, chance: float, *, at_least: float | None = None) -> float:
        """Seconds to wait after try number `attempt` (from 1), where `chance` is a random number in [0, 1)."""
        try:
            delay = min(self.max_delay, self.first_delay * self.factor ** (attempt - 1))
        except OverflowError:
            delay = self.max_delay
        return max(delay * (1 + self.jitter * chance), at_least or 0.0)


@dataclass(frozen=True, slots=True)
class AgentPolicy:
    """How the kernel treats one type of agent.

    Attributes:
        retry: When a handler fails.
        strict_order: Later messages wait while one is put aside for retry.
        message_timeout: Seconds a handler may take for one message.
        max_state_bytes: Limit of the state as JSON.
        dedupe_window: How many of the latest messages the head remembers to recognise a repeated one.
        max_pending_requests: Questions that may be open at a time.
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    strict_order: bool = False
    message_timeout: float = 300.0
    max_state_bytes: int = 4 * 1024 * 1024
    dedupe_window: int = 256
    max_pending_requests: int = 1_000
