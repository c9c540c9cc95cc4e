"""Runs the tools: in processes of their own, with a time limit, few variables, and no code of the target."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aos.tools.review.errors import ToolFailed, ToolMissing, ToolTimedOut
from aos.tools.review.masking import mask

PATIENCE = 300.0
"""Seconds a tool may take."""

_MOST_OUTPUT = 128 * 1_048_576
_TAIL = 1_500
_NEUTRAL_DIRECTORY = Path(__file__).parent
_KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH")
_LONGEST_COMMAND = 24_000
"""Characters of file names in one command: below the limit of every operating system."""


@dataclass(frozen=True, slots=True)
class Output:
    """How a process ended, and what it wrote."""

    code: int
    out: bytes
    err: bytes


def clean_environment(extra: Mapping[str, str] | None = None, keep: Sequence[str] = ()) -> dict[str, str]:
    """The few variables a tool needs. Settings of this process, with their secrets, are not among them."""
    kept = {name: os.environ[name] for name in (*_KEPT_VARIABLES, *keep) if name in os.environ}
    return kept | dict(extra or {})


async def run_module(
    tool: str,
    module: str,
    arguments: Sequence[str] = (),
    *,
    stdin: bytes = b"",
    patience: float = PATIENCE,
) -> Output:
    """Run `python -m <module>` and wait for its end.

    Args:
        tool: What people call it, in messages.
        module: Importable from here.
        arguments: Its command line.
        stdin: What it reads.
        patience: Seconds after which it is ended.

    Raises:
        ToolMissing: there is no such module.
        ToolTimedOut: it took longer than `patience`.
        ToolFailed: it wrote more than can be taken in.
    """
    if find_spec(module) is None:
        raise ToolMissing(
            f"The tool {tool!r} is not installed. Install it: pip install {tool}.", details={"tool": tool}
        )
    # -P: no module of the target can take the place of the tool's own.
    command = [sys.executable, "-P", "-W", "ignore", "-m", module, *arguments]
    try:
        async with asyncio.timeout(patience), _process(command) as process:
            return await _talk(tool, process, stdin)
    except TimeoutError:
        raise ToolTimedOut(
            f"{tool} was not done within {patience:g} s and was ended. Review a smaller part of the code base, or"
            " allow it more time.",
            details={"tool": tool, "seconds": patience},
        ) from None


async def run_json(tool: str, module: str, arguments: Sequence[str], *, patience: float = PATIENCE) -> Any:
    """Run a tool that writes JSON and ends with code 0. Raises as `run_module` does, and `ToolFailed`."""
    return parsed(tool, await run_module(tool, module, arguments, patience=patience))


async def inspect(tool: str, inspector: str, payload: Mapping[str, Any], *, patience: float = PATIENCE) -> Any:
    """Run one of our inspectors, which wrap libraries, in a process that can be ended.

    A library that is fed a hostile file may run for hours, exhaust the stack or print: none of it happens in here.

    Raises:
        ToolMissing, ToolTimedOut, ToolFailed: as `run_json`.
    """
    data = json.dumps(payload).encode()
    return parsed(
        tool, await run_module(tool, "aos.tools.review.inspectors", [inspector], stdin=data, patience=patience)
    )


def parsed(tool: str, output: Output) -> Any:
    """The JSON a tool wrote. Raises `ToolFailed` if it ended with an error, or wrote something else."""
    if output.code != 0:
        raise failure(tool, f"{tool} ended with code {output.code}", output)
    try:
        return json.loads(output.out)
    except ValueError:
        raise failure(tool, f"{tool} did not write JSON", output) from None


def failure(tool: str, what: str, output: Output) -> ToolFailed:
    """The error for a tool that went wrong, with the end of what it said."""
    said = mask(output.err.decode("utf-8", "replace").strip()[-_TAIL:])
    return ToolFailed(
        f"{what}. It said: {said or 'nothing'}",
        details={"tool": tool, "exit_code": output.code, "stderr": said},
    )


def in_batches(paths: Sequence[str]) -> list[list[str]]:
    """Paths in groups that fit on a command line."""
    batches: list[list[str]] = []
    room = 0
    for path in paths:
        if not batches or room < len(path):
            batches.append([])
            room = _LONGEST_COMMAND
        batches[-1].append(path)
        room -= len(path) + 1
    return batches


@asynccontextmanager
async def _process(command: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=_NEUTRAL_DIRECTORY,
        env=clean_environment({"PYTHONPATH": path, "PYTHONUTF8": "1", "PYTHONHASHSEED": "0", "NO_COLOR": "1"}),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            _kill(process)
            await process.wait()


async def _talk(tool: str, process: asyncio.subprocess.Process, stdin: bytes) -> Output:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise ToolFailed(f"{tool} was started without pipes.", details={"tool": tool})
    async with asyncio.TaskGroup() as group:
        out = group.create_task(_read(process.stdout))
        err = group.create_task(_read(process.stderr))
        group.create_task(_write(process.stdin, stdin))
    if out.result() is None or err.result() is None:
        raise ToolFailed(
            f"{tool} wrote more than {_MOST_OUTPUT // 1_048_576} MiB. Review a smaller part of the code base.",
            details={"tool": tool},
        )
    return Output(await process.wait(), out.result() or b"", err.result() or b"")


async def _read(stream: asyncio.StreamReader) -> bytes | None:
    """Everything up to the end, or None if that is too much. It is read all the same, so that nobody waits."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await stream.read(65_536):
        size += len(chunk)
        if size <= _MOST_OUTPUT:
            chunks.append(chunk)
    return b"".join(chunks) if size <= _MOST_OUTPUT else None


async def _write(stream: asyncio.StreamWriter, data: bytes) -> None:
    # A tool may end without reading everything; its exit code then says why.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(data)
        await stream.drain()
    stream.close()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        await stream.wait_closed()


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
