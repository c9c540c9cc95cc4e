"""Refusals of the reliability services. All but the poison message are worth another try later.

::

    AosError
    ├── RetryableError
    │   ├── CircuitBreakerOpenError  the service failed too often; it is left alone for a while
    │   └── Throttled
    │       ├── RateLimitError           too many in the period
    │       ├── BulkheadFullError        too many at a time, and the waiting line is full
    │       ├── BackpressureError        the queue is close to its limit
    │       └── LoadSheddingError        the queue is so full that only critical work is taken
    └── TerminalError
        └── PoisonMessage            retried as often as its policy allows
"""

from __future__ import annotations

from typing import Any

from aos.kernel.errors import AttemptsExhausted, RetryableError, Throttled


class CircuitBreakerOpenError(RetryableError):
    code = "circuit_open"


class RateLimitError(Throttled):
    code = "rate_limit_exceeded"


class BulkheadFullError(Throttled):
    code = "bulkhead_full"


class BackpressureError(Throttled):
    code = "backpressure"


class LoadSheddingError(BackpressureError):
    code = "load_shed"


class PoisonMessage(AttemptsExhausted):
    """Work that failed as often as its policy allows, with all that is needed to look into it.

    Its `details` hold `message_id`, `failure_class`, `attempts`, `last_error`, `quarantined_at` and
    `original_payload`.
    """

    code = "poison_message"

    @property
    def message_id(self) -> str:
        return str(self.details.get("message_id", ""))

    @property
    def failure_class(self) -> str:
        return str(self.details.get("failure_class", "unknown"))

    @property
    def attempts(self) -> int:
        return int(self.details.get("attempts", 0))

    @property
    def original_payload(self) -> Any:
        return self.details.get("original_payload")
