"""Where calls to the outside may go: to allow-listed hosts, and to no address inside by name or a changing answer."""

from __future__ import annotations

import fnmatch
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aos.kernel.errors import InvalidInput, PermissionDenied

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import ResolveResult
    from yarl import URL


@dataclass(frozen=True, slots=True)
class Egress:
    """What may be reached.

    Attributes:
        hosts: Allowed hosts, such as `docs.python.org` or `*.wikipedia.org`, in lower case.
        allow_private: Whether allowed hosts may have addresses inside: loopback, private, link-local and the like.
    """

    hosts: tuple[str, ...]
    allow_private: bool = False

    @classmethod
    def to(cls, hosts: Sequence[str], *, allow_private: bool = False) -> Egress:
        return cls(tuple(host.lower() for host in hosts), allow_private)

    def parse(self, address: str) -> URL:
        """The address, if it may be called.

        Raises:
            InvalidInput: it is no http or https address, or has a user name in it.
            PermissionDenied: its host is not allowed, or is an address inside.
        """
        from yarl import URL

        try:
            url = URL(address)
        except ValueError as error:
            raise InvalidInput(f"{address!r} is no address: {error}.") from error
        self.check(url)
        return url

    def check(self, url: URL) -> None:
        """As `parse`, for an address that is one."""
        host = (url.host or "").lower()
        if url.scheme not in ("http", "https") or not host or url.user is not None:
            raise InvalidInput(f"{str(url)!r} cannot be called. Give an http or https address without a user name.")
        if not any(fnmatch.fnmatchcase(host, pattern) for pattern in self.hosts):
            raise PermissionDenied(f"Host {host!r} is not allowed. Allowed are: {', '.join(self.hosts) or 'none'}.")
        if not self.allow_private and _is_inside(host):
            raise PermissionDenied(f"{host!r} is an address inside, which is not called.")

    def session(self) -> aiohttp.ClientSession:
        """A session that connects to no address inside, keeps no cookies and uses no proxy of the environment."""
        import aiohttp

        connector = aiohttp.TCPConnector(resolver=_resolver(self.allow_private), use_dns_cache=False)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


def retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Seconds the other side asks to wait, where it says so in seconds."""
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
                raise PermissionDenied(f"{host!r} has an address inside, which is not called.")
            return found

    return Judged()
