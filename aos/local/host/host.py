"""The host: puts an app's functions behind HTTP, timers and buses, and takes them down again in order."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aos.local.host.admin import Admin
from aos.local.host.bus_sources import source_of
from aos.local.host.delivery import Delivery
from aos.local.host.function import BusOutput, BusTrigger, Function, TimerTrigger
from aos.local.host.host_json import HostFile
from aos.local.host.http import BODY_LIMIT, HttpFront
from aos.local.host.indexing import closing_hook, load_functions
from aos.local.host.invoke import Invoker
from aos.local.host.keys import Keys
from aos.local.host.link import Link
from aos.local.host.pump import Pump
from aos.local.host.queue_pump import QueuePump
from aos.local.host.routes import Routes
from aos.local.host.server import HttpServer
from aos.local.host.session_pump import SessionPump
from aos.local.host.settings import Settings
from aos.local.host.timers import LastRuns, Time, TimerRunner

_logger = logging.getLogger(__name__)

State = Literal["starting", "running", "stopping", "stopped"]


@dataclass(frozen=True, slots=True)
class HostOptions:
    """How to run an app.

    Attributes:
        app: The folder with `function_app.py` and `host.json`.
        port: Where HTTP is served; 0 takes any free port.
        address: The interface it is served on.
        keys_file: Keys of functions, beside those of the environment.
        state_file: Where the times of timers are kept; None forgets them.
        grace: Seconds that what runs may go on when the host stops.
        environment: Where settings are looked up, and those of the app's file are put.
        time: The clock.
    """

    app: Path
    port: int = 0
    address: str = "127.0.0.1"
    keys_file: Path | None = None
    state_file: Path | None = None
    grace: float = 10.0
    environment: MutableMapping[str, str] = field(default_factory=lambda: os.environ)
    time: Time = field(default_factory=Time)


class FunctionsHost:
    """One app, running. Indexes it on construction; an asynchronous context manager runs it.

    Raises:
        SettingMissing: a setting that a function needs is not there.
        SettingInvalid: a file or a function cannot be used, or the port is taken.
    """

    def __init__(self, options: HostOptions) -> None:
        self._options = options
        self.state: State = "starting"
        settings = Settings.load(options.app, options.environment)
        file = HostFile.load(options.app, settings)
        self.functions = load_functions(options.app, settings)
        keys = Keys.load(settings, options.keys_file)
        threads = settings.whole("PYTHON_THREADPOOL_THREAD_COUNT")
        self._invoker = Invoker(options.app, file.function_timeout, self._send, threads)
        last_runs = LastRuns(options.state_file)
        self._timers = [
            TimerRunner(function, function.trigger, self._invoker, last_runs, options.time)
            for function in self.functions
            if isinstance(function.trigger, TimerTrigger)
        ]
        self._links = self._make_links(settings, file)
        self._front = HttpFront(
            Routes(self.functions, file.route_prefix),
            self._invoker,
            keys,
            Admin(self.status, self._timers, keys),
            settings.whole("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT") or BODY_LIMIT,
        )
        self._server = HttpServer(self._front, options.address, options.port, options.grace)
        self._route_prefix = file.route_prefix
        self._warn(keys)

    async def __aenter__(self) -> FunctionsHost:
        await self._server.start()
        for link in self._links.values():
            link.start()
        for timer in self._timers:
            timer.start()
        self.state = "running"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop accepting, end streams of events, let what runs end within the grace time, abandon the rest, close."""
        self.state = "stopping"
        self._front.end_streams()
        grace = self._options.grace
        await asyncio.gather(
            self._server.stop(),
            *(timer.stop(grace) for timer in self._timers),
            *(link.stop(grace) for link in self._links.values()),
        )
        self._invoker.close()
        await self._close_app()
        self.state = "stopped"

    @property
    def url(self) -> str:
        """Where the functions are, with the route prefix."""
        base = f"http://{self._options.address}:{self._server.port}"
        return f"{base}/{self._route_prefix}" if self._route_prefix else base

    @property
    def base_url(self) -> str:
        return f"http://{self._options.address}:{self._server.port}"

    async def connected(self) -> None:
        """Wait until every bus the app uses has been reached."""
        await asyncio.gather(*(link.wait_connected() for link in self._links.values()))

    def status(self) -> dict[str, Any]:
        """What `GET /admin/host/status` tells."""
        tallies = self._invoker.statistics()
        return {
            "state": self.state,
            "pid": os.getpid(),
            "functions": [
                {"name": function.name, "trigger": function.kind} | tallies.get(function.name, {})
                for function in self.functions
            ],
            "connections": {name: link.connected for name, link in self._links.items()},
        }

    async def _close_app(self) -> None:
        hook = closing_hook()
        if hook is None:
            return
        try:
            async with asyncio.timeout(self._options.grace):
                await hook()
        except Exception:
            _logger.exception("the app's close() failed")

    async def _send(self, output: BusOutput, body: bytes) -> None:
        await self._links[output.connection].send(output.entity, body)

    def _make_links(self, settings: Settings, file: HostFile) -> dict[str, Link]:
        pumps: dict[str, list[Pump]] = {}
        users: dict[str, str] = {}
        for function in self.functions:
            for connection in _connections(function):
                users.setdefault(connection, f"Function {function.name!r}")
                pumps.setdefault(connection, [])
            if isinstance(function.trigger, BusTrigger):
                delivery = Delivery(function, function.trigger, file.bus, self._invoker, self._options.time)
                pump = SessionPump(delivery) if function.trigger.sessions else QueuePump(delivery)
                pumps[function.trigger.connection].append(pump)
        return {name: Link(name, source_of(name, settings, users[name]), pumps[name]) for name in pumps}

    def _warn(self, keys: Keys) -> None:
        closed = [
            function.name
            for function, trigger in Routes(self.functions, "").templates()
            if trigger.auth_level != "anonymous"
        ]
        if closed and keys.empty:
            _logger.warning(
                "no function key is set: calls to these functions are refused",
                extra={"functions": ",".join(closed)},
            )


def _connections(function: Function) -> list[str]:
    names = [output.connection for output in function.outputs]
    return [function.trigger.connection, *names] if isinstance(function.trigger, BusTrigger) else names
