"""Which TCP ports the stack's servers listen on: the usual ones where they are free, others where they are not."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable

LOOPBACK = "127.0.0.1"

Report = Callable[[str], None]
"""Takes one line for the person who started the stack."""


def silent(_: str) -> None:
    """A `Report` for those who do not want to know."""


def free_port() -> int:
    """A port of the loopback interface nobody listens on right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":
            # A server just stopped leaves connections in TIME_WAIT; they do not keep a new one from listening.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def choose_port(wanted: int, purpose: str, report: Report = silent) -> int:
    """The wanted port, or another where it is taken, which is reported. 0 asks for any."""
    if wanted == 0:
        return free_port()
    if is_free(wanted):
        return wanted
    chosen = free_port()
    report(f"Port {wanted} ({purpose}) is taken; using {chosen} instead.")
    return chosen
