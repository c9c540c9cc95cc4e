"""What all connections of one broker share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from aos.local.servicebus.engine import Bus
    from aos.local.servicebus.server.committer import Committer
    from aos.local.servicebus.server.connection import Connection
    from aos.local.servicebus.shared_access import KeyRing


@dataclass(slots=True)
class Shared:
    """One broker's engine, keys and connections. `idle_timeout` is in seconds; `now` in seconds since 1970."""

    bus: Bus
    keys: KeyRing
    committer: Committer
    now: Callable[[], float]
    container_id: str = "aos-service-bus"
    idle_timeout: float = 120.0
    connections: set[Connection] = field(default_factory=set)
    empty: asyncio.Event = field(default_factory=asyncio.Event)

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is gone; `empty` is set with the last one."""
        self.connections.discard(connection)
        if not self.connections:
            self.empty.set()

    def add(self, connection: Connection) -> None:
        self.connections.add(connection)
        self.empty.clear()
