"""Tells another system what happened: a signed JSON body, posted to an allowed host.

Headers and signature are those of the Standard Webhooks specification 1.0 (standardwebhooks.com): HMAC-SHA256 over
`<id>.<timestamp>.<body>`, so that the receiver can tell who sent it, that it is whole, and that it is not an old one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from aos.kernel.errors import SettingInvalid, SettingMissing, Throttled
from aos.tools.egress import Egress, retry_after
from aos.tools.errors import ToolFailed, ToolRefused

KEY_PREFIX = "whsec_"


class Webhooks:
    """Posts signed bodies.

    Args:
        egress: Where they may go.
        key: `whsec_` and the secret in Base64, as the specification has it; without it nothing can be sent.
        timeout: Seconds a try may take.
    """

    def __init__(self, egress: Egress, key: SecretStr | None, *, timeout: float = 30.0) -> None:
        self._egress = egress
        self._key = None if key is None else _secret(key.get_secret_value())
        self._timeout = timeout

    def check(self, address: str) -> None:
        """Whether something could be sent there.

        Raises:
            SettingMissing: no key is configured.
            InvalidInput, PermissionDenied: the address is none, or is not allowed.
        """
        self._signing_key()
        self._egress.parse(address)

    async def post(self, address: str, event_id: str, body: Any, *, at: datetime) -> int:
        """Send a body, and be answered with 2xx.

        Args:
            address: Where to.
            event_id: The same on every try, so that the receiver can drop a repetition.
            body: JSON.
            at: When it is sent.

        Returns:
            The status the receiver answered.

        Raises:
            SettingMissing, InvalidInput, PermissionDenied: as `check` has it.
            Throttled, ToolFailed: the receiver was not there or did not take it; try again later.
            ToolRefused: the receiver wants no more of them.
        """
        import aiohttp

        url = self._egress.parse(address)
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", **sign(self._signing_key(), event_id, at, content)}
        limit = aiohttp.ClientTimeout(total=self._timeout)
        async with self._egress.session() as session:
            try:
                async with session.post(
                    url, data=content, headers=headers, timeout=limit, allow_redirects=False
                ) as response:
                    if response.status == 429:
                        raise Throttled(f"Host {url.host!r} asks for a pause.", retry_after=retry_after(response))
                    if response.status == 410:
                        raise ToolRefused(f"Host {url.host!r} wants no more callbacks (410).")
                    if not 200 <= response.status < 300:
                        raise ToolFailed(f"Host {url.host!r} answered {response.status} to the callback.")
                    return response.status
            except (aiohttp.ClientError, TimeoutError) as error:
                raise ToolFailed(f"Host {url.host!r} cannot be reached: {type(error).__name__}.") from error

    def _signing_key(self) -> bytes:
        if self._key is None:
            raise SettingMissing(
                "Callbacks are signed, and there is no key. Set `callbacks.key` (AOS_CALLBACKS_KEY) to `whsec_` and "
                "24 to 64 random bytes in Base64."
            )
        return self._key


def sign(key: bytes, event_id: str, at: datetime, content: bytes) -> dict[str, str]:
    """The headers that prove where a body comes from."""
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(key, f"{event_id}.{timestamp}.".encode() + content, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _secret(text: str) -> bytes:
    if text.lstrip().lower().startswith("@microsoft.keyvault"):
        raise SettingInvalid(
            "`callbacks.key` refers to Key Vault, and the reference was not resolved. Azure Functions does that where "
            "the app's identity may read the secret; elsewhere give the key itself."
        )
    try:
        key = base64.b64decode(text.removeprefix(KEY_PREFIX), validate=True)
    except binascii.Error as error:
        raise SettingInvalid("`callbacks.key` is not Base64. Make one with `openssl rand -base64 32`.") from error
    if len(key) < 24:
        raise SettingInvalid("`callbacks.key` is shorter than 24 bytes. Make one with `openssl rand -base64 32`.")
    return key
