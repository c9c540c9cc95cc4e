"""Azurite as a child process, from start to a clean stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aos.kernel.errors import StoreUnavailable
from aos.local.azurite.install import install_azurite
from aos.local.azurite.node import Node, find_node
from aos.local.child import Child, listening
from aos.local.ports import LOOPBACK, Report, choose_port, free_port, silent

ACCOUNT = "devstoreaccount1"
# The published key of every storage emulator: it protects nothing.
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

_READY_SECONDS = 60.0
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class StoragePorts:
    """Where the three services listen. 0 asks for any free port."""

    blob: int = 0
    queue: int = 0
    table: int = 0

    def as_tuple(self) -> tuple[int, int, int]:
        return self.blob, self.queue, self.table


USUAL_PORTS = StoragePorts(10000, 10001, 10002)


class Azurite:
    """A running storage emulator; make one with `Azurite.start`."""

    name = "Azurite"

    def __init__(self, node: Node, script: Path, location: Path | None, log: Path, report: Report) -> None:
        self._node = node
        self._script = script
        self._location = location
        self._log = log
        self._report = report
        self._child: Child | None = None
        self.ports = StoragePorts()

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        *,
        home: Path,
        location: Path | None = None,
        ports: StoragePorts | None = None,
        tools: Path | None = None,
        report: Report = silent,
    ) -> AsyncIterator[Azurite]:
        """Install what is needed, run the emulator for the block, stop it after.

        Args:
            home: The folder for the log, and for the installation (`.aos` of a project).
            location: Where data is kept; None keeps it in memory. One server at a time may use a location.
            ports: Wanted ports; others are picked, and reported, where they are taken. None: any free ones.
            tools: Another folder for the installation, which many stacks can share.
            report: Told of installation and of changed ports.

        Raises:
            SettingMissing: no Node.js can be had.
            StoreUnavailable: the emulator cannot be installed or does not start.
        """
        node = await find_node(report)
        script = await install_azurite(tools or home, node, report)
        server = cls(node, script, location, home / "logs" / "azurite.log", report)
        try:
            await server._launch(ports or StoragePorts())
            yield server
        finally:
            await server.stop()

    @property
    def connection_string(self) -> str:
        """For every storage SDK: blobs, queues and tables."""
        blob, queue, table = (f"http://{LOOPBACK}:{port}/{ACCOUNT}" for port in self.ports.as_tuple())
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
            f"BlobEndpoint={blob};QueueEndpoint={queue};TableEndpoint={table};"
        )

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.exit_code is None

    async def wait(self) -> int:
        """Wait for the process to end, for whatever reason; its exit code."""
        if self._child is None:
            raise StoreUnavailable("Azurite is not running; launch it first.")
        return await self._child.wait()

    async def stop(self) -> None:
        """Stop it so that it writes its data out. Safe to call twice."""
        if self._child is not None:
            await self._child.stop(grace=15.0)

    async def kill(self) -> None:
        """End it without letting it write anything, as a power cut would."""
        if self._child is not None:
            self._child.kill()
            await self._child.wait()

    async def launch(self) -> None:
        """Start it again, on the same ports, stopping it first if it runs. What was only in memory is gone."""
        await self.stop()
        await self._launch(self.ports)

    async def _launch(self, wanted: StoragePorts) -> None:
        names = ("storage blobs", "storage queues", "storage tables")
        ports = [choose_port(port, name, self._report) for port, name in zip(wanted.as_tuple(), names, strict=True)]
        for _ in range(_ATTEMPTS):
            self.ports = StoragePorts(*ports)
            if await self._try_to_run():
                return
            if "EADDRINUSE" not in await asyncio.to_thread(self._last_output):
                break
            ports = [free_port() for _ in ports]
            self._report(f"A storage port was taken meanwhile; trying {', '.join(map(str, ports))}.")
        raise StoreUnavailable(
            f"Azurite did not start; its log is {self._log}. "
            f"Last output: {await asyncio.to_thread(self._last_output) or '(none)'}"
        )

    async def _try_to_run(self) -> bool:
        await asyncio.to_thread(self._log.unlink, missing_ok=True)
        self._child = await Child.spawn(self.name, self._command(), log=self._log)
        if await listening(self._child, self.ports.as_tuple(), _READY_SECONDS):
            return True
        await self._child.stop()
        return False

    def _command(self) -> list[str]:
        blob, queue, table = (str(port) for port in self.ports.as_tuple())
        command = [str(self._node.program), str(self._script), "--silent", "--disableTelemetry"]
        # The SDKs are newer than the API versions Azurite knows by name, and work all the same.
        command += ["--skipApiVersionCheck", "--blobPort", blob, "--queuePort", queue, "--tablePort", table]
        if self._location is None:
            return [*command, "--inMemoryPersistence"]
        return [*command, "--location", str(self._location)]

    def _last_output(self) -> str:
        return "" if self._child is None else self._child.last_output()
