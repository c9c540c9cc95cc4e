"""Serves sessions, up to a number at a time, each for as long as it has work and a little longer."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from aos.kernel.errors import BusUnavailable, InfrastructureError
from aos.local.host.delivery import Delivery
from aos.local.host.releasing import close_quietly, release_quietly
from aos.local.host.source import HeldSession, Source
from aos.local.host.workers import Workers
from aos.local.servicebus.client.received import ReceivedMessage

_logger = logging.getLogger(__name__)

# How long a session that had work is left alone before others may take its place: a round trip to the bus.
_LINGER = 0.01
_ACCEPT_TIMEOUT = 60.0
# Accepting takes a round trip; a few at once keep up with many short sessions.
_ACCEPTORS = 4


@dataclass(eq=False, slots=True)
class _Slot:
    """A session being served. `waiting` is its receive, while it has nothing to do."""

    session: HeldSession
    waiting: asyncio.Task[list[ReceivedMessage]] | None = None
    evicted: bool = False

    @property
    def idle(self) -> bool:
        return self.waiting is not None

    def evict(self) -> None:
        self.evicted = True
        if self.waiting is not None:
            self.waiting.cancel()


class SessionPump:
    """Keeps up to `maxConcurrentSessions` sessions.

    A session is given back when it was idle for `sessionIdleTimeout`. When all places are taken and some are
    idle, the pump goes on asking for sessions: one that comes then has work, and takes an idle one's place.
    """

    def __init__(self, delivery: Delivery, acceptors: int = _ACCEPTORS) -> None:
        self._delivery = delivery
        self._limit = delivery.limits.max_concurrent_sessions
        self._acceptors = min(acceptors, self._limit)
        self._slots: dict[_Slot, None] = {}
        self._accepting = 0
        self._changed = asyncio.Event()
        self._stopping = False
        self._workers = Workers()

    @property
    def function_name(self) -> str:
        return self._delivery.function.name

    @property
    def held(self) -> int:
        """How many sessions it has."""
        return len(self._slots)

    async def run(self, source: Source) -> None:
        """See `Pump.run`."""
        acceptors = [asyncio.ensure_future(self._accept(source)) for _ in range(self._acceptors)]
        try:
            # None of them returns; the first error is that of all.
            await asyncio.gather(*acceptors)
        finally:
            for acceptor in acceptors:
                acceptor.cancel()
            await asyncio.wait(acceptors)

    async def finish(self, grace: float) -> None:
        """See `Pump.finish`."""
        self._stopping = True
        for slot in list(self._slots):
            slot.evict()
        await self._workers.drain(grace)

    async def _accept(self, source: Source) -> None:
        while True:
            while not self._has_room():
                self._changed.clear()
                await self._changed.wait()
            self._accepting += 1
            try:
                session = await source.accept_next_session(self._delivery.trigger.entity, timeout=_ACCEPT_TIMEOUT)
            finally:
                self._accepting -= 1
            if session is None:
                continue
            if self._make_place():
                slot = _Slot(session)
                self._slots[slot] = None
                self._workers.start(self._serve(slot), f"session {session.session_id}")
            else:
                # Those that were idle when it was asked for are busy now: somebody else may have it.
                await close_quietly(session)

    def _has_room(self) -> bool:
        idle = sum(slot.idle and not slot.evicted for slot in self._slots)
        return len(self._slots) + self._accepting < self._limit + idle

    def _make_place(self) -> bool:
        """Whether there is a place for one more session, after sending the longest idle one away if need be."""
        if len(self._slots) < self._limit:
            return True
        idle = next((slot for slot in self._slots if slot.idle), None)
        if idle is None:
            return False
        idle.evict()
        del self._slots[idle]
        return True

    async def _serve(self, slot: _Slot) -> None:
        session = slot.session
        try:
            async with self._delivery.renewing(session.locked_until, session.renew):
                while messages := await self._next(slot):
                    self._delivery.received(messages)
                    if not await self._delivery.handle(messages, session):
                        # Later messages may have arrived meanwhile, and would now come before those given back.
                        # Closing gives these back too, so that whoever has the session next finds all in order.
                        break
        except InfrastructureError as error:
            facts = {"function": self.function_name, "session": session.session_id, "reason": error.code}
            level = logging.DEBUG if isinstance(error, BusUnavailable) else logging.WARNING
            _logger.log(level, "session lost", extra=facts)
        finally:
            self._slots.pop(slot, None)
            self._changed.set()
            await close_quietly(session)

    async def _next(self, slot: _Slot) -> list[ReceivedMessage]:
        """The session's next messages; none when it is to be given back."""
        if slot.evicted or self._stopping:
            return []
        size = self._delivery.batch_size
        messages = await slot.session.receive(size, _LINGER)
        if not messages and not slot.evicted:
            messages = await self._wait(slot, size)
        if messages and slot.evicted:
            await release_quietly(slot.session, messages)
            return []
        return messages

    async def _wait(self, slot: _Slot, size: int) -> list[ReceivedMessage]:
        """Wait for messages with the place up for grabs."""
        # Last in the order of eviction: it has been idle for the shortest time.
        self._slots.pop(slot, None)
        self._slots[slot] = None
        slot.waiting = asyncio.ensure_future(slot.session.receive(size, self._delivery.limits.session_idle))
        self._changed.set()
        try:
            return await slot.waiting
        except asyncio.CancelledError:
            if slot.evicted:
                return []
            raise
        finally:
            slot.waiting = None
