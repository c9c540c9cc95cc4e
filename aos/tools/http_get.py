"""Reads a page of an allow-listed host, and follows its redirects no further than that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel

from aos.kernel.errors import Throttled
from aos.tools.declaration import Tool, tool
from aos.tools.egress import Egress, retry_after
from aos.tools.errors import ToolFailed

if TYPE_CHECKING:
    import aiohttp

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
    visit = _Visit(Egress.to(hosts, allow_private=allow_private), max_bytes, max_redirects)

    @tool(effect="read", name="http_get", timeout=timeout, outside="web")
    async def get(url: str) -> Page:
        """Read a page of the web.

        Args:
            url: Its address, http or https.
        """
        return await visit.read(url)

    return get


class _Visit:
    def __init__(self, egress: Egress, max_bytes: int, max_redirects: int) -> None:
        self._egress = egress
        self._max_bytes = max_bytes
        self._max_redirects = max_redirects

    async def read(self, address: str) -> Page:
        from yarl import URL

        url = self._egress.parse(address)
        async with self._egress.session() as session:
            for _ in range(self._max_redirects + 1):
                async with session.get(url, allow_redirects=False) as response:
                    location = response.headers.get("Location")
                    if response.status not in _REDIRECTS or location is None:
                        return await self._page(response)
                    url = url.join(URL(location))
                    self._egress.check(url)
        raise ToolFailed(f"{address!r} redirects more than {self._max_redirects} times.")

    async def _page(self, response: aiohttp.ClientResponse) -> Page:
        if response.status == 429:
            raise Throttled(f"Host {response.url.host!r} asks for a pause.", retry_after=retry_after(response))
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
