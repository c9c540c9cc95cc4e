"""Just enough HTTP/1.1 for the loopback provider to be exact about bytes, pauses and broken connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

_REASONS = {200: "OK", 201: "Created"}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else None


async def read_request(reader: asyncio.StreamReader) -> HttpRequest | None:
    """The next request of a connection, or None where the client has closed it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, found, value = line.partition(":")
        if found:
            headers[name.strip().lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    raw = await reader.readexactly(length) if length else b""
    url = urlsplit(target)
    return HttpRequest(method, unquote(url.path), dict(parse_qsl(url.query)), headers, raw)


class HttpReply:
    """Writes one answer, whole or in chunks.

    Args:
        shatter: Cut what is written into chunks of so many bytes.
    """

    def __init__(self, writer: asyncio.StreamWriter, shatter: int | None = None) -> None:
        self._writer = writer
        self._shatter = shatter

    async def whole(
        self,
        status: int,
        body: bytes,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        *,
        sent: int | None = None,
    ) -> None:
        """A body with its length; of it only the first `sent` bytes where that is given."""
        told = {"content-type": content_type, "content-length": str(len(body)), **(headers or {})}
        self._head(status, told)
        self._writer.write(body if sent is None else body[:sent])
        await self._writer.drain()

    async def begin(self, content_type: str) -> None:
        self._head(200, {"content-type": content_type, "transfer-encoding": "chunked"})
        await self._writer.drain()

    async def chunk(self, data: bytes) -> None:
        size = self._shatter or len(data) or 1
        for start in range(0, len(data), size):
            part = data[start : start + size]
            self._writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await self._writer.drain()

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def abort(self) -> None:
        """Close at once, as a process that died would."""
        self._writer.transport.abort()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write(("\r\n".join([*lines, "x-request-id: req_loopback"]) + "\r\n\r\n").encode("latin-1"))
