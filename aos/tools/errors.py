"""What can go wrong with a tool, and what a tool says to have its failure understood.

::

    RetryableError
    ├── ToolFailed         it could not be done; the message is tried again
    │   └── ToolTimedOut   it took too long
    └── NotDone            raised by a tool: nothing has happened, so it may be tried again
    TerminalError
    ├── ToolRefused        the tool will not do it, however often it is asked
    ├── CallDiverged       a message that came back made another call than before
    └── PermissionDenied
        ├── ToolNotGranted   the agent was not given this tool
        ├── ToolNotPermitted it has the tool, but lacks a permission the tool requires
        └── ToolDenied       the guardrail or a person said no
    NeedsAnswer
    ├── ApprovalNeeded     a person must allow the call
    └── OutcomeUnknown     nobody knows whether an irreversible call was done; a person must look
"""

from __future__ import annotations

from aos.kernel.errors import NeedsAnswer, PermissionDenied, RetryableError, TerminalError


class ToolFailed(RetryableError):
    code = "tool_execution_error"


class ToolTimedOut(ToolFailed):
    code = "tool_timeout"


class NotDone(RetryableError):
    """Raise this in a tool that is certain that nothing has happened: it is then safe to try again."""

    code = "tool_not_done"


class ToolRefused(TerminalError):
    code = "tool_refused"


class CallDiverged(TerminalError):
    code = "tool_call_diverged"


class ToolNotGranted(PermissionDenied):
    code = "tool_not_granted"


class ToolNotPermitted(PermissionDenied):
    code = "tool_not_permitted"


class ToolDenied(PermissionDenied):
    code = "tool_denied"


class ApprovalNeeded(NeedsAnswer):
    code = "approval_needed"


class OutcomeUnknown(NeedsAnswer):
    code = "outcome_unknown"
