"""`python -m aos.local.host --app FOLDER`: runs a function app until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from aos.kernel.errors import AosError
from aos.local.host.host import FunctionsHost, HostOptions
from aos.local.host.log import log_to_stderr

_logger = logging.getLogger("aos.local.host")


def main(arguments: list[str] | None = None) -> int:
    """Run the host; the process's exit code: 0 after a signal, 2 when the app cannot be run."""
    options, verbose = _parse(arguments)
    log_to_stderr(logging.DEBUG if verbose else logging.INFO)
    # As under the real worker, an app finds its files in the current folder.
    os.chdir(options.app)
    try:
        asyncio.run(_serve(options))
    except AosError as error:
        print(f"error: {error.message}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def _parse(arguments: list[str] | None) -> tuple[HostOptions, bool]:
    parser = argparse.ArgumentParser(prog="python -m aos.local.host", description=__doc__)
    parser.add_argument("--app", type=Path, required=True, help="folder with function_app.py and host.json")
    parser.add_argument("--port", type=int, default=7071, help="HTTP port (0: any free one; default 7071)")
    parser.add_argument("--address", default="127.0.0.1", help="interface to listen on")
    parser.add_argument("--keys", type=Path, help="JSON file with masterKey, functionKeys and functions")
    parser.add_argument("--state", type=Path, help="file that keeps when timers last ran")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds that running functions have at the end")
    parser.add_argument("--verbose", action="store_true", help="log every invocation")
    given = parser.parse_args(arguments)
    options = HostOptions(
        app=given.app.resolve(),
        port=given.port,
        address=given.address,
        keys_file=given.keys,
        state_file=given.state.resolve() if given.state else None,
        grace=given.grace,
    )
    return options, given.verbose


async def _serve(options: HostOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        else:
            loop.add_signal_handler(number, stop.set)
    async with FunctionsHost(options) as host:
        names = ", ".join(function.name for function in host.functions)
        print(f"ready {host.url} functions: {names}", flush=True)  # noqa: T201
        await stop.wait()
        _logger.info("stopping: what runs may end")
    _logger.info("stopped")


if __name__ == "__main__":
    sys.exit(main())
