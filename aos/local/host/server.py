"""An HTTP server on the host's own loop, that leaves signals to the host."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aos.kernel.errors import SettingInvalid

if TYPE_CHECKING:
    import uvicorn

_BACKLOG = 512


class HttpServer:
    """Serves an ASGI application on one address, from `start` to `stop`."""

    def __init__(self, app: Any, address: str, port: int, grace: float) -> None:
        self._app = app
        self._address = address
        self._grace = grace
        self._wanted_port = port
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        if self._socket is None:
            return self._wanted_port
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Listen. Port 0 takes any.

        Raises:
            SettingInvalid: the address or port cannot be had.
        """
        self._socket = _listen(self._address, self._wanted_port)
        self._server = _server(self._app, self._grace)
        self._task = asyncio.get_running_loop().create_task(self._server.serve([self._socket]), name="http server")

    async def stop(self) -> None:
        """Accept nothing more; requests under way get their grace."""
        if self._server is None or self._task is None or self._socket is None:
            return
        self._server.should_exit = True
        await self._task
        self._socket.close()


def _server(app: Any, grace: float) -> uvicorn.Server:
    import uvicorn  # not needed to index an app

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=max(1, round(grace)),
        server_header=False,
    )
    return Server(config)


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; without it each small answer waits for an ACK, 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingInvalid(
            f"The host cannot listen on {address}:{port} ({error.strerror}). Choose another with --port."
        ) from error
    listener.setblocking(False)
    return listener
