"""`aos up`: the whole system on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from aos.cli.app_folder import app_here
from aos.cli.client import Endpoint
from aos.cli.output import console
from aos.local.stack import Stack, StackOptions

_STREAMING = "AOS_API_STREAMING"


@asynccontextmanager
async def started(port: int, home: Path, app: Path) -> AsyncIterator[Stack]:
    """The stack for the block over an app, told to the other commands."""
    options = StackOptions(
        app=app,
        home=home,
        host_port=port,
        settings=local_settings(os.environ),
        report=lambda text: console.print(f"[dim]{text}[/dim]", markup=True),
    )
    async with Stack.start(options) as stack:
        Endpoint(stack.base_url, stack.function_key).keep()
        try:
            yield stack
        finally:
            Endpoint.forget()


def local_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Settings of a system on one machine; answers are streamed where the extra is installed and nobody objects."""
    streams = environ.get(_STREAMING) or str(_can_stream()).lower()
    return {"AOS_ENVIRONMENT": "local", "AOS_MCP_STDIO": "true", _STREAMING: streams}


def _can_stream() -> bool:
    try:
        return find_spec("azurefunctions.extensions.http.fastapi") is not None
    except ModuleNotFoundError:
        return False


async def run_until_stopped(port: int, home: Path) -> None:
    """Run the system, print where everything is, and stop it on Ctrl-C or SIGTERM."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with started(port, home, app_here()) as stack:
        _print_places(stack, home)
        await stopped.wait()
    console.print("Stopped. The data is kept.")


def _print_places(stack: Stack, home: Path) -> None:
    base = stack.base_url
    console.print()
    console.print("[bold]AOS is running.[/bold] Ctrl-C stops it.")
    for name, value in (
        ("API", f"{base}/api/v1"),
        ("API docs", f"{base}/api/v1/docs?code={stack.function_key}"),
        ("health", f"{base}/api/v1/health"),
        ("function key", stack.function_key),
        ("host status", f"{base}/admin/host/status"),
        ("Service Bus", stack.bus_connection_string),
        ("storage", stack.storage_connection_string),
        ("data, logs", str(home)),
    ):
        console.print(f"  {name:<13} {value}", markup=False, soft_wrap=True)
    console.print("\nIn another terminal: aos agent list")
