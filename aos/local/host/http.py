"""The HTTP side of the host, as an ASGI application: routes, keys, limits, and the two ways to call a function."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import azure.functions as func
from azure.functions import meta
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from aos.local.host.context import Trace
from aos.local.host.function import Function
from aos.local.host.invoke import InvocationFailed, Invoker
from aos.local.host.keys import Keys
from aos.local.host.live_answers import LiveAnswers
from aos.local.host.routes import Routes

_logger = logging.getLogger(__name__)

BODY_LIMIT = 104_857_600


class HttpFront:
    """Answers requests by running functions.

    Args:
        routes: Finds the function of a request.
        invoker: Runs it.
        keys: Who may call what.
        admin: Answers `/admin/...`; None for what it does not know.
        body_limit: Bytes a request body may have.
    """

    def __init__(
        self,
        routes: Routes,
        invoker: Invoker,
        keys: Keys,
        admin: Callable[[Request], Any],
        body_limit: int = BODY_LIMIT,
    ) -> None:
        self._routes = routes
        self._invoker = invoker
        self._keys = keys
        self._admin = admin
        self._body_limit = body_limit
        self._answers = LiveAnswers()

    def end_streams(self) -> None:
        """End the answers that would stay open."""
        self._answers.end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (the ASGI entry)."""
        if scope["type"] != "http":
            raise RuntimeError(f"The host serves http, not {scope['type']}.")
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        except HTTPException as error:
            response = problem(error.status_code, str(error.detail))
        except Exception:
            error_id = str(uuid.uuid4())
            facts = {"error_id": error_id, "method": request.method, "path": request.url.path}
            _logger.exception("request failed", extra=facts)
            response = problem(500, "The function failed; the host's log has the details.", id=error_id)
        try:
            await self._answers.send(response, scope, receive, send)
        except ClientDisconnect:
            return

    async def _respond(self, request: Request) -> Response:
        path = request.scope.get("raw_path", request.url.path.encode()).decode("ascii", "replace")
        if path.startswith("/admin/"):
            answer: Response = await self._admin(request)
            return answer
        match = self._routes.match(request.method, path.partition("?")[0])
        if match is None:
            return problem(404, f"No function answers {request.method} {request.url.path}.")
        route, parameters = match
        if not self._keys.admit(route.trigger.auth_level, route.function.name, offered_key(request)):
            return problem(401, "Send the key in the header x-functions-key, or as the query parameter code.")
        if route.trigger.streaming:
            request.scope["path_params"] = parameters
            return await self._streamed(route.function, request)
        return await self._buffered(route.function, request, parameters)

    async def _buffered(self, function: Function, request: Request, parameters: dict[str, str]) -> Response:
        body = await self._read(request)
        argument = _decoded(request, parameters, body)
        result = await self._invoker.run(function, argument, _trace(request))
        if not isinstance(result, str | func.HttpResponse):
            raise InvocationFailed(
                f"Function {function.name!r} returned {_named(result)}; an HTTP function must return "
                "func.HttpResponse or str."
            )
        return _encoded(result)

    async def _streamed(self, function: Function, request: Request) -> Response:
        if int(request.headers.get("content-length") or 0) > self._body_limit:
            raise _too_large(self._body_limit)
        result = await self._invoker.run(function, request, _trace(request))
        if isinstance(result, Response):
            return result
        if isinstance(result, str | dict | list):
            return JSONResponse(result)
        raise InvocationFailed(
            f"Function {function.name!r} returned {_named(result)}; return a Response of the http-fastapi extension."
        )

    async def _read(self, request: Request) -> bytes:
        chunks = bytearray()
        async for chunk in request.stream():
            chunks += chunk
            if len(chunks) > self._body_limit:
                raise _too_large(self._body_limit)
        return bytes(chunks)


def offered_key(request: Request) -> str | None:
    """The key of a request: its header, or else its `code` parameter."""
    return request.headers.get("x-functions-key") or request.query_params.get("code")


def problem(status: int, detail: str, **more: Any) -> Response:
    """An RFC 9457 problem document."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(document | more, status, media_type="application/problem+json")


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"The request body is over {limit:,} bytes, the limit of the host.")


def _decoded(request: Request, parameters: dict[str, str], body: bytes) -> Any:
    """The function's request object, made by the converter the real worker uses."""
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        query[name] = f"{query[name]},{value}" if name in query else value
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    content = {
        "method": _text(request.method),
        "url": _text(str(request.url)),
        "headers": {name: _text(value) for name, value in headers.items()},
        "query": {name: _text(value) for name, value in query.items() if value},
        "params": {name: _text(value) for name, value in parameters.items()},
        "body": meta.Datum(body, "bytes"),
    }
    converter = meta.get_binding_registry().get("httpTrigger")  # type: ignore[no-untyped-call]
    return converter.decode(meta.Datum(content, "http"), trigger_metadata={})


def _encoded(result: str | func.HttpResponse) -> Response:
    if isinstance(result, str):
        return Response(result, media_type="text/plain")
    body = result.get_body() or b""
    response = Response(body, result.status_code)
    headers = [(name.lower(), value) for name, value in result.headers.items()]
    if "content-type" not in {name for name, _ in headers}:
        kind = result.mimetype
        headers.append(("content-type", f"{kind}; charset={result.charset}" if kind.startswith("text/") else kind))
    # The body decides its own length, whatever the function believed it to be.
    kept = [(name, value) for name, value in headers if name not in ("content-length", "transfer-encoding")]
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept]
    if result.status_code >= 200 and result.status_code not in (204, 304):
        response.raw_headers.append((b"content-length", str(len(body)).encode()))
    return response


def _trace(request: Request) -> Trace:
    return Trace(request.headers.get("traceparent"), request.headers.get("tracestate"))


def _text(value: str) -> Any:
    return meta.Datum(value, "string")


def _named(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
