"""What can go wrong with an MCP server, and whether something may have happened there.

::

    NotDone
    └── ServerUnavailable    it cannot be reached: nothing has happened
    RetryableError           something may have happened
    ├── ConnectionLost       the connection ended before the answer came
    ├── ServerTimedOut       no answer in time
    ├── ServerFailed         the server says that it failed itself
    ├── AnswerTooLarge       the answer is over the limit and was not read
    └── AnswerInvalid        the answer is not what the protocol says
    TerminalError
    ├── RequestRefused       the server answered with an error of the protocol
    ├── ToolReportedError    the tool answered that it failed
    ├── NotFound
    │   ├── UnknownServer    the configuration has no such server
    │   └── UnknownTool      the server has no such tool
    ├── NotAllowedNow
    │   └── ServerDisabled   the configuration has it switched off
    └── PermissionDenied
        └── ProcessesNotAllowed  it would have to be started as a process, which is not allowed here
"""

from __future__ import annotations

from aos.kernel.errors import NotAllowedNow, NotFound, PermissionDenied, RetryableError, TerminalError
from aos.tools.errors import NotDone


class ServerUnavailable(NotDone):
    code = "mcp_server_unavailable"


class ConnectionLost(RetryableError):
    code = "mcp_connection_lost"


class ServerTimedOut(RetryableError):
    code = "mcp_server_timeout"


class ServerFailed(RetryableError):
    code = "mcp_server_error"


class AnswerTooLarge(RetryableError):
    code = "mcp_answer_too_large"


class AnswerInvalid(RetryableError):
    code = "mcp_answer_invalid"


class RequestRefused(TerminalError):
    code = "mcp_request_refused"


class ToolReportedError(TerminalError):
    code = "mcp_tool_error"


class UnknownServer(NotFound):
    code = "mcp_server_not_found"


class UnknownTool(NotFound):
    code = "mcp_tool_not_found"


class ServerDisabled(NotAllowedNow):
    code = "mcp_server_disabled"


class ProcessesNotAllowed(PermissionDenied):
    code = "mcp_stdio_not_allowed"
