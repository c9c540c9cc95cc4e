"""Reads a page of an allow-listed host, and reaches no address inside: not by name, redirect or a changing answer."""

from __future__ import annotations

import fnmatch
import ipaddress
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from aos.kernel.errors import InvalidInput, PermissionDenied, Throttled
from aos.tools.declaration import Tool, tool
from aos.tools.errors import ToolFailed

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import ResolveResult
    from yarl import URL

_REDIRECTS = (301, 302, 303, 307, 308)


class Page(BaseModel):
    """What a host answered.

    Attributes:
        url: Where it came from in the end.
        status: HTTP status.
        content_type: What the host says it is.
        text: The body as text, up to the tool's limit.
        truncated: Whether there was more.
    """

    url: str
    status: int
    content_type: str
    text: str
    truncated: bool


def http_get(
    hosts: Sequence[str],
    *,
    max_bytes: int = 512 * 1024,
    max_redirects: int = 3,
    timeout: float = 20.0,
    allow_private: bool = False,
) -> Tool:
    """A tool that reads pages, labelled `untrusted:web`.

    Args:
        hosts: The hosts it may read, such as `docs.python.org` or `*.wikipedia.org`.
        max_bytes: What is read of a page; the rest is left.
        max_redirects: How often it follows; each target must be allowed as well.
        timeout: Seconds a try may take.
        allow_private: Let allowed hosts have addresses inside: loopback, private, link-local and the like.
    """
    visit = _Visit(tuple(host.lower() for host in hosts), max_bytes, max_redirects, allow_private)

    @tool(effect="read", name="http_get", timeout=timeout, outside="web")
    async def get(url: str) -> Page:
        """Read a page of the web.

        Args:
            url: Its address, http or https.
        """
        return await visit.read(url)

    return get


class _Visit:
    def __init__(self, hosts: tuple[str, ...], max_bytes: int, max_redirects: int, allow_private: bool) -> None:
        self._hosts = hosts
        self._max_bytes = max_bytes
        self._max_redirects = max_redirects
        self._allow_private = allow_private

    async def read(self, address: str) -> Page:
        import aiohttp
        from yarl import URL

        try:
            url = URL(address)
        except ValueError as error:
            raise InvalidInput(f"{address!r} is no address: {error}.") from error
        connector = aiohttp.TCPConnector(resolver=_resolver(self._allow_private), use_dns_cache=False)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, trust_env=False) as session:
            for _ in range(self._max_redirects + 1):
                self._check(url)
                async with session.get(url, allow_redirects=False) as response:
                    location = response.headers.get("Location")
                    if response.status not in _REDIRECTS or location is None:
                        return await self._page(response)
                    url = url.join(URL(location))
        raise ToolFailed(f"{address!r} redirects more than {self._max_redirects} times.")

    def _check(self, url: URL) -> None:
        host = (url.host or "").lower()
        if url.scheme not in ("http", "https") or not host or url.user is not None:
            raise InvalidInput(f"{str(url)!r} cannot be read. Give an http or https address without a user name.")
        if not any(fnmatch.fnmatchcase(host, pattern) for pattern in self._hosts):
            raise PermissionDenied(f"Host {host!r} is not allowed. Allowed are: {', '.join(self._hosts) or 'none'}.")
        if not self._allow_private and _is_inside(host):
            raise PermissionDenied(f"{host!r} is an address inside, which is not read.")

    async def _page(self, response: aiohttp.ClientResponse) -> Page:
        if response.status == 429:
            raise Throttled(f"Host {response.url.host!r} asks for a pause.", retry_after=_seconds(response))
        if response.status >= 500:
            raise ToolFailed(f"Host {response.url.host!r} answered {response.status}.")
        body = b""
        async for chunk in response.content.iter_chunked(64 * 1024):
            body += chunk
            if len(body) > self._max_bytes:
                break
        try:
            text = body[: self._max_bytes].decode(response.charset or "utf-8", errors="replace")
        except LookupError:
            text = body[: self._max_bytes].decode("utf-8", errors="replace")
        return Page(
            url=str(response.url),
            status=response.status,
            content_type=response.content_type,
            text=text,
            truncated=len(body) > self._max_bytes,
        )


def _seconds(response: aiohttp.ClientResponse) -> float | None:
    said = response.headers.get("Retry-After", "")
    return float(said) if said.isdigit() else None


def _is_inside(host: str) -> bool:
    """Whether a literal address is none of the public internet; False for names, which the resolver judges."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not (mapped or address).is_global or (mapped or address).is_multicast


def _resolver(allow_private: bool) -> Any:
    """Finds addresses of names; the connection is made to one that was judged here, not to a later answer."""
    from aiohttp import ThreadedResolver

    class Judged(ThreadedResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            found = await super().resolve(host, port, family)
            if not allow_private and any(_is_inside(each["host"]) for each in found):
                raise PermissionDenied(f"{host!r} has an address inside, which is not read.")
            return found

    return Judged()
