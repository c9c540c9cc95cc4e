"""From received messages to settled ones: run the function, then complete or abandon; hold the locks meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from aos.kernel import meter
from aos.kernel.errors import AosError, InfrastructureError
from aos.local.host.bus_binding import bind, trace_of
from aos.local.host.function import BusTrigger, Function
from aos.local.host.host_json import BusLimits
from aos.local.host.invoke import Invoker
from aos.local.host.source import Settling
from aos.local.host.timers import Time
from aos.local.servicebus.client.received import ReceivedMessage

_logger = logging.getLogger(__name__)
# Often enough for a lock of a few seconds, and never so often that a lock already past makes a busy loop.
_SHORTEST_PAUSE = 0.5

Renew = Callable[[], Awaitable[datetime]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the messages of one Service Bus function are handled."""

    function: Function
    trigger: BusTrigger
    limits: BusLimits
    invoker: Invoker
    time: Time

    @property
    def auto_complete(self) -> bool:
        wanted = self.trigger.auto_complete
        return self.limits.auto_complete if wanted is None else wanted

    @property
    def batch_size(self) -> int:
        return self.limits.max_batch if self.trigger.many else 1

    async def handle(self, messages: Sequence[ReceivedMessage], settling: Settling) -> bool:
        """Run the function with the messages: completed if it succeeds, abandoned if not. Whether it did.

        A settlement that comes too late, or finds the connection gone, is logged: the bus delivers again.
        """
        try:
            await self.invoker.run(self.function, bind(self.trigger, messages), trace_of(messages))
        except asyncio.CancelledError:
            await self._settle("abandon", settling.abandon, messages)
            raise
        except Exception as error:  # noqa: BLE001  # whatever a function raises abandons its messages
            _logger.warning("messages abandoned", extra=self._facts(messages) | {"reason": type(error).__name__})
            await self._settle("abandon", settling.abandon, messages)
            return False
        if self.auto_complete and await self._settle("complete", settling.complete, messages):
            meter.count(bus_completes=len(messages))
        return True

    def received(self, messages: Sequence[ReceivedMessage]) -> None:
        """Count what the bus charges for."""
        meter.count(bus_receives=len(messages))

    @asynccontextmanager
    async def renewing(self, locked_until: datetime | None, renew: Renew) -> AsyncIterator[None]:
        """Renew a lock for as long as the block runs, but no longer than the host's limit allows in total."""
        if locked_until is None:
            yield
            return
        task = asyncio.get_running_loop().create_task(self._renew(locked_until, renew))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _renew(self, locked_until: datetime, renew: Renew) -> None:
        left = self.limits.max_lock_renewal
        facts = {"function": self.function.name, "entity": self.trigger.entity}
        while True:
            half = (locked_until - self.time.now()).total_seconds() / 2
            pause = max(half, _SHORTEST_PAUSE)
            left -= pause
            if left < 0:
                _logger.warning("lock no longer renewed: maxAutoLockRenewalDuration is over", extra=facts)
                return
            await self.time.sleep(pause)
            try:
                locked_until = await renew()
            except InfrastructureError as error:
                _logger.warning("lock could not be renewed", extra=facts | {"reason": error.code})
                return

    async def _settle(
        self,
        name: str,
        settle: Callable[[Sequence[ReceivedMessage]], Awaitable[None]],
        messages: Sequence[ReceivedMessage],
    ) -> bool:
        try:
            await settle(messages)
        except AosError as error:
            facts = self._facts(messages) | {"reason": error.code, "detail": error.message}
            _logger.warning("could not %s: the bus will deliver again", name, extra=facts)
            return False
        return True

    def _facts(self, messages: Sequence[ReceivedMessage]) -> dict[str, object]:
        return {
            "function": self.function.name,
            "entity": self.trigger.entity,
            "messages": len(messages),
            "first": messages[0].message_id,
            "delivery": messages[0].delivery_count + 1,
        }
