"""Frames that leave together: what is written within one turn of the event loop costs one system call."""

from __future__ import annotations

import asyncio

_MOST = 64 * 1024
"""Bytes that are not held back: the transport is to see, and to say, that its buffer is full."""


class GatheredTransport:
    """A transport as connections use it, in front of asyncio's."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Send in order, at the end of this turn of the loop at the latest."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._size += len(data)
        if self._size >= _MOST:
            self._flush()

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Close once everything written has left."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._held.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def _flush(self) -> None:
        if self._held:
            # Not writelines: up to 3.13.0 it tells nobody that the buffer is full.
            data, self._held, self._size = b"".join(self._held), [], 0
            if not self._transport.is_closing():
                self._transport.write(data)
