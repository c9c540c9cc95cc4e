"""The administration endpoint behind listening sockets: plain HTTP, and TLS for the SDK's client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from aiohttp import web

from aos.kernel.errors import SettingInvalid
from aos.local.servicebus.administration.certificate import make_certificate, server_context
from aos.local.servicebus.administration.endpoint import AdministrationEndpoint

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from aos.local.servicebus.engine import Bus
    from aos.local.servicebus.shared_access import KeyRing


class AdministrationServer:
    """Serves the endpoint. An asynchronous context manager.

    Args:
        bus: What it administers.
        keys: Who may.
        host: Where to listen.
        port: For plain HTTP; 0 takes a free one.
        tls_port: For TLS; None leaves it off, 0 takes a free one.
        folder: Where the certificate is written; needed for TLS.
    """

    def __init__(
        self, bus: Bus, keys: KeyRing, host: str, port: int, *, tls_port: int | None = None, folder: Path | None = None
    ) -> None:
        self.host = host
        self.port = port
        self.tls_port = tls_port
        self.certificate: Path | None = None
        self._folder = folder
        self._endpoint = AdministrationEndpoint(bus, keys)
        self._runner = web.AppRunner(self._endpoint.application(), access_log=None, shutdown_timeout=1.0)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def tls_url(self) -> str | None:
        return None if self.tls_port is None else f"https://{self.host}:{self.tls_port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            SettingInvalid: a port is taken.
        """
        await self._runner.setup()
        try:
            self.port = await self._listen(self.port)
            if self.tls_port is not None and self._folder is not None:
                certificate, key = await asyncio.to_thread(make_certificate, self._folder)
                self.tls_port = await self._listen(self.tls_port, (certificate, key))
                self.certificate = certificate
        except BaseException:
            await self._runner.cleanup()
            raise

    async def _listen(self, port: int, certificate: tuple[Path, Path] | None = None) -> int:
        context = None if certificate is None else server_context(*certificate)
        site = web.TCPSite(self._runner, self.host, port, ssl_context=context)
        try:
            await site.start()
        except OSError as problem:
            raise SettingInvalid(
                f"The Service Bus administration endpoint cannot listen on {self.host}:{port}: "
                f"{problem.strerror or problem}. Choose another with --admin-port or --admin-tls-port."
            ) from problem
        return int(self._runner.addresses[-1][1])

    async def stop(self) -> None:
        """Stop listening and drop the connections."""
        await self._runner.cleanup()
        await self._endpoint.abort_connections()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
