"""What the SDK and the transports raise, as errors of ours: by where it happened, and whether anything was done."""

from __future__ import annotations

from collections.abc import Sequence

from aos.kernel.errors import AosError, Throttled
from aos.mcp.connection import Ended, describe, leaves
from aos.mcp.errors import (
    AnswerInvalid,
    AnswerTooLarge,
    ConnectionLost,
    RequestRefused,
    ServerFailed,
    ServerUnavailable,
)
from aos.mcp.variables import Filled

_LONGEST = 500


def while_opening(name: str, error: Exception, filled: Filled, said: str = "") -> AosError:
    """A server could not be connected to, so nothing was done there."""
    turned_away = _turned_away(name, [error])
    if turned_away is not None:
        return turned_away
    why = _clean(said or describe(error), filled)
    return ServerUnavailable(
        f"MCP server {name!r} cannot be connected to: {why}. See that it runs and that its configuration is right."
    )


def while_asking(name: str, error: Exception, filled: Filled, limit: int) -> AosError:
    """A request failed on an open connection."""
    import httpx2
    from mcp.shared.exceptions import MCPError
    from pydantic import ValidationError

    if isinstance(error, AosError):
        return error
    if isinstance(error, Ended):
        return _ended(name, error, filled, limit)
    if isinstance(error, MCPError):
        return _refused(name, error, filled)
    if isinstance(error, ValidationError):
        return AnswerInvalid(f"MCP server {name!r} answered something else than the protocol says.")
    if isinstance(error, httpx2.HTTPError | OSError):
        return ConnectionLost(f"The connection to MCP server {name!r} failed: {_clean(describe(error), filled)}.")
    return AnswerInvalid(f"MCP server {name!r} could not be understood: {_clean(describe(error), filled)}.")


def _ended(name: str, error: Ended, filled: Filled, limit: int) -> AosError:
    from aos.mcp.transport import BodyTooLarge

    causes = leaves(error.__cause__) if error.__cause__ is not None else []
    turned_away = _turned_away(name, causes)
    if turned_away is not None:
        return turned_away
    if any(isinstance(cause, BodyTooLarge) for cause in causes):
        return AnswerTooLarge(
            f"The answer of MCP server {name!r} is over {limit:,} bytes and was not read. Ask for less, or raise its "
            "`max_result_bytes`."
        )
    if causes:
        return ConnectionLost(
            f"The connection to MCP server {name!r} ended before it answered: {_clean(describe(causes[-1]), filled)}."
        )
    return ConnectionLost(f"MCP server {name!r} ended the connection before it answered.")


def _turned_away(name: str, errors: Sequence[BaseException]) -> AosError | None:
    """The server answered with a status that says that it did nothing."""
    from aos.mcp.transport import NotServed

    found = [leaf for error in errors for leaf in leaves(error) if isinstance(leaf, NotServed)]
    if not found:
        return None
    status = found[0].status
    if status == 429:
        return Throttled(f"MCP server {name!r} asks for a pause.", retry_after=found[0].retry_after)
    if status in (401, 403):
        return RequestRefused(
            f"MCP server {name!r} does not let us in (HTTP status {status}). Correct its `headers`.",
            details={"http_status": status},
        )
    return ServerUnavailable(f"MCP server {name!r} did nothing (HTTP status {status}). Try again later.")


def _refused(name: str, error: Exception, filled: Filled) -> AosError:
    from mcp.shared.exceptions import MCPError
    from mcp_types import INTERNAL_ERROR, REQUEST_TIMEOUT

    assert isinstance(error, MCPError)  # noqa: S101  # the one caller has looked
    said = _clean(error.message, filled)
    if error.code == REQUEST_TIMEOUT:
        return ConnectionLost(f"MCP server {name!r} did not answer: {said}.")
    if error.code == INTERNAL_ERROR:
        # The SDK also says this for a status of HTTP such as 502, after which the call may have been made.
        return ServerFailed(f"MCP server {name!r} failed: {said}. See its own log.")
    return RequestRefused(f"MCP server {name!r} refused the request: {said}.", details={"rpc_code": error.code})


def _clean(text: str, filled: Filled) -> str:
    return filled.masked(text)[:_LONGEST].rstrip(".")
