"""`python -m aos.local.servicebus`: the emulator for any project, without Docker."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from aos.kernel.errors import AosError
from aos.local.servicebus.broker import BrokerOptions
from aos.local.servicebus.connection_string import DEFAULT_KEY, DEFAULT_KEY_NAME, DEFAULT_PORT
from aos.local.servicebus.serve import serve


def options_from(arguments: list[str]) -> BrokerOptions:
    """The command line as options. Exits with a message if it cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m aos.local.servicebus", description="An Azure Service Bus emulator that speaks AMQP 1.0."
    )
    parser.add_argument("--config", type=Path, help="entities, in the format of Microsoft's emulator (Config.json)")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="for AMQP (default %(default)s, 0: any)")
    parser.add_argument("--data", type=Path, help="keep messages in this folder; without it, in memory only")
    parser.add_argument("--admin-port", type=int, help="administration and /health over HTTP")
    parser.add_argument("--admin-tls-port", type=int, help="administration over TLS, with a certificate of its own")
    parser.add_argument("--key-name", default=DEFAULT_KEY_NAME, help="name of the key (default %(default)s)")
    parser.add_argument("--key", default=DEFAULT_KEY, help="the key that clients must have (default %(default)s)")
    found = parser.parse_args(arguments)
    if found.admin_tls_port is not None and found.admin_port is None:
        parser.error("--admin-tls-port needs --admin-port")
    return BrokerOptions(
        config=found.config,
        host=found.host,
        port=found.port,
        data=found.data,
        admin_port=found.admin_port,
        admin_tls_port=found.admin_tls_port,
        key_name=found.key_name,
        key=found.key,
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the emulator; 0 after a clean stop, 1 if it could not start."""
    options = options_from(sys.argv[1:] if arguments is None else arguments)
    try:
        asyncio.run(serve(options))
    except AosError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
