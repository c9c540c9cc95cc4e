"""What the engine asks of whatever keeps its messages across a crash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from aos.local.servicebus.engine.message import Message


@dataclass(slots=True)
class Snapshot:
    """All that was kept.

    Attributes:
        entities: Path and description (JSON) of each entity, in the order they were made.
        messages: Queue path and message, in sequence order within a queue.
        sequences: Highest sequence number each queue has given.
        session_states: (queue path, session id) to state.
        duplicates: (entity path, message id, when it is forgotten), oldest first.
    """

    entities: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    messages: Iterable[tuple[str, Message]] = ()
    sequences: Mapping[str, int] = field(default_factory=dict)
    session_states: Mapping[tuple[str, str], bytes] = field(default_factory=dict)
    duplicates: Iterable[tuple[str, str, datetime]] = ()


class Store(Protocol):
    """Keeps changes in the order they are noted. Noting never blocks; `flush` waits until all is safe.

    The changes noted between two awaits belong together: they are committed in one transaction.
    """

    async def load(self) -> Snapshot: ...
    def put_entity(self, path: str, description: Mapping[str, Any]) -> None: ...
    def delete_entity(self, path: str) -> None:
        """Forget the entity, all under it, and their messages."""
        ...

    def put_message(self, queue: str, message: Message) -> None: ...
    def update_message(self, queue: str, message: Message) -> None:
        """As `put_message` where neither `body` nor `wire` changed."""
        ...

    def delete_message(self, queue: str, sequence_number: int) -> None: ...
    def put_session_state(self, queue: str, session_id: str, state: bytes | None) -> None: ...
    def remember_id(self, entity: str, message_id: str, until: datetime) -> None: ...
    def forget_ids(self, entity: str, before: datetime) -> None: ...

    async def flush(self) -> None:
        """Return once everything noted so far would survive `kill -9`. Raises StoreBroken."""
        ...

    async def close(self) -> None:
        """Flush and let go of the files."""
        ...
