"""What every entity of one bus shares."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from aos.local.servicebus.engine.alarms import Alarms
from aos.local.servicebus.engine.description import Limits
from aos.local.servicebus.engine.errors import QuotaExceeded
from aos.local.servicebus.engine.faults import Faults

if TYPE_CHECKING:
    from aos.local.servicebus.engine.message import Message
    from aos.local.servicebus.engine.store import Store


class Destination(Protocol):
    """What messages can be forwarded to."""

    def take_over(self, message: Message, now: datetime) -> None:
        """Accept a forwarded message under the rules for sending; `wake` follows. Raises what a send would."""
        ...

    def wake(self) -> None:
        """Call back those who wait for what has come."""
        ...


def utc_now() -> datetime:
    return datetime.now(UTC)


def lock_token_source() -> Callable[[], bytes]:
    """Fresh 16-byte tokens: a random half and a counter, much cheaper than a random UUID for each."""
    prefix = os.urandom(8)
    count = int.from_bytes(os.urandom(6), "big")

    def new_token() -> bytes:
        nonlocal count
        count += 1
        return prefix + count.to_bytes(8, "big")

    return new_token


def _nowhere(path: str) -> Destination | None:  # noqa: ARG001
    return None


@dataclass(slots=True)
class Context:
    """Clock, store, faults, limits and alarms of one bus; `route` finds a forwarding destination by name."""

    clock: Callable[[], datetime] = utc_now
    store: Store | None = None
    faults: Faults = field(default_factory=Faults)
    limits: Limits = field(default_factory=Limits)
    new_token: Callable[[], bytes] = field(default_factory=lock_token_source)
    alarms: Alarms = field(default_factory=Alarms)
    route: Callable[[str], Destination | None] = _nowhere


class Quota:
    """Bytes that an entity with all its sub-queues (a topic with all its subscriptions) may hold."""

    __slots__ = ("limit", "used")

    def __init__(self, limit_mb: int) -> None:
        self.limit = limit_mb * 1024 * 1024
        self.used = 0

    def check(self, path: str, size: int) -> None:
        if self.used + size > self.limit:
            raise QuotaExceeded(
                f"{path!r} is full: it holds {self.used} of {self.limit} bytes. "
                "Receive messages from it or its dead-letter queue, or raise its size."
            )
