"""Takes secrets out of text before it is logged or shown."""

from __future__ import annotations

import re
from typing import Any

MASK = "***"

_SECRET_NAME = re.compile(r"secret|key|password|passwd|token|credential|signature|connection_?string", re.IGNORECASE)
_HARMLESS_NAME = re.compile(
    r"(partition|row|routing|session|message|idempotency|dedupe|sort|foreign|primary)_?key", re.IGNORECASE
)
_IN_TEXT = re.compile(
    r"(?P<name>AccountKey|SharedAccessKey|SharedAccessSignature|sig|api[_-]?key|x-functions-key|password|client_secret"
    r"|(?<=[?&])code)(?P<sign>[\"']?\s*[=:]\s*[\"']?)(?P<value>[^\s;&\"',}]+)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(Bearer|SharedAccessSignature)\s+[A-Za-z0-9._~+/=%&-]+", re.IGNORECASE)


def redact_text(text: str) -> str:
    """Mask keys, signatures and bearer tokens in free text."""
    masked = _IN_TEXT.sub(lambda found: f"{found['name']}{found['sign']}{MASK}", text)
    return _BEARER.sub(lambda found: f"{found[1]} {MASK}", masked)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name is likely to hold a secret."""
    return bool(_SECRET_NAME.search(name)) and not _HARMLESS_NAME.search(name)


def redact(value: Any) -> Any:
    """A copy of a JSON value with the values of secret-sounding fields masked, and text redacted."""
    if isinstance(value, dict):
        return {name: MASK if is_secret_name(str(name)) and item else redact(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return redact_text(value) if isinstance(value, str) else value
