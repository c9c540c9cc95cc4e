"""A message bus in memory on a virtual clock: the engine of the local Service Bus, without its wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import count

from aos.azure.claims import CONTENT_TYPE as CLAIM_CONTENT_TYPE
from aos.azure.claims import deposit
from aos.kernel import meter
from aos.kernel.errors import PayloadTooLarge
from aos.kernel.ports import BlobStore, OutboundMessage
from aos.local.servicebus.client import Mode, ReceivedMessage
from aos.local.servicebus.engine import Bus, Limits, Message, OperationTimedOut, ReceiveMode, Topology
from aos.local.servicebus.engine.receiving import accept_session
from aos.testing.clock import Timer, VirtualClock
from aos.testing.receivers import MemoryReceiver, MemorySession, peeked_message
from aos.testing.refusing import check_outbound, refusing, refusing_to_send
from aos.testing.topology import agent_topology

MAX_BODY_BYTES = 240 * 1024
STANDARD_MESSAGE_BYTES = 256 * 1024
"""What one message may have on the Standard tier, its properties included."""

_MODES = {"peek-lock": ReceiveMode.PEEK_LOCK, "receive-and-delete": ReceiveMode.RECEIVE_AND_DELETE}


class MemoryBus:
    """Implements `aos.kernel.ports.MessageBus`, and gives receivers to take the messages out again.

    Locks expire, scheduled messages appear and message ids are forgotten as `clock` advances.

    Args:
        clock: The time; one of its own that never advances by default.
        topology: Queues, topics and subscriptions; those of a system of agents by default.
        blobs: Takes bodies over `max_body_bytes`, a claim check travelling in their place; without it such messages
            are refused.
        max_body_bytes: The largest body that travels itself.

    Attributes:
        engine: What is underneath: `engine.faults`, `engine.statistics(path)` and administration.
    """

    def __init__(
        self,
        clock: VirtualClock | None = None,
        *,
        topology: Topology | None = None,
        blobs: BlobStore | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._clock = clock or VirtualClock()
        self._blobs = blobs
        self._max_body_bytes = max_body_bytes
        tokens = count(1)
        self.engine = Bus(
            clock=self._clock.now,
            limits=Limits(max_message_bytes=STANDARD_MESSAGE_BYTES),
            lock_tokens=lambda: next(tokens).to_bytes(16, "big"),
        )
        self._alarm: Timer | None = None
        self.engine.on_earlier_due = self._set_alarm
        self.engine.apply(topology or agent_topology())

    async def send(self, messages: Sequence[OutboundMessage]) -> None:
        by_entity: dict[str, list[Message]] = {}
        for message in messages:
            check_outbound(message)
        for message in messages:
            by_entity.setdefault(message.entity, []).append(_engine_message(message, await self._body(message)))
        for entity, batch in by_entity.items():
            with refusing_to_send():
                self.engine.target(entity).send(batch)
            meter.count(bus_sends=len(batch), bytes_written=sum(len(message.body) for message in batch))

    async def _body(self, message: OutboundMessage) -> bytes:
        if len(message.body) <= self._max_body_bytes:
            return message.body
        if self._blobs is None:
            raise PayloadTooLarge(
                f"Message {message.message_id!r} has {len(message.body)} bytes; {self._max_body_bytes} may be sent. "
                "Give the bus a blob store for what is larger.",
            )
        return await deposit(message.body, self._blobs)

    async def accept_next_session(
        self,
        entity: str,
        *,
        timeout: float = 0.0,  # noqa: ASYNC109  # counted by the virtual clock
        mode: Mode = "peek-lock",
    ) -> MemorySession | None:
        """Lock a session that has messages and no holder; None when none came within `timeout` seconds."""
        with refusing():
            queue = self.engine.source(entity)
            session = queue.accept_next_session()
            if session is None and timeout > 0:
                try:
                    session = await accept_session(queue, timeout=timedelta(seconds=timeout))
                except OperationTimedOut:
                    return None
        return None if session is None else MemorySession(session, entity, _MODES[mode], self._clock)

    async def accept_session(self, entity: str, session_id: str, *, mode: Mode = "peek-lock") -> MemorySession:
        """Lock one session. Raises `SessionCannotBeLocked` while another receiver holds it."""
        with refusing():
            session = self.engine.source(entity).accept_session(session_id)
        return MemorySession(session, entity, _MODES[mode], self._clock)

    async def receiver(self, entity: str, *, mode: Mode = "peek-lock") -> MemoryReceiver:
        """Receive from a queue without sessions, from `topic/Subscriptions/name`, or from `.../$DeadLetterQueue`."""
        with refusing():
            return MemoryReceiver(self.engine.source(entity), entity, _MODES[mode], self._clock)

    def steal_session(self, entity: str, session_id: str) -> None:
        """End a session's lock now: its holder learns of it as of an expiry, and somebody else may have it."""
        self.engine.source(entity).steal_session(session_id)

    def peek(self, entity: str, limit: int = 1_000) -> list[ReceivedMessage]:
        """What an entity holds, in order, waiting, locked, deferred or scheduled: to look at, not to take."""
        with refusing():
            return [peeked_message(message) for message in self.engine.source(entity).peek(0, limit)]

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        due = self.engine.next_due()
        self._alarm = None if due is None else self._clock.call_at(due, self._fire)

    def _fire(self) -> None:
        self.engine.advance()
        self._set_alarm()


def _engine_message(message: OutboundMessage, body: bytes) -> Message:
    texts = (message.message_id, message.session_id, message.subject, message.correlation_id, message.content_type)
    properties = dict(message.properties)
    size = len(body) + sum(len(text.encode()) for text in texts if text)
    size += sum(len(name.encode()) + len(value.encode()) for name, value in properties.items())
    return Message(
        body=body,
        message_id=message.message_id,
        session_id=message.session_id,
        subject=message.subject,
        correlation_id=message.correlation_id,
        content_type=message.content_type if body is message.body else CLAIM_CONTENT_TYPE,
        application_properties=properties,
        time_to_live=None if message.expires_after is None else timedelta(seconds=message.expires_after),
        scheduled_for=message.scheduled_at,
        size=size,
    )
