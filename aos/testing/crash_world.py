"""One run of a crash test: the stores and the bus, which survive, and the processes, which do not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from aos.agents.agent import Agent
from aos.agents.registry import AgentRegistry
from aos.kernel.behaviour import Behaviour
from aos.kernel.errors import InfrastructureError
from aos.kernel.head import ROW
from aos.kernel.kernel import Delivery, Kernel
from aos.kernel.mailbox import Mailbox
from aos.kernel.message import Message
from aos.kernel.policy import AgentPolicy
from aos.kernel.settings import KernelSettings
from aos.kernel.turn import Turn
from aos.testing.blobs import MemoryBlobStore
from aos.testing.bus import MemoryBus
from aos.testing.clock import SeededIds, VirtualClock
from aos.testing.external_calls import ExternalCalls, Ledger, within_step
from aos.testing.faults import Action, FaultPlan, SimulatedCrash
from aos.testing.faulty import FaultyBlobs, FaultyBus, FaultyTables
from aos.testing.receivers import MemorySession
from aos.testing.scenario import Finished, Scenario
from aos.testing.tables import MemoryTableStore

T = TypeVar("T")

MakeAgents = Callable[[ExternalCalls], Agent[Any] | Iterable[Agent[Any]]]

_INBOX = "agent-inbox"
_EVENTS = "agent-events/Subscriptions/router"
_BATCH = 32
_MOST_TURNS = 1_000


class NeverEnds(AssertionError):
    """The agents never come to rest."""


class CrashWorld:
    """One run: the stores, which survive, and the processes, which do not."""

    def __init__(self, make: MakeAgents, scenario: Scenario) -> None:
        self.ledger = Ledger()
        self.clock = VirtualClock()
        self._make = make
        self._scenario = scenario
        self._tables = MemoryTableStore()
        self._blobs = MemoryBlobStore(self.clock)
        self._bus = MemoryBus(self.clock, blobs=self._blobs)
        self._processes = 0
        self._registry = AgentRegistry()

    async def run(self, plan: FaultPlan) -> list[str]:
        """Do all there is to do; the operations of the first process."""
        mailbox = Mailbox(self._bus, KernelSettings())
        for message in self._scenario.messages:
            await mailbox.post(message)
        kernel, current = self._process(plan), plan
        for _ in range(_MOST_TURNS):
            await self._route()
            session = await self._bus.accept_next_session(_INBOX)
            if session is None:
                if not self._bus.engine.statistics(_INBOX).scheduled:
                    return plan.log
                self.clock.advance(self.clock.next_due() or 0.0)
                continue
            try:
                await _serve(session, kernel, current)
            except SimulatedCrash:
                self._bus.steal_session(_INBOX, session.session_id)
                current = FaultPlan()
                kernel = self._process(current)
            else:
                await session.close()
        raise NeverEnds(f"still at work after {_MOST_TURNS} turns")

    async def finished(self) -> Finished:
        kernel = self._process(FaultPlan())
        letters, _ = await kernel.dead_letters.page(limit=1_000)
        states: dict[str, Any] = {}
        for agent in self._agents():
            head = await kernel.heads.read(agent)
            if head is not None:
                states[agent] = json.loads(head.state)
        return Finished(states, tuple(str(letter.error["code"]) for letter in letters))

    async def sent(self) -> Counter[str]:
        """What left the agents, by type and address or queue, as their journals have it."""
        kernel = self._process(FaultPlan())
        sent: Counter[str] = Counter()
        for agent in self._agents():
            for entry in await kernel.journal.entries(agent, limit=100_000):
                for record in entry.sent:
                    sent[f"{record['body'].get('type', 'message')} to {record.get('session', record['entity'])}"] += 1
        return sent

    def _process(self, plan: FaultPlan) -> Kernel:
        made = self._make(ExternalCalls(self.ledger, plan, self._scenario.answers))
        self._processes += 1
        self._registry = AgentRegistry([made] if isinstance(made, Agent) else made)
        return Kernel(
            _Watched(self._registry),
            tables=FaultyTables(self._tables, plan),
            blobs=FaultyBlobs(self._blobs, plan),
            bus=FaultyBus(self._bus, plan),
            clock=self.clock,
            ids=SeededIds(self._processes),
        )

    def _agents(self) -> list[str]:
        return [entity.partition for entity in self._tables.entities("agents") if entity.row == ROW]

    async def _route(self) -> None:
        """Events go to their subscribers; how that survives a crash is no matter of the agent's."""
        receiver = await self._bus.receiver(_EVENTS)
        for message in await receiver.receive(_BATCH):
            event = Message.decode(message.body)
            copies = self._registry.subscribers(event)
            await Mailbox(self._bus, KernelSettings()).fan_out(event, copies)
            await receiver.complete([message])


class _Watched:
    """A catalogue whose agents are seen to enter their steps."""

    def __init__(self, registry: AgentRegistry) -> None:
        self._registry = registry

    def behaviour(self, agent_type: str) -> Behaviour | None:
        agent = self._registry.behaviour(agent_type)
        return None if agent is None else _WatchedAgent(agent)

    def subscribers(self, event: Message) -> list[str]:
        return self._registry.subscribers(event)


class _WatchedAgent:
    def __init__(self, agent: Agent[Any]) -> None:
        self._agent = agent

    @property
    def type(self) -> str:
        return self._agent.type

    @property
    def policy(self) -> AgentPolicy:
        return self._agent.policy

    def initial_state(self) -> dict[str, Any]:
        return self._agent.initial_state()

    async def handle(self, turn: Turn) -> None:
        step = turn.step

        async def watched(name: str, work: Callable[[], Awaitable[T]]) -> T:
            async def noted() -> T:
                with within_step(name):
                    return await work()

            return await step(name, noted)

        turn.step = watched  # type: ignore[method-assign]
        await self._agent.handle(turn)


async def _serve(session: MemorySession, kernel: Kernel, plan: FaultPlan) -> None:
    messages = await session.receive(_BATCH)
    try:
        await kernel.deliver([Delivery(m.body, m.delivery_count + 1, m.enqueued_at) for m in messages])
    except InfrastructureError:
        await session.abandon(messages)
        return
    fault = plan.next("bus.complete")
    if fault is not None and fault.action is Action.CRASH:
        raise plan.crash("before bus.complete")
    await session.complete(messages)
    if fault is not None:
        raise plan.crash("after bus.complete")
