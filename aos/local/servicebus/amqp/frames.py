"""Frames on the byte stream: cut out of whatever arrives, however it is cut, and written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from aos.local.servicebus.amqp.composite import Composite
from aos.local.servicebus.amqp.decode import decode
from aos.local.servicebus.amqp.errors import DecodeFault, FramingFault
from aos.local.servicebus.amqp.performatives import Transfer

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
EMPTY_FRAME = b"\x00\x00\x00\x08\x02\x00\x00\x00"
MIN_MAX_FRAME = 512
AMQP_TYPE = 0
SASL_TYPE = 1

_PREFIX = Struct(">IBBH")


@dataclass(slots=True)
class Frame:
    """One frame. `body` is None in an empty frame, which only shows that the peer is alive."""

    kind: int
    channel: int
    body: Composite | None
    payload: bytes = b""


@dataclass(slots=True)
class ProtocolHeader:
    """The eight bytes that begin a protocol layer."""

    raw: bytes


class FrameParser:
    """Cuts a byte stream into protocol headers and frames. Keeps at most one unfinished frame.

    Args:
        max_frame_size: Largest frame to accept, in bytes. A larger one is refused as soon as its size is known.
    """

    def __init__(self, max_frame_size: int) -> None:
        self._max = max_frame_size
        self._buffer = bytearray()
        self._header_due = True

    def expect_header(self) -> None:
        """The next bytes are a protocol header, not a frame."""
        self._header_due = True

    @property
    def buffered(self) -> int:
        """Bytes kept for a frame that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame | ProtocolHeader]:
        """What `data` completes.

        Raises:
            FramingFault: a size or an offset that no frame has.
            DecodeFault: a frame's body is not a performative.
        """
        self._buffer += data
        position = 0
        try:
            while True:
                end = self._next_end(position)
                if end is None:
                    return
                raw = bytes(self._buffer[position:end])
                position = end
                if self._header_due:
                    self._header_due = False
                    yield ProtocolHeader(raw)
                else:
                    yield parse_frame(raw)
        finally:
            del self._buffer[:position]

    def _next_end(self, position: int) -> int | None:
        available = len(self._buffer) - position
        if available < 8:
            if self._header_due and not AMQP_HEADER.startswith(bytes(self._buffer[position : position + 4])):
                raise FramingFault("the connection does not begin with an AMQP header")
            return None
        if self._header_due:
            if self._buffer[position : position + 4] != b"AMQP":
                raise FramingFault("the connection does not begin with an AMQP header")
            return position + 8
        size = int.from_bytes(self._buffer[position : position + 4], "big")
        if size < 8 or size > self._max:
            raise FramingFault(f"a frame of {size} bytes is outside of 8..{self._max}")
        return position + size if available >= size else None


def parse_frame(raw: bytes) -> Frame:
    """One whole frame.

    Raises:
        FramingFault: its data offset lies outside of it, or its type is unknown.
        DecodeFault: its body is not a performative.
    """
    size, offset, kind, channel = _PREFIX.unpack_from(raw)
    start = offset * 4
    if offset < 2 or start > size:
        raise FramingFault(f"a frame's data cannot begin at {start}")
    if kind not in (AMQP_TYPE, SASL_TYPE):
        raise FramingFault(f"{kind} is not a frame type")
    if start == size:
        return Frame(kind, channel, None)
    body, after = decode(raw, start)
    if not isinstance(body, Composite):
        raise DecodeFault("a frame's body is not a performative")
    payload = raw[after:]
    if payload and not isinstance(body, Transfer):
        raise DecodeFault(f"{body.NAME} has bytes after it")
    return Frame(kind, channel, body, payload)


def encode_frame(body: Composite, channel: int = 0, payload: bytes = b"", kind: int = AMQP_TYPE) -> bytes:
    """A frame's bytes."""
    out = bytearray(8)
    body.write_to(out)
    out += payload
    _PREFIX.pack_into(out, 0, len(out), 2, kind, channel)
    return bytes(out)


def encode_transfers(transfer: Transfer, channel: int, payload: bytes, max_frame_size: int) -> list[bytes]:
    """One delivery in as many frames as its size needs."""
    whole = encode_frame(transfer, channel, payload)
    if len(whole) <= max_frame_size:
        return [whole]
    transfer.more = True
    room = max_frame_size - len(encode_frame(transfer, channel))
    frames = []
    position = 0
    while len(payload) - position > room:
        frames.append(encode_frame(transfer, channel, payload[position : position + room]))
        position += room
    transfer.more = False
    frames.append(encode_frame(transfer, channel, payload[position:]))
    return frames
