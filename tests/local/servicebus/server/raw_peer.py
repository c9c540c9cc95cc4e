"""A peer that sends what it likes, for what no decent client would do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aos.local.servicebus.amqp.composite import Composite
from aos.local.servicebus.amqp.frames import (
    AMQP_HEADER,
    SASL_HEADER,
    SASL_TYPE,
    Frame,
    FrameParser,
    ProtocolHeader,
    encode_frame,
)
from aos.local.servicebus.amqp.message import encode_message, value_section
from aos.local.servicebus.amqp.performatives import (
    SENDER,
    Attach,
    Begin,
    Close,
    Disposition,
    Flow,
    Open,
    SaslInit,
    SaslOutcome,
    Transfer,
)
from aos.local.servicebus.amqp.terminus import Accepted, Source, Target
from aos.local.servicebus.connection_string import DEFAULT_KEY, DEFAULT_KEY_NAME
from aos.local.servicebus.shared_access import sign


class RawPeer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = FrameParser(65_536)
        self._items: list[Frame | ProtocolHeader] = []

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def send(self, body: Composite, payload: bytes = b"", channel: int = 0) -> None:
        self.write(encode_frame(body, channel, payload))

    async def next(self) -> Any:
        """The next performative; None at the end of the stream. Headers and empty frames are left out."""
        async with asyncio.timeout(5):
            while True:
                while self._items:
                    item = self._items.pop(0)
                    if isinstance(item, Frame) and item.body is not None:
                        return item.body
                try:
                    data = await self._reader.read(65_536)
                except ConnectionResetError:
                    # What was sent after a close was not read any more.
                    return None
                if not data:
                    return None
                for item in self._parser.feed(data):
                    self._items.append(item)
                    if isinstance(item, Frame) and isinstance(item.body, SaslOutcome):
                        self._parser.expect_header()

    async def until(self, kind: type[Composite]) -> Any:
        while True:
            body = await self.next()
            assert body is not None, f"the connection ended before a {kind.__name__}"
            if isinstance(body, kind):
                return body

    async def open(self, **fields: Any) -> None:
        """Everything up to a session on channel 0."""
        self.write(SASL_HEADER + encode_frame(SaslInit("ANONYMOUS"), kind=SASL_TYPE))
        await self.until(SaslOutcome)
        self.write(AMQP_HEADER)
        self.send(Open("raw", **fields))
        self.send(Begin(None, 0, 1000, 1000))
        await self.until(Begin)

    async def authorize(self, handle: int = 1000) -> None:
        """Show the key for the whole namespace, on a link of its own."""
        self.send(Attach("cbs", handle, SENDER, source=Source("cbs"), target=Target("$cbs"), initial_delivery_count=0))
        await self.until(Flow)
        token = sign("sb://localhost/", DEFAULT_KEY_NAME, DEFAULT_KEY, int(time.time()) + 600)
        request = encode_message(
            value_section(token), application_properties={"operation": "put-token", "name": "sb://localhost/"}
        )
        self.send(Transfer(handle, 0, b"t", 0, False, False), request)
        assert isinstance((await self.until(Disposition)).state, Accepted)

    async def closed_with(self) -> str:
        """The condition with which the broker closes, and that it then ends the stream."""
        close = await self.until(Close)
        assert close.error is not None
        assert close.error.description
        assert await self.next() is None
        return str(close.error.condition)

    def shut(self) -> None:
        self._writer.write_eof()


@asynccontextmanager
async def raw_peer(port: int) -> AsyncIterator[RawPeer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawPeer(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)
