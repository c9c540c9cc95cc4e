"""What the processes of a simulation share: time, chance, stores, the bus, and the list of broken promises."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from aos.kernel.errors import AosError
from aos.kernel.ports import OutboundMessage, TableStore
from aos.testing.blobs import MemoryBlobStore
from aos.testing.bus import MemoryBus
from aos.testing.clock import VirtualClock
from aos.testing.simulation.trace import Trace
from aos.testing.simulation.trouble import Trouble, Troubles
from aos.testing.tables import MemoryTableStore
from aos.testing.topology import agent_topology

INBOX = "agent-inbox"
LOCK_SECONDS = 30.0


class Scene:
    """One seed's world, without the processes in it.

    Args:
        chance: All that is random in the run.
        clock: Its time.
        without: Faults that are left out.
        max_deliveries: Failed deliveries until the bus gives a message up.
        guise: Puts something before the tables, for every process.
    """

    def __init__(
        self,
        chance: random.Random,
        clock: VirtualClock,
        *,
        without: frozenset[Trouble] = frozenset(),
        max_deliveries: int = 10,
        guise: Callable[[TableStore], TableStore] | None = None,
    ) -> None:
        self.chance = chance
        self.clock = clock
        self.lock_seconds = LOCK_SECONDS
        self.troubles = Troubles(chance, without=without)
        self.trace = Trace(clock)
        self.stored = MemoryTableStore()
        self.tables: TableStore = guise(self.stored) if guise else self.stored
        self.blobs = MemoryBlobStore(clock)
        self.bus = MemoryBus(
            clock,
            topology=agent_topology(lock_duration=timedelta(seconds=LOCK_SECONDS), max_delivery_count=max_deliveries),
            blobs=self.blobs,
        )
        self.problems: list[str] = []
        self.held: list[str] = []
        """Sessions that somebody has, or had when he died."""
        self._copies = 0
        self._lost_until = 0.0
        self._pending: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way, and no mailbox has messages."""
        statistics = self.bus.engine.all_statistics().values()
        waiting = sum(s.active + s.scheduled + s.deferred + s.dead_letter for s in statistics)
        return not waiting and not self._pending

    def problem(self, text: str) -> None:
        """Something is not as promised."""
        self.trace.note("!", text)
        self.problems.append(text)

    def latency(self) -> float:
        """Seconds a trip to a service takes; often none that matters."""
        roll = self.chance.random()
        return 0.0 if roll < 0.5 else 0.001 + 0.05 * (roll - 0.5) if roll < 0.97 else roll

    def lose_services(self, seconds: float) -> None:
        """Storage and bus answer nobody for a while."""
        self._lost_until = self.clock.monotonic() + seconds

    def out_of_reach(self, operation: str) -> bool:
        return (
            self.clock.monotonic() < self._lost_until
            and not self.troubles.calm
            and operation.startswith(("tables.", "blobs.", "bus.send"))
        )

    def steal_a_session(self) -> None:
        if self.held:
            session = self.chance.choice(self.held)
            self.troubles.count(Trouble.THEFT)
            self.trace.note("*", f"takes the lock of {session}")
            self.bus.steal_session(INBOX, session)

    def apply_later(self, call: Callable[[], Awaitable[Any]]) -> None:
        """Do what its caller was told had timed out."""
        self._run(self.chance.uniform(0.05, 40), call)

    async def deliver_again(self, message: OutboundMessage) -> None:
        """A copy that duplicate detection does not know for one."""
        self._copies += 1
        due = max(message.scheduled_at or self.clock.now(), self.clock.now())
        later = due + timedelta(seconds=self.chance.choice((0.0, 0.5, 5.0, 60.0)))
        copy = replace(message, message_id=f"copy-{self._copies}", scheduled_at=later)
        await self.bus.send([copy])

    def _run(self, delay: float, call: Callable[[], Awaitable[Any]]) -> None:
        async def run() -> None:
            await self.clock.sleep(delay)
            try:
                await call()
            except AosError as error:
                self.trace.note("*", f"what timed out is refused: {error.code}")
            else:
                self.trace.note("*", "what timed out is applied")

        task = asyncio.get_running_loop().create_task(run())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
