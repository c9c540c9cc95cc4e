"""A kernel over memory, and a post office that delivers what it sends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aos.kernel.behaviour import Projection
from aos.kernel.kernel import Delivery, Kernel
from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy
from aos.kernel.ports import OutboundMessage, TableStore
from aos.kernel.settings import KernelSettings
from aos.kernel.turn import Turn
from aos.testing import MemoryBlobStore, MemoryTableStore, SeededIds, VirtualClock

Handle = Callable[[Turn], Awaitable[None]]


@dataclass
class Script:
    """An agent type made of one function."""

    type: str
    run: Handle
    policy: AgentPolicy = field(default_factory=AgentPolicy)
    initial: dict[str, Any] = field(default_factory=dict)
    topics: tuple[str, ...] = ()

    def initial_state(self) -> dict[str, Any]:
        return dict(self.initial)

    async def handle(self, turn: Turn) -> None:
        await self.run(turn)


class Scripts:
    def __init__(self, *scripts: Script) -> None:
        self.by_type = {script.type: script for script in scripts}

    def behaviour(self, agent_type: str) -> Script | None:
        return self.by_type.get(agent_type)

    def subscribers(self, event: Message) -> Iterable[str]:
        return [script.type for script in self.by_type.values() if event.topic in script.topics]


class Outbox:
    """A bus that keeps what it is given, once for each message id, as duplicate detection does."""

    def __init__(self) -> None:
        self.sent: list[OutboundMessage] = []
        self.attempts = 0
        self.failure: Exception | None = None

    async def send(self, messages: Sequence[OutboundMessage]) -> None:
        self.attempts += 1
        if self.failure is not None:
            raise self.failure
        known = {(message.entity, message.message_id) for message in self.sent}
        self.sent += [message for message in messages if (message.entity, message.message_id) not in known]


class World:
    def __init__(
        self,
        *scripts: Script,
        tables: TableStore | None = None,
        settings: KernelSettings | None = None,
        projections: Sequence[Projection] = (),
    ) -> None:
        self.clock = VirtualClock()
        self.ids = SeededIds(1)
        self.tables = tables or MemoryTableStore()
        self.blobs = MemoryBlobStore()
        self.outbox = Outbox()
        self.settings = settings or KernelSettings()
        self.projections = projections
        self.scripts = Scripts(*scripts)
        self.kernel = self.instance()
        self._taken = 0
        self._number = 0

    def instance(self) -> Kernel:
        """A kernel as another host process would have it: same stores, nothing remembered."""
        return Kernel(
            self.scripts,
            tables=self.tables,
            blobs=self.blobs,
            bus=self.outbox,
            clock=self.clock,
            ids=self.ids,
            settings=self.settings,
            projections=self.projections,
        )

    def message(self, to: str, type_: str = "go", data: Any = None, **fields: Any) -> Message:
        self._number += 1
        values = {"id": f"m{self._number}", "source": "test", "time": self.clock.now(), **fields}
        return Message(to=to, type=type_, data=data, **values)

    async def give(self, *messages: Message, delivery_count: int = 1, kernel: Kernel | None = None) -> None:
        """Hand messages over as one trigger invocation does."""
        deliveries = [Delivery(message.encode(), delivery_count) for message in messages]
        await (kernel or self.kernel).deliver(deliveries)

    def mail(self) -> list[OutboundMessage]:
        """What was sent since last asked."""
        new = self.outbox.sent[self._taken :]
        self._taken = len(self.outbox.sent)
        return new

    async def settle(self, rounds: int = 50) -> None:
        """Deliver what was sent, and what follows from it, waiting for scheduled messages, until there is no more."""
        for _ in range(rounds):
            mail = [message for message in self.mail() if message.entity == self.settings.inbox]
            if not mail:
                return
            for message in sorted(mail, key=lambda m: m.scheduled_at or self.clock.now()):
                if message.scheduled_at is not None and message.scheduled_at > self.clock.now():
                    self.clock.advance((message.scheduled_at - self.clock.now()) / timedelta(seconds=1))
                await self.kernel.deliver([Delivery(message.body)])
        raise AssertionError(f"messages were still being sent after {rounds} rounds")

    async def state(self, agent: str) -> Any:
        import json

        head = await self.kernel.heads.read(agent)
        return None if head is None else json.loads(head.state)


async def count(turn: Turn) -> None:
    """Adds `by` (1) to the total."""
    turn.state["total"] = turn.state.get("total", 0) + (turn.message.data or {}).get("by", 1)
