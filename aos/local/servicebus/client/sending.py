"""The sending end of a link: batches within the broker's limits, each waited for."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aos.kernel.errors import PayloadTooLarge
from aos.local.servicebus.amqp.message import (
    BATCH_FORMAT,
    Header,
    Properties,
    data_section,
    encode_message,
)
from aos.local.servicebus.amqp.performatives import SENDER, Attach, Flow, Transfer
from aos.local.servicebus.amqp.terminus import Rejected, Source, Target
from aos.local.servicebus.amqp.types import Symbol, Timestamp
from aos.local.servicebus.client.link import ClientLink
from aos.local.servicebus.client.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aos.kernel.errors import AosError
    from aos.local.servicebus.client.connection import ClientConnection
    from aos.local.servicebus.client.contract import OutgoingMessage

_BATCH_OVERHEAD = 512
_MAX_IN_BATCH = 500
_MAX_TTL = 0xFFFFFFFF


class SendingLink(ClientLink):
    """Sends to one entity, in order."""

    def __init__(self, connection: ClientConnection, entity: str) -> None:
        name = f"sender:{uuid4().hex}"
        super().__init__(
            connection,
            Attach(
                name=name,
                handle=connection.next_handle(),
                role=SENDER,
                source=Source(address=name),
                target=Target(address=entity),
                initial_delivery_count=0,
            ),
        )
        self._entity = entity
        self._sent = 0
        self._credit = 0
        self._credited = asyncio.Event()
        self._limit = 0
        self._order = asyncio.Lock()
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def open(self, wait: float) -> Attach:
        attach = await super().open(wait)
        self._limit = attach.max_message_size or 256 * 1024
        return attach

    def on_flow(self, flow: Flow) -> None:
        if flow.link_credit is not None:
            ahead = (self._sent - (flow.delivery_count or 0)) & 0xFFFFFFFF
            self._credit = max(0, flow.link_credit - ahead)
            if self._credit:
                self._credited.set()

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Send all of them; returns when the broker has accepted every one.

        Raises:
            PayloadTooLarge: one is over the limit; nothing was sent.
            AosError: the broker refused, in the class that says why. Others may have been accepted.
        """
        batches = list(self._batches([encoded(message) for message in messages]))
        answers: list[asyncio.Future[Any]] = []
        try:
            async with self._order:
                for batch in batches:
                    answers.append(await self._transfer(batch))  # noqa: PERF401 - kept as far as it got
            states = await asyncio.gather(*answers)
        finally:
            self._forget(answers)
        for state in states:
            if isinstance(state, Rejected) and state.error is not None:
                raise refusal(state.error.condition, state.error.description)

    def _batches(self, payloads: list[bytes]) -> Iterator[list[bytes]]:
        batch: list[bytes] = []
        size = _BATCH_OVERHEAD
        for payload in payloads:
            if len(payload) > self._limit:
                raise PayloadTooLarge(
                    f"A message of {len(payload)} bytes is over the {self._limit} that {self._entity!r} takes."
                )
            if batch and (size + len(payload) + 8 > self._limit or len(batch) >= _MAX_IN_BATCH):
                yield batch
                batch, size = [], _BATCH_OVERHEAD
            batch.append(payload)
            size += len(payload) + 8
        if batch:
            yield batch

    async def _transfer(self, batch: list[bytes]) -> asyncio.Future[Any]:
        while not self._credit and not self.closed:
            self._credited.clear()
            await self._credited.wait()
        await self.connection.room()
        if self.closed and self.failure is not None:
            raise self.failure
        payload = batch[0] if len(batch) == 1 else b"".join(map(data_section, batch))
        message_format = 0 if len(batch) == 1 else BATCH_FORMAT
        self._credit -= 1
        self._sent = (self._sent + 1) & 0xFFFFFFFF
        tag = self._sent.to_bytes(4, "big")
        transfer = Transfer(self.handle, None, tag, message_format, False, False)
        delivery_id = self.connection.transfer(transfer, payload)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.connection.sending[delivery_id] = answer
        self._waiting[delivery_id] = answer
        return answer

    def _forget(self, answers: list[asyncio.Future[Any]]) -> None:
        for delivery_id in [key for key, answer in self._waiting.items() if answer in answers]:
            del self._waiting[delivery_id]
            self.connection.sending.pop(delivery_id, None)
        for answer in answers:
            if not answer.done():
                answer.cancel()
            elif not answer.cancelled():
                answer.exception()

    def fail(self, error: AosError) -> None:
        super().fail(error)
        self._credited.set()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)


def encoded(message: OutgoingMessage) -> bytes:
    """An outgoing message's bytes."""
    annotations: dict[Any, Any] = {}
    if message.partition_key is not None:
        annotations[Symbol("x-opt-partition-key")] = message.partition_key
    if message.scheduled_at is not None:
        annotations[Symbol("x-opt-scheduled-enqueue-time")] = Timestamp.of(message.scheduled_at)
    properties = Properties(
        message_id=message.message_id,
        to=message.to,
        subject=message.subject,
        reply_to=message.reply_to,
        correlation_id=message.correlation_id,
        content_type=message.content_type,
        group_id=message.session_id,
        reply_to_group_id=message.reply_to_session_id,
    )
    header = None
    if message.time_to_live is not None:
        milliseconds = message.time_to_live // timedelta(milliseconds=1)
        header = Header(durable=True, ttl=min(milliseconds, _MAX_TTL))
    return encode_message(
        data_section(message.body),
        header=header,
        annotations=annotations,
        properties=properties,
        application_properties=dict(message.application_properties),
    )
