"""Waiting for messages and sessions with `await`, for callers that live in an event loop."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from aos.local.servicebus.engine.errors import OperationTimedOut
from aos.local.servicebus.engine.message import Delivery, ReceiveMode
from aos.local.servicebus.engine.message_queue import Queue
from aos.local.servicebus.engine.sessions import SessionReceiver


async def receive(
    source: Queue | SessionReceiver,
    limit: int = 1,
    mode: ReceiveMode = ReceiveMode.PEEK_LOCK,
    timeout: float | None = None,  # noqa: ASYNC109  # an empty list, not an error, ends the wait
) -> list[Delivery]:
    """Up to `limit` messages; waits for the first. An empty list after `timeout` seconds of the event loop.

    Raises:
        SessionLockLost: of a session, while waiting.
        EntityNotFound: the entity was deleted meanwhile.
    """
    loop = asyncio.get_running_loop()
    deadline = None if timeout is None else loop.time() + timeout
    while not (deliveries := source.receive(limit, mode)):
        ready = asyncio.Event()
        waiter = source.when_ready(ready.set)
        try:
            async with asyncio.timeout_at(deadline):
                await ready.wait()
        except TimeoutError:
            return source.receive(limit, mode)
        finally:
            waiter.cancel()
    return deliveries


async def accept_session(
    queue: Queue,
    session_id: str | None = None,
    timeout: timedelta | None = None,  # noqa: ASYNC109  # counted by the bus's clock, which may be virtual
) -> SessionReceiver:
    """The session of this id at once, or the next one that is free and has messages.

    Raises:
        SessionCannotBeLocked: somebody holds the session of this id.
        OperationTimedOut: none became free within `timeout` by the bus's clock.
    """
    if session_id is not None:
        return queue.accept_session(session_id)
    found: asyncio.Future[SessionReceiver | None] = asyncio.get_running_loop().create_future()

    def give(receiver: SessionReceiver | None) -> None:
        if not found.done():
            found.set_result(receiver)
        elif receiver is not None:
            # Who waited was cancelled, and has not had the time to say so.
            receiver.close()

    waiter = queue.when_session(give, timeout)
    try:
        receiver = await found
    except asyncio.CancelledError:
        waiter.cancel()
        if found.done() and not found.cancelled() and (given := found.result()) is not None:
            given.close()
        raise
    if receiver is None:
        raise OperationTimedOut(f"No session of {queue.path!r} had messages in time: try again.")
    return receiver
