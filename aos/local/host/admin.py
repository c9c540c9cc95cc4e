"""The host's own endpoints under `/admin`: its status for whoever waits for it, and running a timer by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aos.kernel import meter
from aos.local.host.http import offered_key, problem
from aos.local.host.keys import Keys
from aos.local.host.timers import TimerRunner

_FUNCTIONS = "/admin/functions/"


class Admin:
    """Answers administrative requests.

    Args:
        status: Gives the facts of `GET /admin/host/status`, which needs no key: it tells no secrets.
        timers: What `POST /admin/functions/{name}` runs, for holders of the master key.
        keys: The keys.
    """

    def __init__(self, status: Callable[[], dict[str, Any]], timers: Sequence[TimerRunner], keys: Keys) -> None:
        self._status = status
        self._timers = {timer.function.name: timer for timer in timers}
        self._keys = keys

    async def __call__(self, request: Request) -> Response:
        """The answer to a request under `/admin/`."""
        path = request.url.path
        if path == "/admin/host/status" and request.method == "GET":
            return JSONResponse(self._status() | {"usage": meter.process_total.to_json()})
        if path.startswith(_FUNCTIONS) and request.method == "POST":
            return await self._run(request, path.removeprefix(_FUNCTIONS))
        return problem(404, f"The host has no {request.method} {path}.")

    async def _run(self, request: Request, name: str) -> Response:
        if not self._keys.admit("admin", name, offered_key(request)):
            return problem(401, "Send the master key in the header x-functions-key.")
        timer = self._timers.get(name)
        if timer is None:
            known = ", ".join(self._timers) or "none"
            return problem(404, f"There is no timer function {name!r}; timers: {known}.")
        if not await timer.fire():
            return problem(500, f"{name!r} failed; the host's log has the details.")
        return Response(status_code=202)
