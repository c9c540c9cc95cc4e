"""The session pump against a source that does what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aos.kernel.errors import LockLost
from aos.local.host.delivery import Delivery
from aos.local.host.function import BusTrigger, Function
from aos.local.host.host_json import BusLimits
from aos.local.host.invoke import Invoker
from aos.local.host.session_pump import SessionPump
from aos.local.host.timers import Time
from aos.local.servicebus.client.contract import OutgoingMessage
from aos.local.servicebus.client.received import ReceivedMessage

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """Sleepers wait until a test moves the time."""

    def __init__(self) -> None:
        self.moment = START
        self.sleeps: asyncio.Queue[float] = asyncio.Queue()
        self._moved = asyncio.Condition()

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        until = self.moment + timedelta(seconds=seconds)
        self.sleeps.put_nowait(seconds)
        async with self._moved:
            await self._moved.wait_for(lambda: self.moment >= until)

    async def pass_next_sleep(self) -> float:
        seconds = await self.sleeps.get()
        async with self._moved:
            self.moment += timedelta(seconds=seconds)
            self._moved.notify_all()
        return seconds


class FakeSession:
    def __init__(self, source: FakeSource, session_id: str, bodies: Sequence[bytes]) -> None:
        self._source = source
        self.session_id = session_id
        self.locked_until = START + timedelta(seconds=60)
        self.inbox: asyncio.Queue[ReceivedMessage] = asyncio.Queue()
        self.lost = False
        for number, body in enumerate(bodies):
            self.inbox.put_nowait(ReceivedMessage(body, number, 0, START, message_id=f"{session_id}{number}"))

    async def receive(self, max_messages: int = 1, wait: float | None = None) -> list[ReceivedMessage]:
        try:
            async with asyncio.timeout(wait):
                first = await self.inbox.get()
        except TimeoutError:
            return []
        return [first, *(self.inbox.get_nowait() for _ in range(min(max_messages - 1, self.inbox.qsize())))]

    async def complete(self, messages: Sequence[ReceivedMessage]) -> None:
        if self.lost:
            raise LockLost("gone")
        self._source.note("complete", messages)

    async def abandon(self, messages: Sequence[ReceivedMessage]) -> None:
        self._source.note("abandon", messages)

    async def release(self, messages: Sequence[ReceivedMessage]) -> None:
        self._source.note("release", messages)

    async def renew(self) -> datetime:
        self._source.notes.put_nowait(f"renew {self.session_id}")
        if self.lost:
            raise LockLost("gone")
        self.locked_until = self._source.clock.moment + timedelta(seconds=60)
        return self.locked_until

    async def close(self) -> None:
        self._source.notes.put_nowait(f"close {self.session_id}")


class FakeSource:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.waiting: asyncio.Queue[FakeSession] = asyncio.Queue()
        self.notes: asyncio.Queue[str] = asyncio.Queue()

    def note(self, what: str, messages: Sequence[ReceivedMessage]) -> None:
        self.notes.put_nowait(" ".join([what, *(str(message.message_id) for message in messages)]))

    def offer(self, session_id: str, *bodies: bytes) -> FakeSession:
        session = FakeSession(self, session_id, bodies)
        self.waiting.put_nowait(session)
        return session

    async def accept_next_session(self, entity: str, *, timeout: float = 60.0) -> FakeSession | None:  # noqa: ASYNC109
        return await self.waiting.get()

    async def receiver(self, entity: str, *, prefetch: int = 0) -> Any:
        raise NotImplementedError

    async def send(self, entity: str, messages: Sequence[OutgoingMessage]) -> None:
        raise NotImplementedError

    async def wait_closed(self) -> None:
        await asyncio.Event().wait()


@asynccontextmanager
async def _pump(
    source: FakeSource, call: Any, limits: BusLimits, *, auto_complete: bool | None = None, many: bool = True
) -> AsyncIterator[SessionPump]:
    trigger = BusTrigger("messages", "C", "q", True, many, "binary", auto_complete)
    function = Function("f", call, is_async=True, wants_context=False, trigger=trigger, outputs=())

    async def send(*_: Any) -> None: ...

    invoker = Invoker(Path(), None, send)
    pump = SessionPump(Delivery(function, trigger, limits, invoker, Time(source.clock.now, source.clock.sleep)))
    running = asyncio.create_task(pump.run(source))
    try:
        yield pump
    finally:
        running.cancel()
        await pump.finish(grace=0)
        await asyncio.wait([running])
        invoker.close()


async def test_a_batch_is_completed_together_and_an_idle_session_given_back() -> None:
    source = FakeSource()
    source.offer("a", b"1", b"2")

    async def call(messages: Any) -> None: ...

    async with _pump(source, call, BusLimits(session_idle=0.01)) as pump:
        assert await source.notes.get() == "complete a0 a1"
        assert await source.notes.get() == "close a"
        assert pump.held == 0


async def test_single_messages_go_one_by_one_and_after_a_failure_the_session_is_given_back() -> None:
    source = FakeSource()
    source.offer("a", b"good", b"bad", b"good")

    async def call(messages: Any) -> None:
        if messages.get_body() == b"bad":
            raise ValueError("bad")

    async with _pump(source, call, BusLimits(), many=False):
        assert [await source.notes.get() for _ in range(3)] == ["complete a0", "abandon a1", "close a"]


async def test_without_auto_complete_nothing_is_settled() -> None:
    source = FakeSource()
    source.offer("a", b"1")

    async def call(messages: Any) -> None: ...

    async with _pump(source, call, BusLimits(session_idle=0.01), auto_complete=False):
        assert await source.notes.get() == "close a"


async def test_the_lock_is_renewed_at_half_time_until_the_limit() -> None:
    source, release = FakeSource(), asyncio.Event()
    source.offer("a", b"1")

    async def call(messages: Any) -> None:
        await release.wait()

    async with _pump(source, call, BusLimits(max_lock_renewal=65)):
        assert [await source.clock.pass_next_sleep() for _ in range(2)] == [30, 30]
        assert [await source.notes.get() for _ in range(2)] == ["renew a", "renew a"]
        release.set()
        assert await source.notes.get() == "complete a0"
        assert source.clock.sleeps.empty()


async def test_a_lost_lock_is_survived() -> None:
    source, release = FakeSource(), asyncio.Event()
    lost = source.offer("a", b"1")

    async def call(messages: Any) -> None:
        await release.wait()

    async with _pump(source, call, BusLimits(session_idle=0.01)):
        lost.lost = True
        await source.clock.pass_next_sleep()
        assert await source.notes.get() == "renew a"
        release.set()
        assert await source.notes.get() == "close a"
        source.offer("b", b"1")
        assert await source.notes.get() == "complete b0"


async def test_an_idle_session_gives_way_and_a_busy_one_does_not() -> None:
    source, release = FakeSource(), asyncio.Event()

    async def call(messages: Any) -> None:
        if messages[0].get_body() == b"wait":
            await release.wait()

    async with _pump(source, call, BusLimits(max_concurrent_sessions=2, session_idle=60)):
        source.offer("idle", b"1")
        assert await source.notes.get() == "complete idle0"
        source.offer("busy", b"wait")
        source.offer("next", b"1")
        # The order of these two does not matter: giving back and serving go side by side.
        assert {await source.notes.get() for _ in range(2)} == {"close idle", "complete next0"}
        release.set()
        assert await source.notes.get() == "complete busy0"
