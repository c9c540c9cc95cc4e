"""What can go wrong between agents and the people they ask."""

from __future__ import annotations

from typing import ClassVar

from aos.kernel.errors import DeadlineExceeded, InvalidInput, NotAllowedNow, PermissionDenied, Severity, TerminalError


class AnswerInvalid(InvalidInput):
    """The value is not of the kind that was asked for. The request stays open."""

    code = "invalid_answer"


class RequestClosed(NotAllowedNow):
    """The request was answered, expired or was withdrawn before."""

    code = "request_closed"


class ActionChanged(NotAllowedNow):
    """The answer is to another action than the one that is asked about."""

    code = "action_changed"


class RequestExpired(DeadlineExceeded):
    """Nobody answered in time; what the requester is told."""

    code = "request_expired"


class RequestRejected(TerminalError):
    """A person said no; what the requester is told. `details["answer"]` is the `HumanAnswer`."""

    code = "request_rejected"
    severity: ClassVar[Severity] = "warning"


class RequestWithdrawn(TerminalError):
    """The requester does not need an answer any more; what it is told to end its wait."""

    code = "request_withdrawn"
    severity: ClassVar[Severity] = "info"


class LinkInvalid(PermissionDenied):
    """Not a link of this system, or a changed one, or one of a key that is no longer accepted."""

    code = "link_invalid"


class LinkExpired(PermissionDenied):
    """The link was good for a time that has passed."""

    code = "link_expired"


class LinksNotConfigured(NotAllowedNow):
    """No key to sign links with is configured."""

    code = "links_not_configured"
