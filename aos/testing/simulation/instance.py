"""A host instance: it takes sessions of the mailbox queue, wakes agents, and acknowledges, as the real host does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aos.kernel.errors import InfrastructureError, LockLost, TerminalError
from aos.kernel.kernel import Delivery, Kernel
from aos.kernel.message import Message
from aos.kernel.settings import KernelSettings
from aos.local.servicebus.client import ReceivedMessage
from aos.testing.clock import SeededIds
from aos.testing.receivers import MemoryReceiver, MemorySession
from aos.testing.simulation.ports import SimulatedBlobs, SimulatedBus, SimulatedTables
from aos.testing.simulation.process import SimulatedProcess, delivery_began
from aos.testing.simulation.scene import INBOX, Scene
from aos.testing.simulation.trouble import Trouble
from aos.testing.simulation.workload import Actors

_IDLE = 5.0
_WAIT = 40.0
_EVENTS = "agent-events/Subscriptions/router"
_DEAD_EVENTS = f"{_EVENTS}/$DeadLetterQueue"
_DEAD = f"{INBOX}/$DeadLetterQueue"


class Instance(SimulatedProcess):
    """A process with a kernel of its own.

    Args:
        name: Its name in the trace.
        scene: What it shares with other processes.
        actors: The agent types.
        seed: Of its ids.
        alter: Changes the kernel before it starts: how a test breaks it on purpose.
    """

    def __init__(
        self,
        name: str,
        scene: Scene,
        actors: Actors,
        *,
        seed: int | str,
        alter: Callable[[Kernel], object] | None = None,
    ) -> None:
        super().__init__(name, scene)
        self._actors = actors
        self.kernel = Kernel(
            actors,
            tables=SimulatedTables(scene.tables, self),
            blobs=SimulatedBlobs(scene.blobs, self),
            bus=SimulatedBus(scene.bus, self),
            clock=scene.clock,
            ids=SeededIds(f"{seed}/{name}"),
            settings=KernelSettings(cache_seconds=_IDLE),
        )
        if alter is not None:
            alter(self.kernel)

    def open(self, sessions: int) -> None:
        """Start serving, so many sessions at a time."""
        for _ in range(sessions):
            self.start(self._serve_sessions)
        self.start(lambda: self._route_events(_EVENTS))
        self.start(lambda: self._route_events(_DEAD_EVENTS))
        self.start(self._take_given_up)

    async def _serve_sessions(self) -> None:
        while True:
            await self.reach("bus.accept")
            session = await self.scene.bus.accept_next_session(INBOX, timeout=_WAIT)
            if session is not None:
                await self._serve(session)

    async def _serve(self, session: MemorySession) -> None:
        self.scene.held.append(session.session_id)
        try:
            while messages := await self._next(session):
                await self._invoke(session, messages)
                await session.renew()
        except LockLost:
            self.scene.trace.note(self.name, f"has lost {session.session_id}")
        finally:
            self.scene.held.remove(session.session_id)
        await session.close()

    async def _next(self, session: MemorySession) -> list[ReceivedMessage]:
        await self.reach("bus.receive")
        return await session.receive(self._chance.randint(1, 6), self._chance.uniform(0.1, _IDLE))

    async def _invoke(self, session: MemorySession, messages: list[ReceivedMessage]) -> None:
        delivery_began.set(self._clock.monotonic())
        names = [f"{message.message_id} ({message.delivery_count + 1})" for message in messages]
        self.scene.trace.note(self.name, f"wakes {session.session_id} for {', '.join(names)}")
        try:
            await self.kernel.deliver([_delivery(message) for message in messages])
        except InfrastructureError as error:
            self.scene.trace.note(self.name, f"fails the trigger: {error.code}")
            await self._give_back(session, messages)
        except Exception as error:  # noqa: BLE001  # as the host: whatever it was, the messages go back
            self.scene.problem(f"the kernel raised {error!r}")
            await self._give_back(session, messages)
        else:
            await self._acknowledge(session, messages)

    async def _route_events(self, subscription: str) -> None:
        receiver = await self.scene.bus.receiver(subscription)
        await self._serve_queue(receiver, self._route)

    async def _take_given_up(self) -> None:
        receiver = await self.scene.bus.receiver(_DEAD)
        await self._serve_queue(receiver, self._recover)

    async def _serve_queue(self, receiver: MemoryReceiver, work: Callable[[ReceivedMessage], Any]) -> None:
        while True:
            await self.reach("bus.receive")
            for message in await receiver.receive(1, _WAIT):
                try:
                    await work(message)
                except InfrastructureError:
                    await self._give_back(receiver, [message])
                else:
                    await self._acknowledge(receiver, [message])

    async def _route(self, message: ReceivedMessage) -> None:
        event = Message.decode(message.body)
        await self.kernel.mailbox.fan_out(event, self._actors.subscribers(event))

    async def _recover(self, message: ReceivedMessage) -> None:
        error = TerminalError("The bus gave the message up.", code="delivery_failed")
        await self.kernel.recover(_delivery(message), error)

    async def _give_back(self, receiver: MemorySession | MemoryReceiver, messages: list[ReceivedMessage]) -> None:
        await self.reach("bus.abandon")
        try:
            await receiver.abandon(messages)
        except LockLost:
            self.scene.trace.note(self.name, "gives back what it no longer has")

    async def _acknowledge(self, receiver: MemorySession | MemoryReceiver, messages: list[ReceivedMessage]) -> None:
        trouble = await self.reach("bus.complete")
        if trouble is Trouble.LOSE_REQUEST:
            return
        try:
            await receiver.complete(messages)
        except LockLost:
            self.scene.trace.note(self.name, "acknowledges what it no longer has")
        await self.leave()


def _delivery(message: ReceivedMessage) -> Delivery:
    return Delivery(message.body, message.delivery_count + 1, message.enqueued_at)
