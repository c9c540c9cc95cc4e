"""Errors as RFC 9457 problem details: one shape for all of them, with AOS's stable code."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from aos.kernel.errors import (
    AlreadyExists,
    AosError,
    DeadlineExceeded,
    InfrastructureError,
    InvalidInput,
    NotAllowedNow,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    RetryableError,
    UnknownAgentType,
    UnsupportedMediaType,
)
from aos.telemetry.correlation import current
from aos.telemetry.redaction import redact_text

log = logging.getLogger("aos.api")

MEDIA_TYPE = "application/problem+json"

_STATUS: Sequence[tuple[type[AosError], int]] = (
    (PayloadTooLarge, 413),
    (UnsupportedMediaType, 415),
    (NotFound, 404),
    (UnknownAgentType, 404),
    (AlreadyExists, 409),
    (NotAllowedNow, 409),
    (PermissionDenied, 403),
    (DeadlineExceeded, 504),
    (InvalidInput, 422),
    (InfrastructureError, 503),
    (RetryableError, 503),
)
_CODES = {
    400: "bad_request",
    401: "authentication_failure",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
}


def status_of(error: AosError) -> int:
    """The HTTP status an error is answered with."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    title: str | None = None,
    headers: Mapping[str, str] | None = None,
    **extensions: Any,
) -> JSONResponse:
    """A problem details response. `extensions` are further members; empty ones are left out."""
    correlation_id = current().get("trace_id") or current().get("invocation_id")
    content = {
        "type": f"urn:aos:error:{code}",
        "title": title or code.replace("_", " ").capitalize(),
        "status": status,
        "detail": redact_text(detail),
        "code": code,
        "correlation_id": correlation_id,
        **{name: value for name, value in extensions.items() if value},
    }
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have the app answer every error with problem details."""
    app.add_exception_handler(AosError, _aos_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(ValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


async def _aos_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AosError)  # noqa: S101  # that is what it is installed for
    headers = {"Retry-After": str(max(1, round(error.retry_after)))} if error.retry_after else {}
    return problem(status_of(error), error.code, error.message, headers=headers, details=error.details)


async def _validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError | ValidationError)  # noqa: S101
    errors = [
        {"field": ".".join(str(part) for part in item["loc"] if part != "body"), "problem": item["msg"]}
        for item in error.errors()
    ]
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return problem(400, "malformed_json", f"The body is not JSON: {errors[0]['problem']}. Correct it.")
    named = "; ".join(f"{item['field'] or 'body'}: {item['problem']}" for item in errors[:5])
    return problem(422, "validation_error", f"The request is not right: {named}.", errors=errors)


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    code = _CODES.get(error.status_code, "api_error")
    detail = f"{error.detail}. See /api/v1/docs for the routes there are." if error.status_code == 404 else error.detail
    return problem(error.status_code, code, str(detail), headers=error.headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("request failed: %s %s", request.method, request.url.path, exc_info=error)
    return problem(500, "api_error", "Something went wrong here. The log has it under the correlation id.")
