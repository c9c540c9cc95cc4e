"""A whole system over memory, with a post office that carries its messages about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from aos.agents import Agent, AgentRegistry
from aos.config import AOSConfig
from aos.kernel.address import agent_type
from aos.kernel.kernel import Delivery
from aos.kernel.message import Message
from aos.llm.installed import InstalledModels
from aos.system import Adapters, AgentOperatingSystem
from aos.testing import MemoryBlobStore, MemoryTableStore, SeededIds, VirtualClock
from aos.workflows.definition.workflow import Workflow
from tests.kernel.world import Outbox


class MemorySystem:
    """An `AgentOperatingSystem` whose outside world is memory."""

    def __init__(
        self,
        *agents: Agent[Any],
        workflows: Sequence[Workflow] = (),
        models: InstalledModels | None = None,
        folders: Sequence[str] = (),
        secrets: Mapping[str, str] | None = None,
        **config: Any,
    ) -> None:
        self.clock = VirtualClock()
        self.outbox = Outbox()
        self.tables = MemoryTableStore()
        self.blobs = MemoryBlobStore()
        self.broken: dict[str, Exception] = {}
        self.secrets = dict(secrets or {})
        # `settle` goes on until there is nothing left to come, which would be the end of every question.
        self.config = AOSConfig.load(environment="test", **{"questions": {"seconds": 0}, **config})
        self.registry = AgentRegistry(agents)
        self.registry.folders = tuple(folders)
        self.system = AgentOperatingSystem(
            self.config,
            Adapters(
                tables=self.tables,
                blobs=self.blobs,
                bus=self.outbox,
                clock=self.clock,
                ids=SeededIds(7),
                open_body=self._open,
                probe_bus=self._probe,
                close=self._close,
            ),
            self.registry,
            models,
            secrets=self._secret,
        )
        self.system.definitions.store.packaged.update({workflow.name: workflow for workflow in workflows})
        self._delivered = 0
        self._waiting: list[Any] = []

    async def settle(self, *, until: timedelta | None = None) -> None:
        """Deliver messages in the order they are due: all there are, or those of the time `until` from now."""
        waiting = self._waiting
        end = self.clock.now() + (until if until is not None else timedelta(days=36_500))
        for _ in range(10_000):
            waiting += self.outbox.sent[self._delivered :]
            self._delivered = len(self.outbox.sent)
            due = [m for m in waiting if (m.scheduled_at or self.clock.now()) <= end and self._is_ours(m.entity)]
            if not due:
                if until is not None:
                    self.clock.advance((end - self.clock.now()).total_seconds())
                return
            first = min(due, key=lambda m: (m.scheduled_at or self.clock.now(), waiting.index(m)))
            waiting.remove(first)
            if first.scheduled_at is not None and first.scheduled_at > self.clock.now():
                self.clock.advance((first.scheduled_at - self.clock.now()).total_seconds())
            await self._deliver(first)
        raise AssertionError("messages never stopped")

    async def settle_some(self, deliveries: int) -> None:
        """Deliver so many of the messages that are due now."""
        for _ in range(deliveries):
            self._waiting += self.outbox.sent[self._delivered :]
            self._delivered = len(self.outbox.sent)
            now = self.clock.now()
            first = next(m for m in self._waiting if (m.scheduled_at or now) <= now and self._is_ours(m.entity))
            self._waiting.remove(first)
            await self._deliver(first)

    def sent_to(self, entity: str) -> list[dict[str, Any]]:
        """Bodies of the messages for a queue outside."""
        return [json.loads(message.body) for message in self.outbox.sent if message.entity == entity]

    async def state(self, agent: str) -> Any:
        return (await self.system.directory.detail(agent))["state"]

    def _is_ours(self, entity: str) -> bool:
        return entity in (self.config.messaging.inbox, self.config.messaging.events)

    async def _deliver(self, message: Any) -> None:
        await self.system.declarations.keep_fresh(agent_type(message.session_id or "") or None)
        if message.entity == self.config.messaging.inbox:
            await self.system.kernel.deliver([Delivery(message.body)])
        else:
            await self.system.messages.route(Message.decode(message.body))

    async def _secret(self, name: str) -> str | None:
        return self.secrets.get(name)

    async def _open(self, body: bytes) -> bytes:
        return body

    async def _probe(self) -> None:
        if "bus" in self.broken:
            raise self.broken["bus"]

    async def _close(self) -> None:
        return None
