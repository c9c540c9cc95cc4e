"""Every way a model call fails, and what may be done about it.

::

    ModelError                    (an AosError)
    ├── RateLimited               retryable; the provider is out until the limit resets
    ├── Overloaded                retryable; the provider has too much to do
    ├── ProviderFailed            retryable; an error of the provider's own
    ├── ModelTimedOut             retryable; no connection, first token, next token or answer in time
    ├── ConnectionFailed          retryable; refused, reset or not found
    ├── MalformedAnswer           retryable; not what the protocol says
    │   ├── EmptyAnswer               neither text nor a tool call
    │   ├── InvalidToolCall           arguments that are no JSON object, or a tool nobody offered
    │   └── StructureInvalid          does not match the response format, repairs included
    ├── StreamCut                 retryable; a stream that ended before its finish marker
    ├── AnswerTruncated           terminal; ran into a length limit
    ├── CreditExhausted           terminal; the account has no money left, or reached its spending cap
    ├── AuthenticationFailed      terminal; the key is wrong
    ├── AccessRefused             terminal; the key may not use this
    ├── ModelNotFound             terminal; no such model
    ├── ContextOverflow           terminal; more than the model can read
    ├── ContentFiltered           terminal; refused by a content policy
    ├── BadRequest                terminal; the request is wrong
    ├── UnsupportedRequest        terminal; this model cannot do what was asked
    ├── ProviderNotConfigured     terminal; a key or an address is missing
    └── CallDeadlineExceeded      terminal; the caller's own deadline has passed

"Retryable" and "terminal" are what the kernel does when the error leaves a turn. What a router does before that
is said by `recourse` and `outage`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from aos.kernel.errors import AosError, DeadlineExceeded, RetryableError, SettingMissing, TerminalError

if TYPE_CHECKING:
    from aos.llm.response import ModelResponse, RateLimits

TimeoutPhase = Literal["connect", "first_token", "between_tokens", "whole"]


class Recourse(StrEnum):
    """What may help."""

    RETRY = "retry"
    """The same provider again, after a pause; then another."""
    FAIL_OVER = "fail_over"
    """Another provider or model, at once."""
    LARGER_MODEL = "larger_model"
    """A model with more room."""
    STOP = "stop"
    """Nothing: the caller has to know."""


class Outage(StrEnum):
    """What the failure says about the provider."""

    NONE = "none"
    """Nothing: the call was at fault, not the provider."""
    FAILURE = "failure"
    """One failure, for a breaker to count."""
    UNTIL_RESET = "until_reset"
    """Not before `retry_after` seconds have passed."""
    MODEL = "model"
    """This model is out for long, the provider's others are not."""
    LONG = "long"
    """The provider is out until somebody acts."""


class ModelError(AosError):
    """Base of every failure of a model call.

    Args:
        message: What went wrong and what to do about it. Never holds a key.
        provider: Id of the provider profile.
        model: The model that was asked.
        status: HTTP status, where there was an answer.
        provider_code: The provider's own code or type of the error.
        request_id: The provider's id of the request.
        retry_after: Seconds until another try makes sense, where the provider said so.
        recourse: Overrides the class's recourse where the provider's answer knows better.
        partial: What had arrived, for a stream that failed underway or an answer that was cut.
        rate_limits: What the answer's headers said about limits.
    """

    code = "model_error"
    recourse: Recourse = Recourse.STOP
    outage: Outage = Outage.NONE

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        model: str = "",
        status: int | None = None,
        provider_code: str | None = None,
        request_id: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        recourse: Recourse | None = None,
        partial: ModelResponse | None = None,
        rate_limits: RateLimits | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        known = {
            "provider": provider,
            "model": model,
            "status": status,
            "provider_code": provider_code,
            "request_id": request_id,
        }
        facts = {name: value for name, value in known.items() if value}
        super().__init__(message, code=code, retry_after=retry_after, details={**facts, **(details or {})})
        self.provider = provider
        self.model = model
        self.status = status
        self.provider_code = provider_code
        self.request_id = request_id
        self.partial = partial
        self.rate_limits = rate_limits
        if recourse is not None:
            self.recourse = recourse

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message), self.__dict__)


def _rebuild(cls: type[ModelError], message: str) -> ModelError:
    return cls(message)


class RateLimited(ModelError, RetryableError):
    """Too many requests or tokens. `retry_after` says when the limit resets, where the provider said so."""

    code = "model_rate_limited"
    recourse = Recourse.RETRY
    outage = Outage.UNTIL_RESET


class Overloaded(ModelError, RetryableError):
    code = "model_overloaded"
    recourse = Recourse.RETRY
    outage = Outage.FAILURE


class ProviderFailed(ModelError, RetryableError):
    code = "model_provider_failed"
    recourse = Recourse.RETRY
    outage = Outage.FAILURE


class ModelTimedOut(ModelError, RetryableError):
    """Something did not come in time; `phase` says what. The time is spent, so another provider is next."""

    code = "model_timed_out"
    recourse = Recourse.FAIL_OVER
    outage = Outage.FAILURE

    def __init__(self, message: str, *, phase: TimeoutPhase = "whole", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.phase: TimeoutPhase = phase
        self.details["phase"] = phase


class ConnectionFailed(ModelError, RetryableError):
    code = "model_connection_failed"
    recourse = Recourse.RETRY
    outage = Outage.FAILURE


class MalformedAnswer(ModelError, RetryableError):
    code = "model_malformed_answer"
    recourse = Recourse.RETRY
    outage = Outage.FAILURE


class EmptyAnswer(MalformedAnswer):
    code = "model_empty_answer"


class InvalidToolCall(MalformedAnswer):
    code = "model_invalid_tool_call"


class StructureInvalid(MalformedAnswer):
    """The answer is not the structure that was asked for; `partial` holds what the model said.

    The model is at fault, not the service, so another model is next and no breaker counts it.
    """

    code = "model_structure_invalid"
    recourse = Recourse.FAIL_OVER
    outage = Outage.NONE


class StreamCut(ModelError, RetryableError):
    code = "model_stream_cut"
    recourse = Recourse.RETRY
    outage = Outage.FAILURE


class AnswerTruncated(ModelError, TerminalError):
    """The answer ran into a length limit; `partial` holds it.

    Its recourse is a model with more room where the limit was the model's, and none where it was the caller's
    `max_tokens`.
    """

    code = "model_answer_truncated"
    recourse = Recourse.LARGER_MODEL


class CreditExhausted(ModelError, TerminalError):
    code = "model_credit_exhausted"
    recourse = Recourse.FAIL_OVER
    outage = Outage.LONG


class AuthenticationFailed(ModelError, TerminalError):
    code = "model_authentication_failed"
    recourse = Recourse.FAIL_OVER
    outage = Outage.LONG


class AccessRefused(ModelError, TerminalError):
    code = "model_access_refused"
    recourse = Recourse.FAIL_OVER
    outage = Outage.MODEL


class ModelNotFound(ModelError, TerminalError):
    code = "model_not_found"
    recourse = Recourse.FAIL_OVER
    outage = Outage.MODEL


class ContextOverflow(ModelError, TerminalError):
    code = "model_context_overflow"
    recourse = Recourse.LARGER_MODEL


class ContentFiltered(ModelError, TerminalError):
    """A content policy refused the prompt or the answer. Surfaced, not routed round, unless the caller allows."""

    code = "model_content_filtered"
    severity = "warning"


class BadRequest(ModelError, TerminalError):
    code = "model_bad_request"


class UnsupportedRequest(ModelError, TerminalError):
    code = "model_unsupported_request"
    recourse = Recourse.FAIL_OVER


class ProviderNotConfigured(ModelError, SettingMissing):
    code = "model_provider_not_configured"
    recourse = Recourse.FAIL_OVER
    outage = Outage.LONG


class CallDeadlineExceeded(ModelError, DeadlineExceeded):
    code = "model_deadline_exceeded"
