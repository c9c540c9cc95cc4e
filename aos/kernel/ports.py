"""What the kernel needs of the outside world: tables, blobs, a bus, a clock, ids and chance.

Each port is a Protocol with the semantics of the Azure service it stands for, so that an implementation over
memory and one over the real service can be held to one contract.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

Value = str | int | float | bool | bytes | datetime


@dataclass(frozen=True, slots=True)
class Entity:
    """One row of a table.

    Attributes:
        partition: Partition key. Any text; adapters encode what the service forbids.
        row: Row key, likewise.
        values: Properties. Strings up to 32,768 UTF-16 units, bytes up to 65,536; 1 MiB together.
        etag: The version that was read; None on an entity that is to be written.
    """

    partition: str
    row: str
    values: Mapping[str, Value]
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """Write a row that must not exist yet."""

    entity: Entity


@dataclass(frozen=True, slots=True)
class Replace:
    """Overwrite a row whose ETag is still `etag`."""

    entity: Entity
    etag: str


@dataclass(frozen=True, slots=True)
class Upsert:
    """Write a row, whether or not it exists. All of it is replaced."""

    entity: Entity


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a row that must exist, and whose ETag must be `etag` where one is given."""

    partition: str
    row: str
    etag: str | None = None


Operation = Insert | Replace | Upsert | Delete


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows in key order, and where to go on: `cursor` is None at the end."""

    entities: Sequence[Entity]
    cursor: str | None = None


class TableStore(Protocol):
    """Rows grouped in partitions; a transaction never leaves its partition.

    Tables are made on first use. Errors are those of `aos.kernel.errors`: `Conflict` for a failed ETag, an
    insert of what exists or a delete of what does not; `CommitAmbiguous` when the answer to a write was lost;
    `StoreUnavailable` when nothing was written; `PayloadTooLarge` for a limit of the service.
    """

    async def get(self, table: str, partition: str, row: str) -> Entity | None:
        """The row, or None. One storage transaction."""
        ...

    async def commit(self, table: str, operations: Sequence[Operation]) -> list[str | None]:
        """Apply all of 1..100 operations on one partition, or none. One storage transaction.

        Each row may appear once, and the whole may not exceed 4 MiB. A single operation is sent as itself.

        Returns:
            The new ETag of each operation's row, None for a delete.
        """
        ...

    async def scan(
        self,
        table: str,
        partition: str,
        *,
        first: str = "",
        before: str | None = None,
        where: Mapping[str, str | int | bool] | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """Rows of one partition with `first <= row < before`, in row order, whose properties equal `where`.

        A page may hold fewer rows than `limit` (at most 1,000) and still carry a cursor.
        """
        ...


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What is known of a blob without reading it. `size` is in bytes."""

    name: str
    size: int
    content_type: str
    modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BlobPage:
    blobs: Sequence[BlobInfo]
    cursor: str | None = None


class BlobStore(Protocol):
    """Named byte strings in one container, which is made on first use. Names may contain `/`."""

    async def put(
        self,
        name: str,
        data: bytes | AsyncIterator[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write a blob, replacing one of the same name."""
        ...

    async def get(self, name: str) -> bytes | None:
        """The whole blob, or None."""
        ...

    def stream(self, name: str) -> AsyncIterator[bytes]:
        """The blob in chunks. Raises `NotFound` at the first one if there is no such blob."""
        ...

    async def stat(self, name: str) -> BlobInfo | None: ...

    async def list(self, prefix: str, *, limit: int = 100, cursor: str | None = None) -> BlobPage: ...

    async def delete(self, name: str) -> bool:
        """Remove a blob. False if it was not there."""
        ...


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """One message for the bus.

    Attributes:
        entity: Name of the queue or topic.
        body: The bytes to deliver. Adapters put a body over the bus's limit into a blob and send a claim check.
        message_id: What duplicate detection compares.
        session_id: The mailbox, on a queue with sessions.
        scheduled_at: Not to be delivered before (UTC).
        expires_after: Seconds the message may wait to be received.
    """

    entity: str
    body: bytes
    message_id: str
    session_id: str | None = None
    subject: str | None = None
    correlation_id: str | None = None
    content_type: str = "application/cloudevents+json"
    scheduled_at: datetime | None = None
    expires_after: float | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


class MessageBus(Protocol):
    """Sends. Messages to one entity leave in the order given; receiving is the trigger's work.

    Raises:
        BusUnavailable: some messages may have been sent; sending all of them again is harmless, because
            `message_id` repeats.
        NotFound: there is no such queue or topic.
        PayloadTooLarge: a message is over the limit even as a claim check.
    """

    async def send(self, messages: Sequence[OutboundMessage]) -> None: ...


class Clock(Protocol):
    """The time, as the world or a test tells it."""

    def now(self) -> datetime:
        """The current time in UTC, timezone-aware."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""
        ...


class Ids(Protocol):
    """Fresh identifiers and chance."""

    def new(self) -> str:
        """A new unique id, at most 36 characters, safe in a key or a path."""
        ...

    def random(self) -> float:
        """A number in [0, 1)."""
        ...
