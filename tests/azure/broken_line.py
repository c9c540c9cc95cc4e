"""A transport for the SDKs that breaks at a chosen request, before or after the service has seen it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import aiohttp
from azure.core.exceptions import ServiceRequestError, ServiceResponseTimeoutError
from azure.core.pipeline.transport import AioHttpTransport

from tests.azure.one_answer import one_answer

Fault = Callable[["BrokenLine", Any, dict[str, Any]], Any]


class BrokenLine(AioHttpTransport):  # type: ignore[misc]  # the SDK loads it in a way that hides its type
    """Sends requests on, except those that a fault is laid out for, in order.

    Attributes:
        faults: What to do with the next requests; None lets one through.
        sent: Methods of all requests that were tried.
    """

    def __init__(self, *faults: Fault | None) -> None:
        super().__init__()
        self.faults = list(faults)
        self.sent: list[str] = []

    async def send(self, request: Any, **config: Any) -> Any:
        self.sent.append(request.method)
        fault = self.faults.pop(0) if self.faults else None
        if fault is None:
            return await super().send(request, **config)
        return await fault(self, request, config)

    async def deliver(self, request: Any, config: dict[str, Any]) -> Any:
        return await super().send(request, **config)


async def not_connected(line: BrokenLine, request: Any, config: dict[str, Any]) -> Any:
    """Nobody listens at the address."""
    key = aiohttp.client_reqrep.ConnectionKey("service", 443, False, True, None, None, None)
    cause = aiohttp.ClientConnectorError(key, OSError(111, "Connection refused"))
    raise ServiceRequestError(cause, error=cause) from cause


async def answer_lost(line: BrokenLine, request: Any, config: dict[str, Any]) -> Any:
    """The service does its work, then the connection breaks: the transport calls that a request error."""
    await line.deliver(request, config)
    cause = aiohttp.ServerDisconnectedError()
    raise ServiceRequestError(cause, error=cause) from cause


async def answer_late(line: BrokenLine, request: Any, config: dict[str, Any]) -> Any:
    """The service does its work, and says so after we have stopped to listen."""
    await line.deliver(request, config)
    cause = TimeoutError()
    raise ServiceResponseTimeoutError(cause, error=cause) from cause


def answers(status: int, code: str, *, after: bool = False, headers: dict[str, str] | None = None) -> Fault:
    """The service answers with an error; `after` doing its work, or instead."""

    async def instead(line: BrokenLine, request: Any, config: dict[str, Any]) -> Any:
        if after:
            await line.deliver(request, config)
        return await _serve(line, request, config, status, code, headers or {})

    return instead


async def _serve(
    line: BrokenLine, request: Any, config: dict[str, Any], status: int, code: str, headers: dict[str, str]
) -> Any:
    """Have a real HTTP answer made by a server of one answer, so that the SDK reads it as it reads any."""
    body = json.dumps({"odata.error": {"code": code, "message": {"lang": "en-US", "value": f"{code}."}}})
    async with one_answer(status, body, {"x-ms-error-code": code, **headers}) as url:
        request.url, kept = url, request.url
        try:
            return await line.deliver(request, config)
        finally:
            request.url = kept
