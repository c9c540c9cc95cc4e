"""Signed links: what lets a person answer one request from wherever the link was read.

A token is who may do what with which action until when, and an HMAC-SHA256 of that. Nothing is stored for it: what
makes it single use is that the request takes one answer. The standard library's `hmac` does all that is needed;
a signing library would bring formats and defaults of its own, and no key ids.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from aos.kernel.errors import SettingInvalid
from aos.kernel.ports import Clock
from aos.workflows.human.errors import LinkExpired, LinkInvalid, LinksNotConfigured

KEY_SETTING = "AOS_LINK_KEY"
PREVIOUS_KEY_SETTING = "AOS_LINK_KEY_PREVIOUS"
MOST_TOKEN = 2_000
"""Characters of a token; longer ones are not looked at."""
_LEAST_KEY = 32
_FORMAT = 1

Purpose = Literal["approve", "reject", "answer"]
Secrets = Callable[[str], Awaitable[str | None]]
"""Gives the value of a setting, or None; a reference into a vault is followed."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link stands for.

    Attributes:
        request_id: Which request it answers.
        digest: Of the action it is about.
        who: In whose name it answers.
        purpose: What it does: `approve`, `reject`, or `answer` with a value.
        expires: Until when (UTC).
    """

    request_id: str
    digest: str
    who: str
    purpose: Purpose
    expires: datetime


class LinkSigner:
    """Makes and reads tokens, with the keys of the settings `AOS_LINK_KEY` and `AOS_LINK_KEY_PREVIOUS`.

    The first signs, both are accepted. To rotate, give the old key as the previous one, and take it away when its
    links have expired.
    """

    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock

    async def absent(self) -> str | None:
        """Why there are no links; None where there are."""
        if await self._secrets(KEY_SETTING):
            return None
        return f"No key for links is configured. Set {KEY_SETTING} to a random text of {_LEAST_KEY} characters or more."

    async def sign(self, link: Link) -> str:
        """The token of a link.

        Raises:
            LinksNotConfigured: there is no key.
            SettingInvalid: the key is too short.
        """
        reason = await self.absent()
        if reason is not None:
            raise LinksNotConfigured(reason)
        [key, *_] = await self._keys()
        fields = [_FORMAT, link.request_id, link.digest, link.who, link.purpose, int(link.expires.timestamp())]
        signed = f"{_text(json.dumps(fields, ensure_ascii=False, separators=(',', ':')).encode())}.{_key_id(key)}"
        return f"{signed}.{_text(_signature(key, signed))}"

    async def read(self, token: str) -> Link:
        """What a token stands for.

        Raises:
            LinkInvalid: it is not one of ours, was changed, or was signed with a key that is no longer accepted.
            LinkExpired: its time has passed.
        """
        signed, _, signature = token.rpartition(".")
        body, _, key_id = signed.rpartition(".")
        if len(token) > MOST_TOKEN or not token.isascii():
            raise _invalid()
        keys = {_key_id(key): key for key in await self._keys()}
        # A known key is used in any case, so that the time taken does not tell which key ids there are.
        key = keys.get(key_id) or next(iter(keys.values()), b"")
        is_ours = hmac.compare_digest(_text(_signature(key, signed)), signature)
        if not is_ours or key_id not in keys:
            raise _invalid()
        version, request_id, digest, who, purpose, expires = json.loads(_bytes(body))
        if version != _FORMAT:
            raise _invalid()
        link = Link(request_id, digest, who, purpose, datetime.fromtimestamp(expires, UTC))
        if link.expires <= self._clock.now():
            raise LinkExpired("This link has expired. Ask for a new one, or answer through the API.")
        return link

    async def _keys(self) -> list[bytes]:
        found: list[bytes] = []
        for setting in (KEY_SETTING, PREVIOUS_KEY_SETTING):
            value = await self._secrets(setting)
            if not value:
                continue
            if len(value) < _LEAST_KEY:
                raise SettingInvalid(f"{setting} is shorter than {_LEAST_KEY} characters. Set it to a longer one.")
            found.append(value.encode())
        return found


def _key_id(key: bytes) -> str:
    """Tells keys apart without telling anything about them."""
    return hashlib.sha256(b"aos link key id\n" + key).hexdigest()[:8]


def _signature(key: bytes, signed: str) -> bytes:
    return hmac.digest(key, b"aos link\n" + signed.encode(), "sha256")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _invalid() -> LinkInvalid:
    return LinkInvalid("This link is not valid: it is incomplete, was changed, or its key is no longer in use.")
