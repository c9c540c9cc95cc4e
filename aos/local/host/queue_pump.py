"""Receives from a queue or subscription without sessions: single messages side by side, or batches in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from aos.kernel.errors import AosError
from aos.local.host.delivery import Delivery
from aos.local.host.releasing import close_quietly
from aos.local.host.source import OpenReceiver, Source
from aos.local.host.workers import Workers
from aos.local.servicebus.client.received import ReceivedMessage


class QueuePump:
    """Runs up to `maxConcurrentCalls` invocations at a time; for batches, one."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._slots = 1 if delivery.trigger.many else delivery.limits.max_concurrent_calls
        self._busy = 0
        self._freed = asyncio.Event()
        self._workers = Workers()
        self._receiver: OpenReceiver | None = None

    @property
    def function_name(self) -> str:
        return self._delivery.function.name

    async def run(self, source: Source) -> None:
        """See `Pump.run`."""
        receiver = await source.receiver(self._delivery.trigger.entity, prefetch=self._delivery.limits.prefetch)
        self._receiver = receiver
        try:
            while True:
                self._start(receiver, await self._receive(receiver))
        except AosError:
            # A new one will be opened: this one must not go on taking messages.
            self._receiver = None
            self._workers.start(close_quietly(receiver))
            raise

    async def finish(self, grace: float) -> None:
        """See `Pump.finish`."""
        await self._workers.drain(grace)
        if self._receiver is not None:
            await close_quietly(self._receiver)

    async def _receive(self, receiver: OpenReceiver) -> list[ReceivedMessage]:
        free = await self._free_slots()
        messages = await receiver.receive(self._delivery.batch_size if self._delivery.trigger.many else free)
        self._delivery.received(messages)
        return messages

    def _start(self, receiver: OpenReceiver, messages: list[ReceivedMessage]) -> None:
        batches = [messages] if self._delivery.trigger.many else [[message] for message in messages]
        for batch in filter(None, batches):
            self._busy += 1
            self._workers.start(self._handle(receiver, batch), f"deliver to {self.function_name}")

    async def _free_slots(self) -> int:
        while self._busy >= self._slots:
            self._freed.clear()
            await self._freed.wait()
        return self._slots - self._busy

    async def _handle(self, receiver: OpenReceiver, messages: Sequence[ReceivedMessage]) -> None:
        async def renew() -> datetime:
            return min(await receiver.renew(messages))

        try:
            locked = [message.locked_until for message in messages if message.locked_until is not None]
            async with self._delivery.renewing(min(locked, default=None), renew):
                await self._delivery.handle(messages, receiver)
        finally:
            self._busy -= 1
            self._freed.set()
