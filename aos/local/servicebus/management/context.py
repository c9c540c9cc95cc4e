"""What a management operation works on: the entity, and the sessions that the asking connection holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aos.local.servicebus.engine import NotPermitted, Queue, SessionLockLost, SessionReceiver, Topic
from aos.local.servicebus.server.session_link import SessionLink

if TYPE_CHECKING:
    from aos.local.servicebus.engine import Bus
    from aos.local.servicebus.server.connection import Connection


class Nothing(Exception):
    """There is nothing to return, which the service says with a status of its own."""

    def __init__(self, description: str, condition: str) -> None:
        super().__init__(description)
        self.condition = condition


@dataclass(frozen=True, slots=True)
class Context:
    """One request's surroundings."""

    connection: Connection
    entity: str
    link_name: str | None

    @property
    def bus(self) -> Bus:
        return self.connection.shared.bus

    @property
    def target(self) -> Queue | Topic:
        """What to schedule on."""
        return self.bus.target(self.entity)

    @property
    def queue(self) -> Queue:
        """What to receive from."""
        return self.bus.source(self.entity)

    @property
    def peekable(self) -> Queue | Topic:
        try:
            return self.bus.source(self.entity)
        except NotPermitted:
            return self.bus.target(self.entity)

    def held_session(self, session_id: str) -> SessionReceiver:
        """The lock of a session that this connection holds.

        Raises:
            SessionLockLost: it does not hold it.
        """
        for session in self.connection.sessions():
            for link in session.links.values():
                if (
                    isinstance(link, SessionLink)
                    and link.session_id == session_id
                    and link.path.lower() == self.entity.lower()
                ):
                    held = link.receiver()
                    if held is not None:
                        return held
        raise SessionLockLost(
            f"The lock of session {session_id!r} is not held by this connection: accept the session again."
        )
