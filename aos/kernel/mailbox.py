"""Puts messages into mailboxes from outside a turn: what HTTP routes, timers and topic routing do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from aos.kernel.address import check_address
from aos.kernel.errors import AosError
from aos.kernel.message import Message
from aos.kernel.outgoing import QUEUE_SCHEME
from aos.kernel.ports import MessageBus, OutboundMessage
from aos.kernel.settings import KernelSettings
from aos.kernel.turn import ERROR_TYPE


class Mailbox:
    """The way into an agent."""

    def __init__(self, bus: MessageBus, settings: KernelSettings) -> None:
        self._bus = bus
        self._settings = settings

    async def post(self, message: Message, *, at: datetime | None = None) -> None:
        """Append a message to the mailbox it is addressed to; posting it twice has the effect of once.

        Args:
            message: With `to` set.
            at: Not to be delivered before this moment (UTC).

        Raises:
            InvalidInput: `to` is not an agent's address.
            BusUnavailable: it may not have been sent; post it again.
        """
        await self._bus.send([self._outbound(message, at)])

    async def publish(self, event: Message) -> None:
        """Put an event with a `topic` on the events topic."""
        outbound = OutboundMessage(
            entity=self._settings.events, body=event.encode(), message_id=_digest(event), subject=event.type
        )
        await self._bus.send([outbound])

    async def fan_out(self, event: Message, addresses: Iterable[str]) -> None:
        """Give each of the addressed agents its copy of a topic event."""
        copies = [self._outbound(replace(event, to=address), None) for address in addresses]
        if copies:
            await self._bus.send(copies)

    async def reply_error(self, request: Message, error: AosError, now: datetime) -> None:
        """Tell the sender of a request that it failed before any agent saw it."""
        reply_to = request.reply_to or ""
        queue = reply_to.removeprefix(QUEUE_SCHEME) if reply_to.startswith(QUEUE_SCHEME) else None
        reply = Message(
            id=f"error-{_digest(request)}",
            source=request.to,
            type=ERROR_TYPE,
            time=now,
            data=error.to_json(),
            to="" if queue else reply_to,
            correlation_id=request.id,
            conversation_id=request.conversation_id,
            traceparent=request.traceparent,
        )
        if queue:
            await self._bus.send([OutboundMessage(queue, reply.encode(), _digest(reply), subject=reply.type)])
        else:
            await self.post(reply)

    def _outbound(self, message: Message, at: datetime | None) -> OutboundMessage:
        check_address(message.to)
        return OutboundMessage(
            entity=self._settings.inbox,
            body=message.encode(),
            message_id=_digest(message),
            session_id=message.to,
            subject=message.type,
            correlation_id=message.correlation_id,
            scheduled_at=at,
        )


def _digest(message: Message) -> str:
    """The bus compares ids across all mailboxes, so the address belongs to the id."""
    return hashlib.sha256(f"{message.to}\n{message.dedupe_key}".encode()).hexdigest()[:40]
