"""A child process of the stack: in a group of its own, logging to a file, and never left behind."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_TAIL_BYTES = 2_000
_POLL_SECONDS = 0.02

# Asks Linux to end the process when the one that started it is gone, however it went, then becomes the command.
_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, int(signal.SIGTERM))
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""

_living: set[Child] = set()


class Child:
    """A running process and the log its output goes to.

    Attributes:
        name: What people call it, in messages.
        log: The file its output is appended to; None when the output is thrown away.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path | None) -> None:
        self.name = name
        self.log = log
        self._process = process

    @classmethod
    async def spawn(
        cls,
        name: str,
        command: Sequence[str],
        *,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> Child:
        """Start a process. `environment` adds to that of this process."""
        output = await asyncio.to_thread(_open_log, log)
        try:
            process = await asyncio.create_subprocess_exec(
                *_tied_to_us(command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=directory,
                # A group of its own: Ctrl-C in the terminal reaches the supervisor only, which then stops its
                # children in order, and killing the group takes grandchildren along.
                start_new_session=True,
            )
        finally:
            if output != subprocess.DEVNULL:
                os.close(output)
        child = cls(name, process, log)
        _living.add(child)
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for the end of the process; its exit code."""
        code = await self._process.wait()
        _living.discard(self)
        return code

    async def stop(self, grace: float = 5.0) -> int:
        """Ask it to end, and kill it (and its group) when it has not within `grace` seconds; the exit code."""
        if self.exit_code is None:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await self._process.wait()
        self.kill()
        return await self.wait()

    def kill(self) -> None:
        """End it at once, with everything it started."""
        self.signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process's group; nothing if the group is gone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                self._process.send_signal(number)
            else:
                os.killpg(self.pid, number)

    def last_output(self) -> str:
        """The end of the log, for an error message."""
        if self.log is None or not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace").strip()


async def listening(child: Child, ports: Sequence[int], patience: float) -> bool:
    """Wait until the child accepts connections on all ports. False if it ended or the patience did."""
    try:
        async with asyncio.timeout(patience):
            for port in ports:
                while not await _accepts(port):
                    if child.exit_code is not None:
                        return False
                    await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        return False
    return child.exit_code is None


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _tied_to_us(command: Sequence[str]) -> list[str]:
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-S", "-E", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]


def _open_log(log: Path | None) -> int:
    if log is None:
        return subprocess.DEVNULL
    log.parent.mkdir(parents=True, exist_ok=True)
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


@atexit.register
def _kill_the_living() -> None:
    """An exit that skipped the context managers must not leave servers behind."""
    for child in list(_living):
        if child.exit_code is None:
            child.kill()
