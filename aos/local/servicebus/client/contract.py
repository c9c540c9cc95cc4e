"""The shape of the receivers, for whoever pumps messages: a host can be written and tested against these."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from aos.local.servicebus.client.received import ReceivedMessage

Mode = Literal["peek-lock", "receive-and-delete"]


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to send. `time_to_live` None takes the entity's own; `scheduled_at` is in UTC."""

    body: bytes
    message_id: str | None = None
    session_id: str | None = None
    correlation_id: str | None = None
    subject: str | None = None
    content_type: str | None = None
    reply_to: str | None = None
    reply_to_session_id: str | None = None
    to: str | None = None
    partition_key: str | None = None
    time_to_live: timedelta | None = None
    scheduled_at: datetime | None = None
    application_properties: Mapping[str, Any] = field(default_factory=dict)


class Settler(Protocol):
    """What can be done with received messages. Each call waits for the broker's answer.

    Raises:
        MessageLockLost: some of the messages were no longer locked; the others are settled.
        SessionLockLost: the whole session is gone.
        ConnectionLost: the answer never came; the settlement may or may not have been applied.
    """

    @property
    def entity(self) -> str: ...

    @property
    def closed(self) -> bool:
        """Whether nothing more will come: closed here, by the broker, or with the connection."""
        ...

    async def receive(self, max_messages: int = 1, wait: float | None = None) -> list[ReceivedMessage]:
        """Wait up to `wait` seconds (None: for ever) for a first message; take what else is there already.

        Returns:
            1 to `max_messages` messages; none when the time ran out.

        Raises:
            SessionLockLost: the session's lock ran out or was taken.
            ConnectionLost: the connection broke.
        """
        ...

    async def complete(self, messages: Sequence[ReceivedMessage]) -> None: ...

    async def abandon(
        self, messages: Sequence[ReceivedMessage], *, properties: Mapping[str, Any] | None = None
    ) -> None:
        """Give messages back at once; the delivery counts. `properties` are set on each."""
        ...

    async def release(self, messages: Sequence[ReceivedMessage]) -> None:
        """Give messages back as if they had not been delivered: the delivery does not count."""
        ...

    async def defer(self, messages: Sequence[ReceivedMessage]) -> None:
        """Put messages aside, to be received by their sequence numbers only."""
        ...

    async def dead_letter(
        self, messages: Sequence[ReceivedMessage], *, reason: str = "", description: str = ""
    ) -> None: ...

    async def close(self) -> None:
        """Stop receiving and give back what is locked. Milliseconds; safe to call twice."""
        ...


class SessionReceiver(Settler, Protocol):
    """The messages of one session, in order, for as long as its lock is held."""

    @property
    def session_id(self) -> str: ...

    @property
    def locked_until(self) -> datetime:
        """When the session's lock runs out (UTC)."""
        ...

    async def renew(self) -> datetime:
        """Hold the session for another lock duration; the new `locked_until`. Raises `SessionLockLost`."""
        ...

    async def get_state(self) -> bytes | None: ...

    async def set_state(self, state: bytes | None) -> None: ...


class EntityReceiver(Settler, Protocol):
    """The messages of a queue or subscription without sessions."""

    async def renew(self, messages: Sequence[ReceivedMessage]) -> list[datetime]:
        """Hold each message for another lock duration; the new times, in order. Raises `MessageLockLost`."""
        ...


class Multiplexer(Protocol):
    """One connection, many receivers.

    An `entity` is `queue`, `topic/Subscriptions/name`, or either followed by `/$DeadLetterQueue`.
    `MultiplexedReceiver.connect(connection_string)` gives one, as an asynchronous context manager.
    """

    @property
    def closed(self) -> bool: ...

    async def accept_next_session(
        self,
        entity: str,
        *,
        timeout: float = 60.0,  # noqa: ASYNC109 - the broker keeps the time
        mode: Mode = "peek-lock",
    ) -> SessionReceiver | None:
        """Lock a session that has messages and no holder; None when none came within `timeout` seconds.

        Raises:
            EntityNotFound: there is no such entity.
            RequestRefused: the entity has no sessions.
            ConnectionLost: the connection broke.
        """
        ...

    async def accept_session(self, entity: str, session_id: str, *, mode: Mode = "peek-lock") -> SessionReceiver:
        """Lock one session. Raises `SessionCannotBeLocked` while another receiver holds it."""
        ...

    async def receiver(self, entity: str, *, prefetch: int = 0, mode: Mode = "peek-lock") -> EntityReceiver: ...

    async def send(self, entity: str, messages: Sequence[OutgoingMessage]) -> None:
        """Send messages in order, as batches where they fit; returns when the broker has accepted all."""
        ...

    async def wait_closed(self) -> None:
        """Return once the connection is gone, for whatever reason."""
        ...

    async def close(self) -> None: ...


Connect = AbstractAsyncContextManager[Multiplexer]
