"""A clock that stands still until a test moves it, and short ways to make and read messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from aos.local.servicebus.engine import Bus, Delivery, Message, Queue, QueueDescription, ReceiveMode, SessionReceiver

START = datetime(2026, 1, 1, tzinfo=UTC)
LOCK = timedelta(seconds=30)


class VirtualClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, bus: Bus, **duration: float) -> None:
        """Move time on as a driver would: stop at everything that falls due on the way."""
        end = self.now + timedelta(**duration)
        while (due := bus.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            bus.advance()
        self.now = end


def make_queue(bus: Bus, name: str = "orders", **settings: Any) -> Queue:
    settings.setdefault("lock_duration", LOCK)
    bus.create_queue(QueueDescription(name=name, **settings))
    return bus.source(name)


def send(queue: Any, *bodies: str, **fields: Any) -> None:
    queue.send([Message(body.encode(), **fields) for body in bodies])


def bodies(found: list[Delivery] | list[Message]) -> list[str]:
    messages = [entry.message if isinstance(entry, Delivery) else entry for entry in found]
    return [message.body.decode() for message in messages]


def drain(source: Queue | SessionReceiver) -> list[str]:
    """The bodies of all that is ready, which is then gone."""
    return bodies(source.receive(1000, ReceiveMode.RECEIVE_AND_DELETE))


def one(source: Queue | SessionReceiver) -> Delivery:
    (delivery,) = source.receive(1)
    return delivery
