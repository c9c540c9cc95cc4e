"""What keeps a fault small: breakers, bulkheads, rate limits, retries, load shedding, idempotency, state machines.

What is exported here is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aos.reliability.breaker import BreakerPolicy, BreakerState, CircuitBreaker
    from aos.reliability.bulkhead import Bulkhead, Throttler
    from aos.reliability.errors import (
        BackpressureError,
        BulkheadFullError,
        CircuitBreakerOpenError,
        LoadSheddingError,
        PoisonMessage,
        RateLimitError,
    )
    from aos.reliability.fallback import Fallback, FallbackConfig, FallbackResult, FallbackStrategy
    from aos.reliability.idempotency import Idempotency, idempotency_key, request_key
    from aos.reliability.load_shedding import Backpressure, LoadShedder, QueueLimits
    from aos.reliability.rate_limiter import RateLimiter, SharedRateLimiter
    from aos.reliability.recovery import Recovery
    from aos.reliability.retry import FailureClass, Retry, RetryConfig
    from aos.reliability.shared_breakers import SharedBreakers
    from aos.reliability.single_flight import SingleFlight
    from aos.reliability.state_machine import State, StateMachine, StateMachineConfig, Transition
    from aos.reliability.state_machine_instance import StateMachineInstance, TransitionRecord

__all__ = [
    "Backpressure",
    "BackpressureError",
    "BreakerPolicy",
    "BreakerState",
    "Bulkhead",
    "BulkheadFullError",
    "CircuitBreaker",
    "CircuitBreakerOpenError",
    "FailureClass",
    "Fallback",
    "FallbackConfig",
    "FallbackResult",
    "FallbackStrategy",
    "Idempotency",
    "LoadShedder",
    "LoadSheddingError",
    "PoisonMessage",
    "QueueLimits",
    "RateLimitError",
    "RateLimiter",
    "Recovery",
    "Retry",
    "RetryConfig",
    "SharedBreakers",
    "SharedRateLimiter",
    "SingleFlight",
    "State",
    "StateMachine",
    "StateMachineConfig",
    "StateMachineInstance",
    "Throttler",
    "Transition",
    "TransitionRecord",
    "idempotency_key",
    "request_key",
]

_HOME = {
    "breaker": ("BreakerPolicy", "BreakerState", "CircuitBreaker"),
    "bulkhead": ("Bulkhead", "Throttler"),
    "errors": (
        "BackpressureError",
        "BulkheadFullError",
        "CircuitBreakerOpenError",
        "LoadSheddingError",
        "PoisonMessage",
        "RateLimitError",
    ),
    "fallback": ("Fallback", "FallbackConfig", "FallbackResult", "FallbackStrategy"),
    "idempotency": ("Idempotency", "idempotency_key", "request_key"),
    "load_shedding": ("Backpressure", "LoadShedder", "QueueLimits"),
    "rate_limiter": ("RateLimiter", "SharedRateLimiter"),
    "recovery": ("Recovery",),
    "retry": ("FailureClass", "Retry", "RetryConfig"),
    "shared_breakers": ("SharedBreakers",),
    "single_flight": ("SingleFlight",),
    "state_machine": ("State", "StateMachine", "StateMachineConfig", "Transition"),
    "state_machine_instance": ("StateMachineInstance", "TransitionRecord"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
