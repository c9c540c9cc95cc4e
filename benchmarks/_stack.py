"""The embedded stack over the benchmark agents, with everything in memory or everything on disk."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aos
from aos.local.azurite.server import StoragePorts
from aos.local.stack import Stack, StackOptions

PROJECT = Path(aos.__file__).resolve().parent.parent
IN_MEMORY = "nothing: storage and bus keep their data in memory"
ON_DISK = "bus: every message, before it is accepted; storage: Azurite, which writes its tables every few seconds"


@asynccontextmanager
async def running_stack(*, in_memory: bool) -> AsyncIterator[Stack]:
    """A stack of its own, on free ports, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="aos-bench-") as home:
        options = StackOptions(
            app=PROJECT,
            home=Path(home),
            tools=PROJECT / ".aos",
            in_memory=in_memory,
            host_port=0,
            bus_port=0,
            storage_ports=StoragePorts(),
            settings={
                "AOS_ENVIRONMENT": "local",
                "AOS_AGENTS_PACKAGE": "benchmarks.agents",
                "AOS_LOG_LEVEL": "WARNING",
            },
        )
        async with Stack.start(options) as stack:
            yield stack
