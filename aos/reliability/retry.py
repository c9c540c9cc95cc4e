"""Retries within one call: which failures are worth another try, how many, and how long to wait in between.

Messages are retried by the kernel; this is for calls to services that an adapter makes while a turn runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeVar

from aos.kernel.ambient import RandomIds, SystemClock
from aos.kernel.errors import AosError, InvalidInput, RetryableError, TerminalError, Throttled
from aos.kernel.ports import Clock, Ids
from aos.reliability.errors import PoisonMessage

T = TypeVar("T")


class FailureClass(StrEnum):
    TRANSIENT = "transient"
    RATE_LIMIT = "rate_limit"
    VALIDATION = "validation"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"


_WORDS = (
    (("timeout", "connection", "network"), FailureClass.TRANSIENT),
    (("validation", "schema", "parse"), FailureClass.VALIDATION),
)


def classify(error: BaseException) -> FailureClass:
    """The class of a failure: by its type where that says enough, else by the name of its type."""
    if isinstance(error, Throttled):
        return FailureClass.RATE_LIMIT
    if isinstance(error, InvalidInput | ValueError):
        return FailureClass.VALIDATION
    if isinstance(error, TerminalError):
        return FailureClass.PERMANENT
    if isinstance(error, RetryableError | TimeoutError | ConnectionError):
        return FailureClass.TRANSIENT
    if isinstance(error, AosError):
        return FailureClass.TRANSIENT if error.retryable else FailureClass.PERMANENT
    name = type(error).__name__.lower()
    return next((kind for words, kind in _WORDS if any(word in name for word in words)), FailureClass.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig:
    """How often and how fast to try again.

    Attributes:
        max_attempts: Tries in all.
        base_delay_ms: Before the second try.
        max_delay_ms: No delay is longer, jitter aside.
        backoff: Delays double, grow by the first one, or stay.
        jitter: Up to this share of the delay is added at random.
        attempts_by_class: Tries for failures of a class, where they differ.
    """

    max_attempts: int = 3
    base_delay_ms: float = 100.0
    max_delay_ms: float = 60_000.0
    backoff: Literal["exponential", "linear", "constant"] = "exponential"
    jitter: float = 0.25
    attempts_by_class: Mapping[FailureClass, int] = field(
        default_factory=lambda: {FailureClass.PERMANENT: 1, FailureClass.VALIDATION: 1}
    )

    def attempts(self, failure: FailureClass) -> int:
        """Tries for failures of a class. A permanent one is never tried again."""
        if failure is FailureClass.PERMANENT:
            return 1
        return self.attempts_by_class.get(failure, self.max_attempts)

    def delay(self, tries: int, chance: float) -> float:
        """Seconds to wait after so many tries (from 1), where `chance` is a random number in [0, 1)."""
        factor = {"exponential": 2.0 ** min(tries - 1, 60), "linear": float(tries), "constant": 1.0}[self.backoff]
        return min(self.base_delay_ms * factor, self.max_delay_ms) * (1 + self.jitter * chance) / 1000


class Retry:
    """Runs work until it succeeds or its tries are spent.

    Args:
        config: How often and how fast.
        classifier: Names the class of a failure.
        sleep: How to wait.
        clock: For the moment of quarantine.
        ids: Where the jitter comes from.
    """

    def __init__(
        self,
        config: RetryConfig | None = None,
        *,
        classifier: Callable[[BaseException], FailureClass] = classify,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        self.config = config or RetryConfig()
        self._classify = classifier
        self._sleep = sleep
        self._clock = clock or SystemClock()
        self._ids = ids or RandomIds()

    async def run(self, work: Callable[[], Awaitable[T]], *, message_id: str | None = None, payload: Any = None) -> T:
        """The result of the first try that succeeds.

        Args:
            work: Called for each try.
            message_id: Of the message that is worked on, if it is one.
            payload: What it held, kept with a poison message.

        Raises:
            PoisonMessage: the tries are spent, where a `message_id` was given; else the last error itself.
        """
        tries = 0
        while True:
            tries += 1
            try:
                return await work()
            except Exception as error:  # the classifier decides what it is worth
                failure = self._classify(error)
                if tries >= self.config.attempts(failure):
                    if message_id is None:
                        raise
                    raise self._poison(error, failure, tries, message_id, payload) from error
                told = getattr(error, "retry_after", None) or 0.0
                await self._sleep(max(self.config.delay(tries, self._ids.random()), told))

    def _poison(
        self, error: Exception, failure: FailureClass, tries: int, message_id: str, payload: Any
    ) -> PoisonMessage:
        return PoisonMessage(
            f"Message {message_id!r} failed {tries} times ({failure.value}); the last error was: {error}. "
            "Mend the cause and submit it again.",
            details={
                "message_id": message_id,
                "failure_class": failure.value,
                "attempts": tries,
                "last_error": str(error),
                "quarantined_at": self._clock.now().isoformat(),
                "original_payload": payload,
            },
        )
