"""One client's connection: protocol headers, SASL, open and close, heartbeats, and the sessions it multiplexes."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, cast

from aos.local.servicebus.amqp.errors import (
    CONNECTION_FORCED,
    INTERNAL_ERROR,
    NOT_ALLOWED,
    RESOURCE_LIMIT,
    AmqpFault,
    FramingFault,
    SessionFault,
)
from aos.local.servicebus.amqp.frames import (
    AMQP_HEADER,
    EMPTY_FRAME,
    MIN_MAX_FRAME,
    SASL_HEADER,
    SASL_TYPE,
    Frame,
    FrameParser,
    ProtocolHeader,
    encode_frame,
)
from aos.local.servicebus.amqp.gathered import GatheredTransport
from aos.local.servicebus.amqp.performatives import (
    Begin,
    Close,
    End,
    Open,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
)
from aos.local.servicebus.amqp.terminus import error_of
from aos.local.servicebus.amqp.types import Array, Symbol
from aos.local.servicebus.engine import FaultKind
from aos.local.servicebus.server.fault_point import fault_point
from aos.local.servicebus.server.session import Session

if TYPE_CHECKING:
    from aos.local.servicebus.amqp.composite import Composite
    from aos.local.servicebus.server.shared import Shared
    from aos.local.servicebus.shared_access import Grant

_log = logging.getLogger(__name__)

MAX_FRAME_SIZE = 65_536
CHANNEL_MAX = 4_999
MAX_GRANTS = 1_000
_MECHANISMS = ("ANONYMOUS", "MSSBCBS")
# How long a peer that was told of an error may take to close its side.
_CLOSE_GRACE = 2.0


class Connection(asyncio.Protocol):
    """The server's end of one TCP connection. Everything happens in the event loop's callbacks."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.grants: dict[str, Grant] = {}
        self.writable = True
        self.partial_bytes = 0
        self.container_id = ""
        self._parser = FrameParser(MAX_FRAME_SIZE)
        self._transport: GatheredTransport | None = None
        self._sessions: dict[int, Session] = {}
        self._held: deque[Frame | ProtocolHeader] = deque()
        self._resume: asyncio.TimerHandle | None = None
        self._heartbeat: asyncio.TimerHandle | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._last_received = 0.0
        self._header_sent = False
        self._open_sent = False
        self._opened = False
        self._close_sent = False
        self._discarding = False
        self._peer_max_frame = MIN_MAX_FRAME

    @property
    def max_frame_size(self) -> int:
        """The largest frame both sides take."""
        return min(self._peer_max_frame, MAX_FRAME_SIZE)

    @property
    def alive(self) -> bool:
        return self._transport is not None and not self._close_sent

    def sessions(self) -> list[Session]:
        """The AMQP sessions that are open on this connection."""
        return list(self._sessions.values())

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = GatheredTransport(cast("asyncio.Transport", transport))
        self.shared.add(self)
        self._last_received = asyncio.get_running_loop().time()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        for timer in (self._resume, self._heartbeat, self._watchdog):
            if timer is not None:
                timer.cancel()
        self._held.clear()
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            session.dispose()
        self.shared.remove(self)

    def pause_writing(self) -> None:
        # A peer that does not read its answers is not read from either.
        self.writable = False
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self.writable = True
        if self._transport is not None and self._resume is None:
            self._transport.resume_reading()
        for session in list(self._sessions.values()):
            session.pump()

    def data_received(self, data: bytes) -> None:
        self._last_received = asyncio.get_running_loop().time()
        if self._discarding:
            return
        try:
            for item in self._parser.feed(data):
                if self._resume is not None:
                    self._held.append(item)
                elif not self._delayed(item):
                    self._handle(item)
                if self._transport is None or self._discarding:
                    return
        except AmqpFault as fault:
            self.fail(fault.condition, fault.description)

    # Faults a test asked for

    def _delayed(self, item: Frame | ProtocolHeader) -> bool:
        """Whether an injected fault has dropped the connection or put the frame off."""
        faults = self.shared.bus.faults
        if not faults:
            return False
        point = fault_point(self._sessions, item)
        if point is None:
            return False
        if faults.take(FaultKind.DROP_CONNECTION, *point) is not None:
            self.abort()
            return True
        delay = faults.take(FaultKind.DELAY, *point)
        if delay is None:
            return False
        if self._transport is not None:
            self._transport.pause_reading()
        self._held.append(item)
        self._resume = asyncio.get_running_loop().call_later(delay.delay.total_seconds(), self._after_delay)
        return True

    def _after_delay(self) -> None:
        self._resume = None
        try:
            if self._held:
                self._handle(self._held.popleft())
            while self._held and self._transport is not None and not self._delayed(self._held[0]):
                self._handle(self._held.popleft())
        except AmqpFault as fault:
            self.fail(fault.condition, fault.description)
        if self._transport is not None and self._resume is None and self.writable:
            self._transport.resume_reading()

    # Protocol

    def _handle(self, item: Frame | ProtocolHeader) -> None:
        try:
            if isinstance(item, ProtocolHeader):
                self._on_header(item.raw)
            elif item.body is not None:
                self._on_body(item.channel, item.body, item)
        except SessionFault as fault:
            self._end_session(getattr(item, "channel", 0), fault)
        except AmqpFault as fault:
            self.fail(fault.condition, fault.description)
        except Exception:  # noqa: BLE001 - one client's frame must not stop the broker
            _log.exception("The broker failed on a frame; the connection is closed.")
            self.fail(INTERNAL_ERROR, "The broker failed on this frame; its log says how.")

    def _on_header(self, raw: bytes) -> None:
        if raw == SASL_HEADER:
            self._send_raw(SASL_HEADER)
            self._send_sasl(SaslMechanisms(Array(0xA3, _MECHANISMS)))
        elif raw == AMQP_HEADER:
            self._send_header()
        else:
            self._send_raw(AMQP_HEADER)
            self._shut()

    def _on_body(self, channel: int, body: Composite, frame: Frame) -> None:
        if isinstance(body, SaslInit):
            self._on_sasl(body)
        elif frame.kind == SASL_TYPE or not self._header_sent:
            raise FramingFault(f"{body.NAME} is not expected here")
        elif isinstance(body, Close):
            self._on_close()
        elif isinstance(body, Open):
            self._on_open(body)
        elif not self._opened:
            raise AmqpFault(NOT_ALLOWED, f"{body.NAME} came before open")
        elif isinstance(body, Begin):
            self._on_begin(channel, body)
        else:
            self._on_session_frame(channel, body, frame)

    def _on_sasl(self, body: SaslInit) -> None:
        if self._header_sent:
            raise FramingFault("SASL is over once AMQP has begun")
        if body.mechanism not in _MECHANISMS:
            self._send_sasl(SaslOutcome(1, None))
            self._shut()
            return
        self._send_sasl(SaslOutcome(0, None))
        self._parser.expect_header()

    def _on_open(self, body: Open) -> None:
        if self._opened:
            raise AmqpFault(NOT_ALLOWED, "the connection is open already")
        self.container_id = body.container_id
        if body.max_frame_size is not None:
            if body.max_frame_size < MIN_MAX_FRAME:
                raise AmqpFault(NOT_ALLOWED, f"a max-frame-size below {MIN_MAX_FRAME} is not allowed")
            self._peer_max_frame = body.max_frame_size
        else:
            self._peer_max_frame = MAX_FRAME_SIZE
        self._send_open()
        self._opened = True
        if body.idle_time_out:
            self._beat(body.idle_time_out / 2000)

    def _on_begin(self, channel: int, body: Begin) -> None:
        if channel in self._sessions or channel > CHANNEL_MAX:
            raise AmqpFault(NOT_ALLOWED, f"channel {channel} is in use or over {CHANNEL_MAX}")
        if body.remote_channel is not None:
            raise AmqpFault(NOT_ALLOWED, "the broker begins no sessions of its own")
        self._sessions[channel] = Session(self, channel, body)

    def _on_session_frame(self, channel: int, body: Composite, frame: Frame) -> None:
        session = self._sessions.get(channel)
        if session is None:
            raise AmqpFault(NOT_ALLOWED, f"there is no session on channel {channel}")
        if isinstance(body, End):
            del self._sessions[channel]
            session.dispose()
            if not session.ended:
                self.send(channel, End(None))
        else:
            session.on_frame(body, frame.payload)

    def _on_close(self) -> None:
        self._send_close(None)
        if self._transport is not None:
            self._transport.close()

    def _end_session(self, channel: int, fault: SessionFault) -> None:
        session = self._sessions.get(channel)
        if session is not None:
            session.dispose()
            session.ended = True
            self.send(channel, End(error_of(fault.condition, fault.description, fault.info)))

    # Sending

    def send(self, channel: int, body: Composite, payload: bytes = b"") -> None:
        """Send one frame; nothing once the connection is closing."""
        if not self._close_sent:
            self._send_raw(encode_frame(body, channel, payload))

    def send_frames(self, frames: list[bytes]) -> None:
        """Send frames that are encoded already."""
        if self._transport is not None and not self._close_sent:
            # Not writelines: up to 3.13.0 it tells nobody that the buffer is full.
            self._transport.write(b"".join(frames))

    def _send_raw(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _send_sasl(self, body: Composite) -> None:
        self._send_raw(encode_frame(body, kind=SASL_TYPE))

    def _send_header(self) -> None:
        if not self._header_sent:
            self._header_sent = True
            self._send_raw(AMQP_HEADER)

    def _send_open(self) -> None:
        self._send_header()
        if not self._open_sent:
            self._open_sent = True
            body = Open(
                container_id=self.shared.container_id,
                hostname=None,
                max_frame_size=MAX_FRAME_SIZE,
                channel_max=CHANNEL_MAX,
                idle_time_out=int(self.shared.idle_timeout * 1000),
                properties={Symbol("product"): "aos-service-bus"},
            )
            self._send_raw(encode_frame(body))

    def _send_close(self, fault: AmqpFault | None) -> None:
        if not self._close_sent:
            self._send_open()
            self._close_sent = True
            error = None if fault is None else error_of(fault.condition, fault.description, fault.info)
            self._send_raw(encode_frame(Close(error)))

    # Ending

    def fail(self, condition: str, description: str) -> None:
        """Close the connection with an error, as the protocol wants it: open, close, then the socket."""
        if self._transport is None:
            return
        self._send_close(AmqpFault(condition, description))
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            session.dispose()
        self._shut()

    def close(self, description: str) -> None:
        """Close because the broker stops."""
        self.fail(CONNECTION_FORCED, description)

    def abort(self) -> None:
        """Drop the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _shut(self) -> None:
        # The peer gets time to read why: closing a socket with unread input would throw the answer away.
        self._close_sent = True
        self._discarding = True
        if self._transport is not None and not self._transport.is_closing():
            try:
                self._transport.write_eof()
                self._transport.resume_reading()
            except OSError:
                # The peer is gone already.
                self.abort()
                return
            asyncio.get_running_loop().call_later(_CLOSE_GRACE, self.abort)

    # Heartbeats

    def _beat(self, every: float) -> None:
        self._send_raw(EMPTY_FRAME)
        self._heartbeat = asyncio.get_running_loop().call_later(max(every, 0.05), self._beat, every)

    def _watch(self) -> None:
        # Twice what the peer was told, as the protocol advises.
        loop = asyncio.get_running_loop()
        allowed = 2 * self.shared.idle_timeout
        idle = loop.time() - self._last_received
        if idle >= allowed:
            self.fail(RESOURCE_LIMIT, f"nothing was received for {allowed:g} seconds")
            return
        self._watchdog = loop.call_later(allowed - idle, self._watch)
