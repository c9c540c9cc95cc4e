"""The receiving end of a link: messages asked for as they are wanted, and settled with the broker's confirmation."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from aos.local.servicebus.amqp.errors import DecodeFault
from aos.local.servicebus.amqp.performatives import RECEIVER, Attach, Disposition, Flow
from aos.local.servicebus.amqp.terminus import (
    Accepted,
    Modified,
    Outcome,
    Rejected,
    Released,
    Source,
    Target,
    error_of,
)
from aos.local.servicebus.client.errors import ConnectionLost, MessageLockLost
from aos.local.servicebus.client.link import ClientLink
from aos.local.servicebus.client.reading import received_message
from aos.local.servicebus.client.refusals import MESSAGE_LOCK_LOST, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aos.kernel.errors import AosError
    from aos.local.servicebus.amqp.performatives import Transfer
    from aos.local.servicebus.client.connection import ClientConnection
    from aos.local.servicebus.client.contract import Mode
    from aos.local.servicebus.client.received import ReceivedMessage

_SETTLED, _UNSETTLED = 1, 0
_FIRST, _SECOND = 0, 1
_DRAIN_WAIT = 5.0


class ReceivingLink(ClientLink):
    """Receives from one entity or one session.

    Args:
        filters: The source's filter, for sessions.
        properties: Of the attach, for sessions.
        prefetch: How many messages to keep asked for between calls.
    """

    def __init__(
        self,
        connection: ClientConnection,
        name: str,
        entity: str,
        *,
        mode: Mode = "peek-lock",
        filters: dict[Any, Any] | None = None,
        properties: dict[Any, Any] | None = None,
        prefetch: int = 0,
    ) -> None:
        presettled = mode == "receive-and-delete"
        attach = Attach(
            name=name,
            handle=connection.next_handle(),
            role=RECEIVER,
            snd_settle_mode=_SETTLED if presettled else _UNSETTLED,
            rcv_settle_mode=_FIRST if presettled else _SECOND,
            source=Source(address=entity, filter=filters),
            target=Target(address=name),
            properties=properties,
        )
        super().__init__(connection, attach)
        self.entity = entity
        self.in_session = filters is not None
        self._presettled = presettled
        self._prefetch = prefetch
        self._buffer: deque[ReceivedMessage] = deque()
        self._arrived = asyncio.Event()
        self._drained: asyncio.Future[None] | None = None
        self._receiving = asyncio.Lock()
        self._credit = 0
        self._delivery_count = 0
        self._first: Transfer | None = None
        self._chunks: list[bytes] = []
        self._settling: dict[int, asyncio.Future[Any]] = {}

    # Receiving

    async def receive(self, max_messages: int, wait: float | None) -> list[ReceivedMessage]:
        """As `Settler.receive`."""
        async with self._receiving:
            self._ask_for(max_messages)
            try:
                async with asyncio.timeout(wait):
                    await self._something()
            except TimeoutError:
                pass
            if not self._prefetch and self._credit and not (self.in_session and not self._presettled):
                # Nothing may arrive, and be locked or lost, while nobody is asking.
                await self.drain()
            return self._take(max_messages)

    def _ask_for(self, wanted: int) -> None:
        missing = max(wanted, self._prefetch) - len(self._buffer) - self._credit
        if missing > 0 and not self.closed:
            self._credit += missing
            self._flow(drain=False)

    async def _something(self) -> None:
        while not self._buffer:
            if self.closed:
                raise self.failure or ConnectionLost("The receiver is closed.")
            self._arrived.clear()
            await self._arrived.wait()

    def _take(self, limit: int) -> list[ReceivedMessage]:
        taken = [self._buffer.popleft() for _ in range(min(limit, len(self._buffer)))]
        if self._prefetch:
            self._ask_for(0)
        return taken

    async def drain(self) -> None:
        """Take back the credit that is not used; what is under way still arrives."""
        if self.closed or self._drained is not None:
            return
        self._drained = asyncio.get_running_loop().create_future()
        try:
            self._flow(drain=True)
            async with asyncio.timeout(_DRAIN_WAIT):
                await self._drained
        except TimeoutError:
            self.connection.fail(ConnectionLost("The broker did not answer a drain: connect again."))
        finally:
            self._drained = None

    def _flow(self, *, drain: bool) -> None:
        self.connection.send_flow(Flow(None, 0, 0, 0, self.handle, self._delivery_count, self._credit, drain=drain))

    def on_flow(self, flow: Flow) -> None:
        if flow.delivery_count is not None and flow.link_credit is not None:
            self._delivery_count = flow.delivery_count
            self._credit = flow.link_credit
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        first = self._first = self._first or transfer
        self._chunks.append(payload)
        if transfer.more:
            return
        whole = payload if len(self._chunks) == 1 else b"".join(self._chunks)
        self._first, self._chunks = None, []
        self._credit = max(0, self._credit - 1)
        self._delivery_count = (self._delivery_count + 1) & 0xFFFFFFFF
        try:
            self._buffer.append(received_message(first, whole, in_session=self.in_session))
        except DecodeFault as fault:
            self.connection.fail(ConnectionLost(f"A delivery could not be read: {fault.description}."))
        self._arrived.set()

    # Settlement

    async def settle(self, messages: Sequence[ReceivedMessage], outcome: Outcome) -> None:
        """Settle messages alike, and wait until the broker has confirmed each.

        Raises:
            MessageLockLost: for those whose lock was gone; the others are settled.
            SessionLockLost: the session was lost.
            ConnectionLost: the answer never came.
        """
        if self.closed:
            raise self.failure or ConnectionLost("The receiver is closed.")
        if self._presettled or not messages:
            return
        answers = []
        loop = asyncio.get_running_loop()
        for message in messages:
            answer: asyncio.Future[Any] = loop.create_future()
            self._settling[message.delivery_id] = answer
            self.connection.settling[message.delivery_id] = answer
            answers.append(answer)
        self._send_dispositions(messages, outcome)
        try:
            states = await asyncio.gather(*answers)
        finally:
            for message in messages:
                self._settling.pop(message.delivery_id, None)
                self.connection.settling.pop(message.delivery_id, None)
        _raise_for(messages, states)

    def _send_dispositions(self, messages: Sequence[ReceivedMessage], outcome: Outcome) -> None:
        ids = sorted(message.delivery_id for message in messages)
        first = last = ids[0]
        for delivery_id in ids[1:]:
            if delivery_id != last + 1:
                self.connection.send(Disposition(RECEIVER, first, last, False, outcome))
                first = delivery_id
            last = delivery_id
        self.connection.send(Disposition(RECEIVER, first, last, False, outcome))

    async def close(self) -> None:
        if not self.closed and not self.in_session and not self._presettled:
            if self._credit:
                await self.drain()
            self._release_buffer()
        await super().close()

    def _release_buffer(self) -> None:
        while self._buffer and not self.closed:
            message = self._buffer.popleft()
            self.connection.send(Disposition(RECEIVER, message.delivery_id, message.delivery_id, True, Released()))

    def fail(self, error: AosError) -> None:
        super().fail(error)
        if not self._presettled:
            # Their locks are gone or out of reach: nothing of it could be settled.
            self._buffer.clear()
        self._arrived.set()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        for answer in self._settling.values():
            if not answer.done():
                answer.set_exception(error)


def abandoned(properties: Mapping[str, Any] | None) -> Modified:
    return Modified(True, False, dict(properties) if properties else None)


def deferred() -> Modified:
    return Modified(True, True, None)


def dead_lettered(reason: str, description: str) -> Rejected:
    info = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
    return Rejected(error_of("com.microsoft:dead-letter", description, info))


def accepted() -> Accepted:
    return Accepted()


def released() -> Released:
    return Released()


def _raise_for(messages: Sequence[ReceivedMessage], states: Sequence[Any]) -> None:
    lost: list[ReceivedMessage] = []
    for message, state in zip(messages, states, strict=True):
        if isinstance(state, Rejected) and state.error is not None:
            if state.error.condition != MESSAGE_LOCK_LOST:
                raise refusal(state.error.condition, state.error.description)
            lost.append(message)
    if lost:
        error = MessageLockLost(
            f"The lock of {len(lost)} of {len(messages)} messages was lost: they will be delivered again."
        )
        error.messages = tuple(lost)
        raise error
