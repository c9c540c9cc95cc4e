"""What the triggers do, free of the Functions library's decorators."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC

import azure.functions as func

from aos.functions.process import system
from aos.kernel.address import agent_type
from aos.kernel.errors import MalformedMessage, TerminalError
from aos.kernel.kernel import Delivery
from aos.kernel.message import Message

log = logging.getLogger("aos.functions")


async def deliver(messages: Sequence[func.ServiceBusMessage]) -> None:
    """One turn of the agent whose mailbox the messages come from."""
    running = system()
    await running.declarations.keep_fresh(agent_type(messages[0].session_id or "") or None)
    await running.kernel.deliver([await _delivery(message) for message in messages])


async def route(messages: Sequence[func.ServiceBusMessage]) -> None:
    """Copy topic events to the mailboxes of their subscribers."""
    running = system()
    await running.declarations.keep_fresh()
    for message in messages:
        delivery = await _delivery(message)
        try:
            event = Message.decode(delivery.body)
        except MalformedMessage as error:
            await running.kernel.dead_letters.add_unreadable(delivery.body, error, at=delivery.enqueued)
            continue
        await running.messages.route(event)


async def give_up(message: func.ServiceBusMessage) -> None:
    """Put a message the bus would not deliver any more into the dead-letter store."""
    await system().kernel.recover(await _delivery(message), _given_up(message))


async def give_up_request(message: func.ServiceBusMessage) -> None:
    """Put a request that could not be answered into the dead-letter store."""
    delivery = await _delivery(message)
    await system().kernel.dead_letters.add_unreadable(delivery.body, _given_up(message), at=delivery.enqueued)


async def answer(message: func.ServiceBusMessage, traceparent: str | None) -> None:
    """Answer one request of the wire contract."""
    running = system()
    await running.declarations.keep_fresh()
    await running.requests.handle((await _delivery(message)).body, traceparent=traceparent)


async def maintain() -> None:
    """Run the maintenance of all services."""
    log.info("maintenance", extra=await system().run_maintenance())


async def beat() -> None:
    """Note that this host is alive, and wake the agents whose time has come."""
    running = system()
    await running.heartbeat.beat()
    await running.declarations.refresh()
    await running.alarm.ring()


def _given_up(message: func.ServiceBusMessage) -> TerminalError:
    reason = message.dead_letter_reason or "unknown"
    description = message.dead_letter_error_description or ""
    return TerminalError(
        f"The bus gave the message up: {reason}. {description}".strip(),
        code="delivery_failed",
        details={"reason": reason},
    )


async def _delivery(message: func.ServiceBusMessage) -> Delivery:
    body = await system().open_body(message.get_body())
    enqueued = message.enqueued_time_utc
    if enqueued is not None and enqueued.tzinfo is None:
        enqueued = enqueued.replace(tzinfo=UTC)
    return Delivery(body, message.delivery_count or 1, enqueued)
