"""Ways to a message bus and back: one in memory, and one through the Service Bus SDK to an emulator or to Azure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import (
    MessageAlreadySettled,
    MessageLockLostError,
    OperationTimeoutError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from aos.kernel.errors import LockLost
from aos.kernel.ports import MessageBus
from aos.local.servicebus.client import EntityReceiver, Multiplexer, ReceivedMessage, SessionReceiver
from aos.local.servicebus.engine import Bus, QueueDescription, SubscriptionDescription, TopicDescription, Topology
from aos.testing import MemoryBus, VirtualClock

_T = TypeVar("_T")

LOCK = timedelta(seconds=8)
WINDOW = timedelta(seconds=20)
DELIVERIES = 3


@dataclass(frozen=True)
class Names:
    """The entities the tests use.

    `mailboxes` has sessions and duplicate detection, `plain` neither; `events` is a topic with one `subscription`.
    """

    mailboxes: str
    plain: str
    events: str
    subscription: str = "all"

    @property
    def copies(self) -> str:
        return f"{self.events}/Subscriptions/{self.subscription}"


@dataclass(frozen=True)
class Letter:
    """A message as it was received."""

    body: bytes
    message_id: str | None
    session_id: str | None
    subject: str | None
    correlation_id: str | None
    content_type: str | None
    properties: dict[str, Any]
    delivery_count: int
    reason: str | None
    description: str | None
    raw: Any


class Receiver(Protocol):
    """Receives from one session, or from an entity without sessions."""

    async def take(self, count: int) -> list[Letter]:
        """So many letters; fewer if no more come."""
        ...

    async def complete(self, letter: Letter) -> None: ...

    async def abandon(self, letter: Letter) -> None: ...

    async def dead_letter(self, letter: Letter, reason: str, description: str) -> None: ...

    async def close(self) -> None: ...


class SessionHolder(Receiver, Protocol):
    @property
    def session_id(self) -> str: ...

    async def renew(self) -> datetime: ...

    async def get_state(self) -> bytes | None: ...

    async def set_state(self, state: bytes | None) -> None: ...


class Line(Protocol):
    """A bus with all that is needed to see what becomes of messages."""

    @property
    def bus(self) -> MessageBus: ...

    @property
    def names(self) -> Names: ...

    def now(self) -> datetime: ...

    async def pass_time(self, seconds: float) -> None: ...

    async def accept_next(self) -> SessionHolder | None:
        """A session with messages that nobody holds, if there is one."""
        ...

    async def accept(self, session_id: str) -> SessionHolder:
        """Raises LockLost while somebody holds it."""
        ...

    async def receiver(self, entity: str) -> Receiver: ...


class MemoryLine:
    """The bus in memory."""

    def __init__(self, bus: MemoryBus, clock: VirtualClock, names: Names) -> None:
        self.bus = bus
        self.names = names
        self._memory = bus
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()

    async def pass_time(self, seconds: float) -> None:
        self._clock.advance(seconds)

    async def accept_next(self) -> SessionHolder | None:
        session = await self._memory.accept_next_session(self.names.mailboxes)
        return None if session is None else _ClientSession(session, 0.0)

    async def accept(self, session_id: str) -> SessionHolder:
        return _ClientSession(await self._memory.accept_session(self.names.mailboxes, session_id), 0.0)

    async def receiver(self, entity: str) -> Receiver:
        return _ClientReceiver(await self._memory.receiver(entity), 0.0)


class _ClientReceiver:
    """A receiver of the bus in memory or of the emulator's own client: they have one shape."""

    def __init__(self, receiver: SessionReceiver | EntityReceiver, patience: float) -> None:
        self._receiver = receiver
        self._patience = patience

    async def take(self, count: int) -> list[Letter]:
        taken: list[ReceivedMessage] = []
        while len(taken) < count:
            more = await self._receiver.receive(count - len(taken), wait=self._patience)
            if not more:
                break
            taken += more
        return [
            Letter(
                body=message.body,
                message_id=message.message_id,
                session_id=message.session_id,
                subject=message.subject,
                correlation_id=message.correlation_id,
                content_type=message.content_type,
                properties=dict(message.application_properties),
                delivery_count=message.delivery_count,
                reason=message.dead_letter_reason,
                description=message.dead_letter_description,
                raw=message,
            )
            for message in taken
        ]

    async def complete(self, letter: Letter) -> None:
        await self._receiver.complete([letter.raw])

    async def abandon(self, letter: Letter) -> None:
        await self._receiver.abandon([letter.raw])

    async def dead_letter(self, letter: Letter, reason: str, description: str) -> None:
        await self._receiver.dead_letter([letter.raw], reason=reason, description=description)

    async def close(self) -> None:
        await self._receiver.close()


class _ClientSession(_ClientReceiver):
    def __init__(self, session: SessionReceiver, patience: float) -> None:
        super().__init__(session, patience)
        self._session = session

    @property
    def session_id(self) -> str:
        return self._session.session_id

    async def renew(self) -> datetime:
        return await self._session.renew()

    async def get_state(self) -> bytes | None:
        return await self._session.get_state()

    async def set_state(self, state: bytes | None) -> None:
        await self._session.set_state(state)


class JumpingClock:
    """Real time, but for the jumps."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def jump(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)


class Emulator:
    """An engine with a broker before it, whose time can be made to pass."""

    def __init__(self, engine: Bus, clock: JumpingClock) -> None:
        self._engine = engine
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()

    async def pass_time(self, seconds: float) -> None:
        self._clock.jump(seconds)
        self._engine.advance()
        if self._engine.on_earlier_due is not None:
            self._engine.on_earlier_due()


class Azure:
    """The cloud, where time just passes."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class EmulatorLine:
    """The adapter for sending, the emulator's own client for receiving."""

    def __init__(self, bus: MessageBus, client: Multiplexer, names: Names, emulator: Emulator, patience: float) -> None:
        self.bus = bus
        self.names = names
        self.now = emulator.now
        self.pass_time = emulator.pass_time
        self._client = client
        self._patience = patience

    async def accept_next(self) -> SessionHolder | None:
        session = await self._client.accept_next_session(self.names.mailboxes, timeout=self._patience)
        return None if session is None else _ClientSession(session, self._patience)

    async def accept(self, session_id: str) -> SessionHolder:
        return _ClientSession(await self._client.accept_session(self.names.mailboxes, session_id), self._patience)

    async def receiver(self, entity: str) -> Receiver:
        return _ClientReceiver(await self._client.receiver(entity), self._patience)


class SdkLine:
    """The adapter for sending, the SDK for receiving: from the emulator or from Azure.

    Args:
        bus: The adapter.
        client: The SDK's.
        names: The entities.
        service: What is at the other end.
        patience: Seconds to wait for a message that may or may not come.
    """

    def __init__(
        self,
        bus: MessageBus,
        client: ServiceBusClient,
        names: Names,
        *,
        service: Emulator | Azure,
        patience: float,
    ) -> None:
        self.bus = bus
        self.names = names
        self.now = service.now
        self.pass_time = service.pass_time
        self._client = client
        self._patience = patience
        self._opened: list[ServiceBusReceiver] = []

    async def accept_next(self) -> SessionHolder | None:
        try:
            return _SdkSession(await self._session(NEXT_AVAILABLE_SESSION), self._patience)
        except OperationTimeoutError:
            return None

    async def accept(self, session_id: str) -> SessionHolder:
        with _told():
            return _SdkSession(await self._session(session_id), self._patience)

    async def receiver(self, entity: str) -> Receiver:
        path = entity.removesuffix("/$DeadLetterQueue")
        kind: dict[str, Any] = {"sub_queue": "deadletter"} if entity != path else {}
        topic, _, subscription = path.partition("/Subscriptions/")
        if subscription:
            opened = self._client.get_subscription_receiver(topic, subscription, **kind)
        else:
            opened = self._client.get_queue_receiver(path, **kind)
        self._opened.append(await opened.__aenter__())
        return _SdkReceiver(opened, self._patience)

    async def _session(self, session_id: Any) -> ServiceBusReceiver:
        receiver = self._client.get_queue_receiver(
            self.names.mailboxes, session_id=session_id, max_wait_time=max(1.0, self._patience)
        )
        self._opened.append(receiver)
        return await receiver.__aenter__()

    async def close(self) -> None:
        await asyncio.gather(*(receiver.close() for receiver in self._opened))


class _SdkReceiver:
    def __init__(self, receiver: ServiceBusReceiver, patience: float) -> None:
        self._receiver = receiver
        self._patience = patience

    async def take(self, count: int) -> list[Letter]:
        taken: list[ServiceBusReceivedMessage] = []
        while len(taken) < count:
            with _told():
                more = await self._receiver.receive_messages(count - len(taken), max_wait_time=self._patience)
            if not more:
                break
            taken += more
        return [_letter(message) for message in taken]

    async def complete(self, letter: Letter) -> None:
        await _asked(self._receiver.complete_message(letter.raw))

    async def abandon(self, letter: Letter) -> None:
        await _asked(self._receiver.abandon_message(letter.raw))

    async def dead_letter(self, letter: Letter, reason: str, description: str) -> None:
        await _asked(self._receiver.dead_letter_message(letter.raw, reason=reason, error_description=description))

    async def close(self) -> None:
        await self._receiver.close()


class _SdkSession(_SdkReceiver):
    @property
    def session_id(self) -> str:
        return str(self._receiver.session.session_id)

    async def renew(self) -> datetime:
        return await _asked(self._receiver.session.renew_lock())

    async def get_state(self) -> bytes | None:
        state = await _asked(self._receiver.session.get_state())
        return bytes(state) if state is not None else None

    async def set_state(self, state: bytes | None) -> None:
        await _asked(self._receiver.session.set_state(state))


def _letter(message: ServiceBusReceivedMessage) -> Letter:
    properties = {_text(name): _text(value) for name, value in (message.application_properties or {}).items()}
    parts: Sequence[bytes] = list(message.body)
    return Letter(
        body=b"".join(parts),
        message_id=message.message_id,
        session_id=message.session_id,
        subject=message.subject,
        correlation_id=message.correlation_id,
        content_type=message.content_type,
        properties=properties,
        delivery_count=message.delivery_count or 0,
        reason=message.dead_letter_reason,
        description=message.dead_letter_error_description,
        raw=message,
    )


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


async def _asked(answer: Awaitable[_T]) -> _T:
    with _told():
        return await answer


@contextmanager
def _told() -> Iterator[None]:
    """The SDK's word for a lock that is gone, in ours."""
    try:
        yield
    except (SessionLockLostError, MessageLockLostError, SessionCannotBeLockedError, MessageAlreadySettled) as error:
        raise LockLost(str(error)) from error


def topology(names: Names) -> Topology:
    """The entities, for the engine. On Azure the fixture makes the same."""
    return Topology(
        queues=(
            QueueDescription(
                name=names.mailboxes,
                requires_session=True,
                requires_duplicate_detection=True,
                duplicate_detection_window=WINDOW,
                lock_duration=LOCK,
                max_delivery_count=DELIVERIES,
            ),
            QueueDescription(name=names.plain, lock_duration=LOCK, max_delivery_count=DELIVERIES),
        ),
        topics=(
            TopicDescription(name=names.events, requires_duplicate_detection=True, duplicate_detection_window=WINDOW),
        ),
        subscriptions=(
            SubscriptionDescription(
                topic=names.events, name=names.subscription, lock_duration=LOCK, max_delivery_count=DELIVERIES
            ),
        ),
    )
