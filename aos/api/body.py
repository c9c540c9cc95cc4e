"""Looks at a request's body before anybody reads it: its size and its kind."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aos.api.problems import problem, status_of
from aos.kernel.errors import AosError, PayloadTooLarge, UnsupportedMediaType

ARTIFACTS = "/artifacts"
LINKS = "/api/r/"
"""Begins the paths of links, whose pages send forms."""
WORKFLOWS = ("/workflows", "/workflows/check")
"""End the paths that take YAML, too."""
YAML = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
_FORM = "application/x-www-form-urlencoded"


class BodyGuard:
    """ASGI middleware that refuses bodies over the limit (413) and of the wrong kind (415)."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, max_artifact_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_artifact_bytes = max_artifact_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH"):
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        is_artifact = path.rstrip("/").endswith(ARTIFACTS)
        limit = self._max_artifact_bytes if is_artifact else self._max_bytes
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            self._check(headers, limit, path, is_artifact=is_artifact)
        except (PayloadTooLarge, UnsupportedMediaType) as error:
            await _refuse(error)(scope, receive, send)
            return
        await self._app(scope, _limited(receive, limit), send)

    def _check(self, headers: dict[bytes, str], limit: int, path: str, *, is_artifact: bool) -> None:
        length = headers.get(b"content-length", "0")
        if length.isdigit() and int(length) > limit:
            raise _too_large(limit)
        kind = headers.get(b"content-type", "").partition(";")[0].strip().lower()
        has_body = length != "0" or b"transfer-encoding" in headers
        if (path.startswith(LINKS) and kind == _FORM) or (path.endswith(WORKFLOWS) and kind in YAML):
            return
        if has_body and not is_artifact and kind != "application/json" and not kind.endswith("+json"):
            raise UnsupportedMediaType(
                f"The body is {kind or 'of no stated kind'}. Send JSON, with `Content-Type: application/json`."
            )


def _limited(receive: Receive, limit: int) -> Receive:
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            # Frameworks turn other errors raised while a body is read into a plain 400.
            raise HTTPException(413, _too_large(limit).message)
        return message

    return limited


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"The body is over the limit of {limit:,} bytes. Send large content as an artifact, and its id in the request."
    )


def _refuse(error: AosError) -> ASGIApp:
    return problem(status_of(error), error.code, error.message)
