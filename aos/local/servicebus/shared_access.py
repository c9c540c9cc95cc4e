"""Shared access signatures: the tokens a client proves with that it knows a key, made and checked."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote_plus, urlsplit

from aos.kernel.errors import PermissionDenied

_PREFIX = "SharedAccessSignature "


def sign(resource: str, key_name: str, key: str, expires: int) -> str:
    """A token for `resource` and all below it, good until `expires` (seconds since 1970)."""
    encoded = quote_plus(resource)
    signature = quote_plus(_signature(encoded, str(expires), key))
    return f"{_PREFIX}sr={encoded}&sig={signature}&se={expires}&skn={quote_plus(key_name)}"


def path_of(address: str) -> str:
    """The entity path in an address, whether or not it names a host."""
    if "://" in address:
        address = urlsplit(address).path
    return address.strip("/")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows: everything at and below `path` until `expires` (seconds since 1970)."""

    path: str
    expires: int

    def covers(self, path: str, now: float) -> bool:
        if now >= self.expires:
            return False
        if not self.path:
            return True
        path, own = path.lower(), self.path.lower()
        return path == own or path.startswith(own + "/")


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys a broker knows."""

    keys: dict[str, str] = field(repr=False)

    def check(self, token: str, audience: str, now: float) -> Grant:
        """What a token allows for `audience`.

        Raises:
            PermissionDenied: wrong key, wrong resource, expired, or not a token at all.
        """
        if not token.startswith(_PREFIX):
            raise PermissionDenied("The token is not a shared access signature.")
        parts = dict(pair.partition("=")[::2] for pair in token[len(_PREFIX) :].split("&"))
        values = dict(parse_qsl(token[len(_PREFIX) :], keep_blank_values=True))
        key = self.keys.get(values.get("skn", ""))
        if key is None:
            raise PermissionDenied("InvalidSignature: the token names a key that this broker does not have.")
        expected = _signature(parts.get("sr", ""), values.get("se", ""), key)
        if not hmac.compare_digest(expected.encode(), values.get("sig", "").encode()):
            raise PermissionDenied("InvalidSignature: the token has an invalid signature.")
        expires = int(values["se"]) if values.get("se", "").isdigit() else 0
        if now >= expires:
            raise PermissionDenied("ExpiredToken: the token has expired.")
        granted = Grant(path_of(values.get("sr", "")), expires)
        path = path_of(audience)
        if not granted.covers(path, now):
            raise PermissionDenied(f"InvalidAudience: the token is not for {audience!r}.")
        return Grant(path, expires)


def _signature(encoded_resource: str, expires: str, key: str) -> str:
    digest = hmac.new(key.encode(), f"{encoded_resource}\n{expires}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
