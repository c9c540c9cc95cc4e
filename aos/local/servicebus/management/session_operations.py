"""Management operations on sessions: lock, state, and the list of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aos.local.servicebus.amqp.types import Array, Int, Timestamp
from aos.local.servicebus.management.context import Context, Nothing

if TYPE_CHECKING:
    from aos.local.servicebus.management.arguments import Arguments

_STRING = 0xB1
# .NET's DateTime.MaxValue on the wire, which asks for all sessions with messages.
_ANY_TIME = 253_402_300_800_000
_MAX_PAGE = 1_000


def renew(context: Context, arguments: Arguments) -> dict[str, Any]:
    end = context.held_session(arguments.text("session-id")).renew()
    return {"expiration": Timestamp.of(end)}


def get_state(context: Context, arguments: Arguments) -> dict[str, Any]:
    return {"session-state": context.held_session(arguments.text("session-id")).state()}


def set_state(context: Context, arguments: Arguments) -> None:
    held = context.held_session(arguments.text("session-id"))
    held.set_state(arguments.optional_binary("session-state"))


def list_sessions(context: Context, arguments: Arguments) -> dict[str, Any]:
    updated = arguments.number("last-updated-time", _ANY_TIME)
    since = None if updated >= _ANY_TIME else Timestamp(updated).datetime()
    skip = max(0, arguments.number("skip", 0))
    top = min(_MAX_PAGE, max(1, arguments.number("top", 100)))
    found = context.queue.list_sessions(since, skip, top)
    if not found:
        raise Nothing("No session was found.", "com.microsoft:session-not-found")
    return {"skip": Int(skip + len(found)), "sessions-ids": Array(_STRING, found)}
