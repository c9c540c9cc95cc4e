"""Every error AOS raises on purpose, and what the kernel does about it.

::

    AosError
    ├── InfrastructureError      nothing was committed; the trigger fails and the message is delivered again
    │   ├── Conflict             the head moved on: another instance has the agent
    │   ├── CommitAmbiguous      the service may or may not have applied the transaction
    │   ├── StoreUnavailable     tables or blobs are out of reach
    │   ├── BusUnavailable       the message bus is out of reach
    │   └── LockLost             the mailbox belongs to somebody else now
    ├── RetryableError           the message is put aside and tried again later
    │   ├── HandlerFailed        the agent's own code raised something unexpected
    │   ├── TurnTimedOut         the turn outlived its time
    │   └── Throttled            a service asked for a pause
    ├── NeedsAnswer              the message is set aside until somebody answers a question
    └── TerminalError            the message goes to the dead letters; its sender is told
        ├── InvalidInput         a value is not what the contract says
        │   ├── MalformedMessage     not an envelope at all
        │   ├── PayloadTooLarge      over a stated limit
        │   └── UnsupportedMediaType the body is of another kind
        ├── UnknownAgentType     nobody registered this type
        ├── UnknownMessageType   the agent has no handler for it
        ├── DeadlineExceeded     too late to be of use
        ├── AttemptsExhausted    retried as often as its policy allows
        ├── QuestionExpired      nobody answered what it waited for
        ├── StateTooLarge        the agent's state is over its limit
        ├── PermissionDenied     the caller may not
        ├── NotFound             no such thing
        ├── AlreadyExists        it is there already
        ├── NotAllowedNow        the thing is in a state that forbids it
        ├── SettingMissing       a setting is needed and absent
        └── SettingInvalid       a setting has a value that cannot be used

A leaf's class decides what happens; its text never does. `code` is stable and safe to match on.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Literal

Severity = Literal["debug", "info", "warning", "error", "critical"]


class AosError(Exception):
    """Base of every error AOS raises on purpose.

    Args:
        message: What went wrong and what to do about it, for a person.
        code: Overrides the class's stable code where one class serves several situations.
        retry_after: Seconds to wait before another try, where the cause said so.
        details: JSON-serialisable facts for the caller. Never secrets.
    """

    code: str = "unknown_error"
    retryable: ClassVar[bool] = False
    severity: ClassVar[Severity] = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retry_after: float | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.retry_after = retry_after
        self.details: dict[str, Any] = details or {}

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.code, self.retry_after, self.details))

    def to_json(self) -> dict[str, Any]:
        """The error as it travels in replies, dead letters and problem details."""
        return {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
            "details": self.details,
        }


def _rebuild(
    cls: type[AosError], message: str, code: str, retry_after: float | None, details: dict[str, Any]
) -> AosError:
    return cls(message, code=code, retry_after=retry_after, details=details)


class InfrastructureError(AosError):
    """Storage or bus failed the turn: nothing was committed, and the message will be delivered again."""

    code = "infrastructure_error"
    retryable = True


class Conflict(InfrastructureError):
    code = "conflict"


class CommitAmbiguous(InfrastructureError):
    code = "commit_ambiguous"


class StoreUnavailable(InfrastructureError):
    code = "store_unavailable"


class BusUnavailable(InfrastructureError):
    code = "bus_unavailable"


class LockLost(InfrastructureError):
    code = "lock_lost"


class RetryableError(AosError):
    """Raise this (or a subclass) from a handler to have the message tried again after a back-off."""

    code = "retryable_error"
    retryable = True
    severity: ClassVar[Severity] = "warning"


class HandlerFailed(RetryableError):
    code = "handler_failed"
    severity: ClassVar[Severity] = "error"


class TurnTimedOut(RetryableError):
    code = "timeout_error"


class Throttled(RetryableError):
    code = "throttled"


class NeedsAnswer(AosError):
    """Raise this from a handler to set its message aside, with its steps, until `Turn.resume` brings the answer.

    Args:
        message: What is asked, and how to answer.
        question: Id of the question, the same on every delivery of the message.
        details: What whoever answers needs to know.
        expires_after: How long it waits; as the settings say by default, for ever where it is zero.
        default: The answer that counts once it has expired. Without one the message becomes a dead letter then.
    """

    code = "needs_answer"
    severity: ClassVar[Severity] = "info"

    def __init__(
        self,
        message: str,
        *,
        question: str = "",
        details: dict[str, Any] | None = None,
        expires_after: timedelta | None = None,
        default: Any = None,
        **same: Any,
    ) -> None:
        facts = details or {}
        terms: dict[str, Any] = {"question": question or facts.get("question", "")}
        if expires_after is not None:
            terms["expires_seconds"] = expires_after.total_seconds()
        if default is not None:
            terms["default_answer"] = default
        super().__init__(message, details={**facts, **terms}, **same)

    @property
    def question(self) -> str:
        return str(self.details["question"])

    @property
    def expires_after(self) -> timedelta | None:
        seconds = self.details.get("expires_seconds")
        return None if seconds is None else timedelta(seconds=seconds)


class TerminalError(AosError):
    """Raise this (or a subclass) from a handler when trying again cannot help."""

    code = "terminal_error"


class InvalidInput(TerminalError):
    code = "validation_error"
    severity: ClassVar[Severity] = "warning"


class MalformedMessage(InvalidInput):
    code = "malformed_message"


class PayloadTooLarge(InvalidInput):
    code = "payload_too_large"


class UnsupportedMediaType(InvalidInput):
    code = "unsupported_media_type"


class UnknownAgentType(TerminalError):
    code = "unknown_agent_type"


class UnknownMessageType(TerminalError):
    code = "unknown_message_type"


class DeadlineExceeded(TerminalError):
    code = "deadline_exceeded"
    severity: ClassVar[Severity] = "warning"


class AttemptsExhausted(TerminalError):
    code = "attempts_exhausted"


class QuestionExpired(TerminalError):
    code = "question_expired"
    severity: ClassVar[Severity] = "warning"


class StateTooLarge(TerminalError):
    code = "state_too_large"


class PermissionDenied(TerminalError):
    code = "permission_denied"
    severity: ClassVar[Severity] = "warning"


class NotFound(TerminalError):
    code = "not_found"
    severity: ClassVar[Severity] = "warning"


class AlreadyExists(TerminalError):
    code = "already_exists"
    severity: ClassVar[Severity] = "warning"


class NotAllowedNow(TerminalError):
    code = "not_allowed_now"
    severity: ClassVar[Severity] = "warning"


class SettingMissing(TerminalError):
    code = "config_missing"
    severity: ClassVar[Severity] = "critical"


class SettingInvalid(TerminalError):
    code = "config_invalid"
    severity: ClassVar[Severity] = "critical"
