"""What the pumps need of a bus: a part of what the lean client offers, and what the SDK adapter imitates.

Errors are those of the error tree: `BusUnavailable` when the connection is gone, `LockLost` when messages or a
session belong to somebody else by now, anything else when the bus refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from aos.local.servicebus.client.contract import OutgoingMessage
from aos.local.servicebus.client.received import ReceivedMessage


class Settling(Protocol):
    """Messages that come from one place, and their settlement."""

    async def receive(self, max_messages: int = 1, wait: float | None = None) -> list[ReceivedMessage]:
        """1 to `max_messages` messages; none when `wait` seconds passed. May be cancelled without loss."""
        ...

    async def complete(self, messages: Sequence[ReceivedMessage]) -> None: ...

    async def abandon(self, messages: Sequence[ReceivedMessage]) -> None: ...

    async def release(self, messages: Sequence[ReceivedMessage]) -> None:
        """Give back what was received and not touched; where the bus allows, it does not count as delivered."""
        ...

    async def close(self) -> None: ...


class HeldSession(Settling, Protocol):
    """A session locked for us."""

    @property
    def session_id(self) -> str: ...

    @property
    def locked_until(self) -> datetime: ...

    async def renew(self) -> datetime: ...


class OpenReceiver(Settling, Protocol):
    """A queue or subscription without sessions."""

    async def renew(self, messages: Sequence[ReceivedMessage]) -> list[datetime]: ...


class SessionSource(Protocol):
    """Gives sessions that have messages, one after another."""

    async def accept_next_session(self, entity: str, *, timeout: float = 60.0) -> HeldSession | None:  # noqa: ASYNC109  # as the lean client names it
        """Lock a session that has messages and no holder; None when none came in time."""
        ...


class Source(SessionSource, Protocol):
    """A connection to a bus."""

    async def receiver(self, entity: str, *, prefetch: int = 0) -> OpenReceiver: ...

    async def send(self, entity: str, messages: Sequence[OutgoingMessage]) -> None: ...

    async def wait_closed(self) -> None:
        """Return once the connection is gone."""
        ...
