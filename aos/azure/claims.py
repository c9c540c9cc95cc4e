"""Claim checks: a message too large for the bus travels as a small reference to a blob that holds its body.

The reference is in the body itself, since triggers hand bodies over whole and properties only in part. The blob is
named by its content, so that sending twice stores once; a lifecycle rule on `claims/` is to remove what is older than
any message.
"""

from __future__ import annotations

import hashlib
import json
import re

from aos.kernel.errors import MalformedMessage, NotFound
from aos.kernel.ports import BlobStore

PREFIX = "claims/"
CONTENT_TYPE = "application/vnd.aos.claim+json"
_START = b'{"aosclaim":'
_MAX_REFERENCE = 256
_DIGEST = re.compile(r"[0-9a-f]{64}")


async def deposit(body: bytes, blobs: BlobStore) -> bytes:
    """Store a body; the reference to send in its place."""
    digest = hashlib.sha256(body).hexdigest()
    await blobs.put(PREFIX + digest, body)
    return json.dumps({"aosclaim": digest, "size": len(body)}, separators=(",", ":")).encode()


async def open_body(body: bytes, blobs: BlobStore) -> bytes:
    """The body that was sent: this one, or the one it refers to.

    Raises:
        MalformedMessage: it begins as a reference and is none, or the blob is not what was sent.
        NotFound: the blob is gone.
    """
    if not body.startswith(_START):
        return body
    digest = _digest(body)
    found = await blobs.get(PREFIX + digest)
    if found is None:
        raise NotFound(f"The body of a large message is gone: there is no blob {PREFIX + digest!r}. Send it again.")
    if hashlib.sha256(found).hexdigest() != digest:
        raise MalformedMessage(f"Blob {PREFIX + digest!r} is not what was sent: its digest differs. Send it again.")
    return found


def _digest(reference: bytes) -> str:
    try:
        content = json.loads(reference[:_MAX_REFERENCE])
        digest = content["aosclaim"]
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedMessage("A message begins as a claim check, and is none. Send CloudEvents as JSON.") from error
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise MalformedMessage("A claim check names no SHA-256 in hex. Send CloudEvents as JSON.")
    return digest
