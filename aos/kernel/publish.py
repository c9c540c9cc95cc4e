"""Sends what a committed turn decided to send, and feeds the read models. Doing it twice is harmless."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aos.kernel.behaviour import EntryProjection, Projection
from aos.kernel.deadletter import DeadLetters, unsendable
from aos.kernel.errors import TerminalError
from aos.kernel.head import Head
from aos.kernel.journal import JournalEntry
from aos.kernel.outgoing import outbound
from aos.kernel.ports import MessageBus


class Publisher:
    """Publishes journal entries: messages first, then dead letters, then projections."""

    def __init__(
        self, bus: MessageBus, dead_letters: DeadLetters, projections: Sequence[Projection | EntryProjection]
    ) -> None:
        self._bus = bus
        self._dead_letters = dead_letters
        self._projections = [each for each in projections if not isinstance(each, EntryProjection)]
        self._choosing = [each for each in projections if isinstance(each, EntryProjection)]

    async def publish(self, entry: JournalEntry, head: Head) -> None:
        """Publish an entry, `head` being its agent's newest known head.

        What the bus will never take (its queue is not there, it is too large) becomes a dead letter: it must hold up
        neither the agent nor the other messages.

        Raises:
            BusUnavailable, StoreUnavailable: some of it may not be out; publish the entry again.
        """
        if entry.sent:
            await self._send(entry)
        for record in entry.dead:
            await self._dead_letters.add(record)
        for choosing in self._choosing:
            if choosing.chooses(entry):
                await choosing.apply_entry(entry, head)
        interested = [p for p in self._projections if p.concerns(entry.agent, entry.version)]
        if interested:
            state = json.loads(head.state)
            for projection in interested:
                await projection.apply(entry, state)

    async def _send(self, entry: JournalEntry) -> None:
        try:
            await self._bus.send([outbound(record) for record in entry.sent])
        except TerminalError:
            for record in entry.sent:
                try:
                    await self._bus.send([outbound(record)])
                except TerminalError as error:
                    await self._dead_letters.add(unsendable(entry.agent, entry.time, record, error))
