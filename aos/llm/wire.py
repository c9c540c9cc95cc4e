"""HTTP for the dialects, on httpx. The one file to change for another HTTP client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakKeyDictionary

import httpx

from aos.llm.call import Call
from aos.llm.errors import BadRequest, ConnectionFailed, MalformedAnswer, ModelError, Outage

_LARGEST_BODY = 64 * 1024 * 1024
_POOL = httpx.Limits(max_connections=200, max_keepalive_connections=40, keepalive_expiry=30.0)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as a dialect wants it sent. `url` is absolute, or a path below the endpoint's base URL."""

    url: str
    body: Mapping[str, Any] | None = None
    method: Literal["GET", "POST"] = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Incoming:
    """An answer whose headers are here and whose body is still coming."""

    status: int
    headers: Mapping[str, str]
    _response: httpx.Response
    _call: Call

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, decompressed."""
        try:
            async for chunk in self._response.aiter_bytes():
                yield chunk
        except httpx.HTTPError as error:
            raise _failure(self._call, error) from error

    async def read(self) -> bytes:
        """The whole body."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > _LARGEST_BODY:
                raise self._call.target.error(MalformedAnswer, "the answer is larger than 64 MiB.")
        return bytes(body)


class Wire:
    """Opens requests on one client a loop, made at the first call.

    Args:
        client: Used as it is, and not closed, where the caller brings one.
    """

    def __init__(self, client: httpx.AsyncClient | None = None) -> None:
        self._given = client
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    @asynccontextmanager
    async def open(self, call: Call, outgoing: Outgoing) -> AsyncIterator[Incoming]:
        """Send a request and wait for the answer's headers. Leaving the block closes or returns the connection.

        A connection whose answer was not read to its end is closed, which is what tells a provider to stop.
        """
        client = self._client()
        timeout = httpx.Timeout(None, connect=call.times.connect, pool=call.times.connect)
        url, headers = _address(call, outgoing)
        try:
            request = client.build_request(
                outgoing.method,
                url,
                content=_encode(call, outgoing.body),
                headers=headers,
                params={**call.target.profile.query, **outgoing.query} or None,
                timeout=timeout,
            )
            response = await client.send(request, stream=True, follow_redirects=False)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _failure(call, error) from error
        try:
            headers = {name.lower(): value for name, value in response.headers.items()}
            yield Incoming(response.status_code, headers, response, call)
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close this loop's client."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _client(self) -> httpx.AsyncClient:
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None or client.is_closed:
            client = httpx.AsyncClient(limits=_POOL)
            self._clients[loop] = client
        return client


def _encode(call: Call, body: Mapping[str, Any] | None) -> bytes | None:
    if body is None:
        return None
    try:
        document = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise call.target.error(BadRequest, f"the request is not JSON: {error}.") from error
    return document.encode("utf-8", "replace")


def _address(call: Call, outgoing: Outgoing) -> tuple[str, dict[str, str]]:
    """The absolute URL, and the headers; the key only goes to the provider's own origin."""
    endpoint = call.target.endpoint
    headers = {"accept": "application/json", **outgoing.headers}
    if outgoing.body is not None:
        headers["content-type"] = "application/json"
    if "://" not in outgoing.url:
        return endpoint.base_url + outgoing.url, {**headers, **endpoint.headers}
    if _origin(outgoing.url) == _origin(endpoint.base_url):
        return outgoing.url, {**headers, **endpoint.headers}
    return outgoing.url, headers


def _origin(url: str) -> tuple[str, str, int | None]:
    parsed = httpx.URL(url)
    return parsed.scheme, parsed.host, parsed.port


def _failure(call: Call, error: httpx.HTTPError | httpx.InvalidURL) -> ModelError:
    target = call.target
    if isinstance(error, httpx.ConnectTimeout):
        return call.timed_out("connect")
    if isinstance(error, httpx.PoolTimeout):
        busy = target.error(ConnectionFailed, "all connections to the provider are in use; lower the concurrency.")
        busy.outage = Outage.NONE
        return busy
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return target.error(BadRequest, f"its base URL cannot be used ({type(error).__name__}).")
    if isinstance(error, httpx.DecodingError):
        return target.error(MalformedAnswer, f"the answer could not be decompressed: {error}.")
    kind = type(error).__name__
    return target.error(ConnectionFailed, f"the connection failed ({kind}: {error or 'no reason given'}).")
