"""The Python programs of the stack as servers: the Service Bus emulator and the Functions host."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

import aos
from aos.kernel.errors import BusUnavailable, InfrastructureError
from aos.local.child import Child, listening

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05


class HostUnavailable(InfrastructureError):
    """The Functions host does not start."""

    code = "host_unavailable"


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours with this Python."""
    return [sys.executable, "-m", module, *arguments]


def module_environment() -> dict[str, str]:
    """What a child needs in order to find our modules, wherever it runs."""
    source = str(Path(next(iter(aos.__path__))).parent)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))}


Ready = Callable[[Child], Awaitable[bool]]


@dataclass(slots=True)
class Program:
    """A command run as a server.

    Attributes:
        name: What people call it.
        command: The command.
        log: Where its output goes.
        ready: Waits until the process serves; False if it will not.
        failure: The error class of a start that failed.
        grace: Seconds it may take to stop.
    """

    name: str
    command: Sequence[str]
    log: Path
    ready: Ready
    failure: type[InfrastructureError]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    grace: float = 15.0
    child: Child | None = None

    async def launch(self) -> None:
        """See `Server.launch`."""
        await self.stop()
        child = await Child.spawn(
            self.name,
            self.command,
            log=self.log,
            environment=module_environment() | dict(self.environment),
            directory=self.directory,
        )
        self.child = child
        if not await self.ready(child):
            code = await child.stop()
            words = await asyncio.to_thread(child.last_output)
            raise self.failure(
                f"{self.name} did not start (exit code {code}); its log is {self.log}. Last output: {words or '(none)'}"
            )

    async def wait(self) -> int:
        """See `Server.wait`."""
        return 0 if self.child is None else await self.child.wait()

    async def stop(self) -> None:
        if self.child is not None:
            await self.child.stop(self.grace)

    async def kill(self) -> None:
        if self.child is not None:
            self.child.kill()
            await self.child.wait()


def bus_program(port: int, config: Path, data: Path | None, log: Path) -> Program:
    """The Service Bus emulator. `data` None keeps its messages in memory."""
    command = module_command("aos.local.servicebus", "--port", str(port), "--config", str(config))
    if data is not None:
        command += ["--data", str(data)]

    async def ready(child: Child) -> bool:
        return await listening(child, [port], _READY_SECONDS)

    return Program("The Service Bus emulator", command, log, ready, BusUnavailable)


def host_program(
    app: Path, port: int, keys: Path, state: Path | None, log: Path, settings: Mapping[str, str]
) -> Program:
    """The Functions host over an app, ready when all its functions run and its buses are connected."""
    command = module_command("aos.local.host", "--app", str(app), "--port", str(port), "--keys", str(keys))
    if state is not None:
        command += ["--state", str(state)]

    async def ready(child: Child) -> bool:
        return await _runs(child, f"http://127.0.0.1:{port}/admin/host/status")

    return Program("The Functions host", command, log, ready, HostUnavailable, environment=settings, directory=app)


async def _runs(child: Child, url: str) -> bool:
    try:
        async with asyncio.timeout(_READY_SECONDS), httpx.AsyncClient(timeout=2.0, trust_env=False) as http:
            while child.exit_code is None:
                if await _says_running(http, url):
                    return True
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        return False
    return False


async def _says_running(http: httpx.AsyncClient, url: str) -> bool:
    try:
        status = (await http.get(url)).json()
    except (httpx.HTTPError, ValueError):
        return False
    return bool(status.get("state") == "running" and all(status.get("connections", {}).values()))
