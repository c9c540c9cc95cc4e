"""The client's end of a connection: one TCP stream, one AMQP session, any number of links."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from aos.local.servicebus.amqp.errors import AmqpFault
from aos.local.servicebus.amqp.frames import (
    AMQP_HEADER,
    EMPTY_FRAME,
    SASL_HEADER,
    SASL_TYPE,
    Frame,
    FrameParser,
    ProtocolHeader,
    encode_frame,
    encode_transfers,
)
from aos.local.servicebus.amqp.gathered import GatheredTransport
from aos.local.servicebus.amqp.performatives import (
    SENDER,
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    SaslInit,
    SaslOutcome,
    Transfer,
)
from aos.local.servicebus.client.errors import AuthenticationFailed, ConnectionLost
from aos.local.servicebus.client.refusals import refusal_of

if TYPE_CHECKING:
    from aos.kernel.errors import AosError
    from aos.local.servicebus.amqp.composite import Composite
    from aos.local.servicebus.client.link import ClientLink

MAX_FRAME_SIZE = 65_536
WINDOW = 10_000
_CLOSE_WAIT = 2.0


class ClientConnection(asyncio.Protocol):
    """Speaks to the broker. It mirrors the client's channel and handle numbers, as this broker does."""

    def __init__(self, container_id: str, hostname: str) -> None:
        self.failure: AosError | None = None
        self.container_id = container_id
        self._hostname = hostname
        self._parser = FrameParser(MAX_FRAME_SIZE)
        self._transport: GatheredTransport | None = None
        self._open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._links: dict[int, ClientLink] = {}
        # Who waits for the broker's word on a delivery: on those received, and on those sent.
        self.settling: dict[int, asyncio.Future[Any]] = {}
        self.sending: dict[int, asyncio.Future[Any]] = {}
        self._free_handles: list[int] = []
        self._handles = count()
        self._heartbeat: asyncio.TimerHandle | None = None
        self._next_incoming_id = 0
        self._incoming_left = WINDOW
        self._next_outgoing_id = 0
        self._next_delivery_id = 0
        self._peer_max_frame = 512
        self._writable = asyncio.Event()
        self._writable.set()

    @classmethod
    async def to(cls, host: str, port: int, *, container_id: str, wait: float) -> ClientConnection:
        """Connect and open.

        Raises:
            ConnectionLost: nobody listens there, or not with AMQP.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(wait):
                _, connection = await loop.create_connection(lambda: cls(container_id, host), host, port)
                await asyncio.shield(connection.opened)
        except TimeoutError:
            raise ConnectionLost(
                f"The Service Bus broker at {host}:{port} did not answer within {wait:g} seconds."
            ) from None
        except OSError as problem:
            raise ConnectionLost(
                f"No Service Bus broker answers at {host}:{port} ({problem.strerror or problem}): is it started?"
            ) from problem
        return connection

    @property
    def opened(self) -> asyncio.Future[None]:
        return self._open

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = GatheredTransport(cast("asyncio.Transport", transport))
        init = SaslInit("ANONYMOUS", b"anonymous", self._hostname)
        self._transport.write(SASL_HEADER + encode_frame(init, kind=SASL_TYPE))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end(ConnectionLost(f"The connection to the Service Bus broker broke ({exc or 'closed'})."))
        if not self._gone.done():
            self._gone.set_result(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            for item in self._parser.feed(data):
                if isinstance(item, ProtocolHeader):
                    self._on_header(item.raw)
                elif item.body is not None:
                    self._on_body(item.body, item)
        except AmqpFault as fault:
            self.fail(ConnectionLost(f"The broker sent what is not AMQP: {fault.description}."))

    # From the broker

    def _on_header(self, raw: bytes) -> None:
        if raw not in (SASL_HEADER, AMQP_HEADER):
            self.fail(ConnectionLost("What listens there speaks another protocol than AMQP 1.0."))

    def _on_body(self, body: Composite, frame: Frame) -> None:
        if isinstance(body, SaslOutcome):
            self._on_sasl(body)
        elif isinstance(body, Open):
            self._on_open(body)
        elif isinstance(body, Begin):
            if not self._open.done():
                self._open.set_result(None)
        elif isinstance(body, Close):
            self._on_close(body)
        elif isinstance(body, End):
            self.fail(refusal_of(body.error))
        else:
            self._on_link_frame(body, frame.payload)

    def _on_sasl(self, body: SaslOutcome) -> None:
        if body.code != 0:
            self.fail(AuthenticationFailed("The broker does not take anonymous SASL."))
            return
        self._parser.expect_header()
        opening = Open(self.container_id, self._hostname, MAX_FRAME_SIZE, 1)
        begin = Begin(None, 0, WINDOW, WINDOW, 9_999)
        self._write(AMQP_HEADER + encode_frame(opening) + encode_frame(begin))

    def _on_open(self, body: Open) -> None:
        self._peer_max_frame = min(body.max_frame_size or MAX_FRAME_SIZE, MAX_FRAME_SIZE)
        if body.idle_time_out:
            self._beat(body.idle_time_out / 2000)

    def _on_close(self, body: Close) -> None:
        if self.failure is None:
            self._write(encode_frame(Close(None)))
        self.fail(refusal_of(body.error))

    def _on_link_frame(self, body: Composite, payload: bytes) -> None:
        if isinstance(body, Transfer):
            self._count_incoming()
            link = self._links.get(body.handle)
            if link is not None:
                link.on_transfer(body, payload)
        elif isinstance(body, Disposition):
            self._on_disposition(body)
        elif isinstance(body, (Attach, Detach, Flow)):
            link = None if body.handle is None else self._links.get(body.handle)
            if link is None:
                return
            if isinstance(body, Attach):
                link.on_attach(body)
            elif isinstance(body, Detach):
                link.on_detach(body)
            else:
                link.on_flow(body)

    def _on_disposition(self, body: Disposition) -> None:
        waiting = self.settling if body.role is SENDER else self.sending
        last = body.first if body.last is None else body.last
        if last - body.first > len(waiting):
            named = [delivery_id for delivery_id in waiting if body.first <= delivery_id <= last]
        else:
            named = [delivery_id for delivery_id in range(body.first, last + 1) if delivery_id in waiting]
        for delivery_id in named:
            answer = waiting.pop(delivery_id)
            if not answer.done():
                answer.set_result(body.state)

    def _count_incoming(self) -> None:
        self._next_incoming_id = (self._next_incoming_id + 1) & 0xFFFFFFFF
        self._incoming_left -= 1
        if self._incoming_left <= WINDOW // 2:
            self._incoming_left = WINDOW
            self.send_flow(Flow(None, 0, 0, 0))

    # To the broker

    def next_handle(self) -> int:
        """A handle for a new link."""
        return self._free_handles.pop() if self._free_handles else next(self._handles)

    def add(self, link: ClientLink) -> None:
        self._links[link.handle] = link

    def forget(self, link: ClientLink) -> None:
        """The link's handle is free again: both sides have detached."""
        if self._links.pop(link.handle, None) is not None:
            self._free_handles.append(link.handle)

    def send(self, body: Composite, payload: bytes = b"") -> None:
        """Send one frame; nothing once the connection is gone."""
        if self.failure is None:
            self._write(encode_frame(body, 0, payload))

    def send_flow(self, flow: Flow) -> None:
        flow.next_incoming_id = self._next_incoming_id
        flow.incoming_window = self._incoming_left
        flow.next_outgoing_id = self._next_outgoing_id
        flow.outgoing_window = WINDOW
        self.send(flow)

    def transfer(self, transfer: Transfer, payload: bytes) -> int:
        """Send one delivery under a fresh id, which is returned."""
        delivery_id = self._next_delivery_id
        self._next_delivery_id = (delivery_id + 1) & 0xFFFFFFFF
        transfer.delivery_id = delivery_id
        frames = encode_transfers(transfer, 0, payload, self._peer_max_frame)
        self._next_outgoing_id = (self._next_outgoing_id + len(frames)) & 0xFFFFFFFF
        if self._transport is not None and self.failure is None:
            self._transport.write(b"".join(frames))
        return delivery_id

    async def room(self) -> None:
        """Wait until the socket's buffer has room."""
        await self._writable.wait()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _beat(self, every: float) -> None:
        self._write(EMPTY_FRAME)
        self._heartbeat = asyncio.get_running_loop().call_later(max(0.05, every), self._beat, every)

    # Ending

    def fail(self, error: AosError) -> None:
        """Give the connection up for this reason."""
        self._end(error)
        if self._transport is not None:
            self._transport.close()

    def _end(self, error: AosError) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None
        if self.failure is not None:
            return
        self.failure = error
        self._writable.set()
        links, self._links = self._links, {}
        for link in links.values():
            link.fail(error)
        if not self._open.done():
            self._open.set_exception(error)
            self._open.exception()

    async def wait_gone(self) -> None:
        """Return when the socket is closed."""
        await asyncio.shield(self._gone)

    async def close(self) -> None:
        """Close both ways, and wait for the socket to go."""
        if self.failure is None:
            self._write(encode_frame(Close(None)))
            self._end(ConnectionLost("The connection was closed on this side."))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WAIT):
                await self.wait_gone()
        if self._transport is not None:
            self._transport.abort()
            await self.wait_gone()
