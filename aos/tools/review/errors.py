"""What can go wrong while a source tree is packed, unpacked or examined."""

from __future__ import annotations

from typing import ClassVar

from aos.kernel.errors import InvalidInput, PayloadTooLarge, RetryableError, Severity, TerminalError


class TreeTooLarge(PayloadTooLarge):
    """The source tree has more files or bytes than the limits allow."""

    code = "tree_too_large"


class ArchiveRefused(InvalidInput):
    """The archive is broken, or holds something that must not be written to disk."""

    code = "archive_refused"


class ToolFailed(RetryableError):
    """A tool ended in a way that says nothing about the tree."""

    code = "tool_failed"
    severity: ClassVar[Severity] = "error"


class ToolTimedOut(ToolFailed):
    """A tool was still at work when its time was over, and was ended."""

    code = "tool_timed_out"


class ToolMissing(TerminalError):
    """A tool that the examination needs is not installed."""

    code = "tool_missing"
