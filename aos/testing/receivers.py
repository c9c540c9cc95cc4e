"""Receiving from the bus in memory, in the shape of the receivers a host uses on a real one.

Waiting is counted on the virtual clock: somebody has to advance it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from aos.kernel import meter
from aos.local.servicebus.client import MessageLockLost, ReceivedMessage
from aos.local.servicebus.engine import Delivery, Message, Queue, ReceiveMode, SessionReceiver
from aos.local.servicebus.engine import MessageLockLost as QueueMessageLockLost
from aos.testing.clock import VirtualClock
from aos.testing.refusing import refusing


class _Receiver:
    """What both kinds have in common."""

    def __init__(self, source: Queue | SessionReceiver, entity: str, mode: ReceiveMode, clock: VirtualClock) -> None:
        self._source = source
        self._mode = mode
        self._clock = clock
        self.entity = entity

    async def receive(self, max_messages: int = 1, wait: float | None = 0.0) -> list[ReceivedMessage]:
        """Up to `max_messages` messages; waits up to `wait` seconds (None: for ever) for the first.

        Raises:
            SessionLockLost: the session's lock ran out or was taken.
        """
        deadline = None if wait is None else self._clock.monotonic() + wait
        while not (deliveries := self._take(max_messages)):
            if deadline is not None and self._clock.monotonic() >= deadline:
                return []
            await self._ready(deadline)
        meter.count(bus_receives=len(deliveries), bytes_read=sum(len(item.message.body) for item in deliveries))
        return [received_message(delivery) for delivery in deliveries]

    async def complete(self, messages: Sequence[ReceivedMessage]) -> None:
        """Take messages out of the entity. This and the other settlements settle what can be settled.

        Raises:
            MessageLockLost: some were no longer locked; the others are settled.
            SessionLockLost: the session is gone.
        """
        self._settle(messages, self._source.complete)
        meter.count(bus_completes=len(messages))

    async def abandon(
        self, messages: Sequence[ReceivedMessage], *, properties: Mapping[str, Any] | None = None
    ) -> None:
        """Give messages back at once; the delivery counts."""
        self._settle(messages, lambda token: self._source.abandon(token, properties))

    async def release(self, messages: Sequence[ReceivedMessage]) -> None:
        """Give messages back as if they had not been delivered."""
        self._settle(messages, self._source.release)

    async def defer(self, messages: Sequence[ReceivedMessage]) -> None:
        """Put messages aside, to be received by their sequence numbers only."""
        self._settle(messages, self._source.defer)

    async def dead_letter(
        self, messages: Sequence[ReceivedMessage], *, reason: str = "", description: str = ""
    ) -> None:
        """Move messages to the dead-letter queue."""
        self._settle(messages, lambda token: self._source.dead_letter(token, reason, description))

    def _take(self, limit: int) -> list[Delivery]:
        with refusing():
            return self._source.receive(limit, self._mode)

    async def _ready(self, deadline: float | None) -> None:
        ready = asyncio.Event()
        with refusing():
            waiter = self._source.when_ready(ready.set)
        timer = self._clock.call_later(deadline - self._clock.monotonic(), ready.set) if deadline is not None else None
        try:
            await ready.wait()
        finally:
            waiter.cancel()
            if timer is not None:
                timer.cancel()

    def _settle(self, messages: Sequence[ReceivedMessage], settle: Callable[[bytes], object]) -> None:
        self._each(messages, settle)

    def _each(self, messages: Sequence[ReceivedMessage], act: Callable[[bytes], object]) -> None:
        lost: list[ReceivedMessage] = []
        for message in messages:
            try:
                with refusing():
                    act(_token(message))
            except MessageLockLost:
                lost.append(message)
        if lost:
            error = MessageLockLost(
                f"{len(lost)} of {len(messages)} messages of {self.entity!r} are no longer locked and will be "
                "delivered again. Settle sooner, or renew the lock."
            )
            error.messages = tuple(lost)
            raise error


class MemoryReceiver(_Receiver):
    """Receives from a queue or subscription without sessions, or from a dead-letter queue."""

    def __init__(self, queue: Queue, entity: str, mode: ReceiveMode, clock: VirtualClock) -> None:
        super().__init__(queue, entity, mode, clock)
        self._queue = queue
        self._closed = False
        self._held: list[bytes] = []

    @property
    def closed(self) -> bool:
        return self._closed

    async def renew(self, messages: Sequence[ReceivedMessage]) -> list[datetime]:
        """Hold each message for another lock duration; the new times. Raises `MessageLockLost`."""
        ends: list[datetime] = []
        self._each(messages, lambda token: ends.append(self._queue.renew(token)))
        return ends

    async def close(self) -> None:
        """Give back what is still locked, without counting. It can be received by others at once."""
        self._closed = True
        held, self._held = self._held, []
        for token in held:
            with suppress(QueueMessageLockLost):
                self._queue.release(token)

    def _take(self, limit: int) -> list[Delivery]:
        deliveries = super()._take(limit)
        if self._mode is ReceiveMode.PEEK_LOCK:
            self._held += [delivery.lock_token for delivery in deliveries]
        return deliveries

    def _settle(self, messages: Sequence[ReceivedMessage], settle: Callable[[bytes], object]) -> None:
        settled = {_token(message) for message in messages}
        self._held = [token for token in self._held if token not in settled]
        super()._settle(messages, settle)


class MemorySession(_Receiver):
    """A session that is held: its messages in order, until `close`, expiry or theft."""

    def __init__(self, session: SessionReceiver, entity: str, mode: ReceiveMode, clock: VirtualClock) -> None:
        super().__init__(session, entity, mode, clock)
        self._session = session

    @property
    def session_id(self) -> str:
        return self._session.session_id

    @property
    def locked_until(self) -> datetime:
        """When the session's lock runs out (UTC)."""
        return self._session.locked_until

    @property
    def closed(self) -> bool:
        """Whether the lock is gone: closed, expired or taken."""
        return self._session.lost

    async def renew(self) -> datetime:
        """Hold the session for another lock duration. Raises `SessionLockLost`."""
        with refusing():
            return self._session.renew()

    async def get_state(self) -> bytes | None:
        with refusing():
            return self._session.state()

    async def set_state(self, state: bytes | None) -> None:
        with refusing():
            self._session.set_state(state)

    async def close(self) -> None:
        """Give the session back; what is not settled is delivered again, without counting."""
        self._session.close()


def _token(message: ReceivedMessage) -> bytes:
    return message.lock_token.bytes_le if message.lock_token else b""


def received_message(delivery: Delivery) -> ReceivedMessage:
    """A delivery of the engine as receivers see it."""
    return _as_received(
        delivery.message,
        delivery_count=delivery.delivery_count,
        locked_until=delivery.locked_until if delivery.session is None else None,
        lock_token=UUID(bytes_le=delivery.lock_token) if delivery.lock_token else None,
    )


def peeked_message(message: Message) -> ReceivedMessage:
    """A message of the engine that nobody has received."""
    return _as_received(message, delivery_count=message.delivery_count)


def _as_received(
    message: Message, *, delivery_count: int, locked_until: datetime | None = None, lock_token: UUID | None = None
) -> ReceivedMessage:
    return ReceivedMessage(
        body=message.body,
        sequence_number=message.sequence_number,
        enqueued_sequence_number=message.enqueued_sequence_number,
        delivery_count=delivery_count,
        enqueued_at=message.enqueued_at,
        locked_until=locked_until,
        lock_token=lock_token,
        message_id=message.message_id,
        session_id=message.session_id,
        correlation_id=message.correlation_id,
        subject=message.subject,
        content_type=message.content_type,
        time_to_live=message.time_to_live,
        scheduled_at=message.scheduled_for,
        application_properties=dict(message.application_properties),
        dead_letter_reason=message.dead_letter_reason,
        dead_letter_description=message.dead_letter_description,
        dead_letter_source=message.dead_letter_source,
    )
