"""The one system of this worker process, built when the first invocation needs it."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from aos.config import AOSConfig
from aos.functions.garbage import collect_less_often

if TYPE_CHECKING:
    from aos.system import AgentOperatingSystem

_systems: dict[asyncio.AbstractEventLoop, AgentOperatingSystem] = {}
"""By loop: clients belong to the loop they were made in, and tests run several."""


def config() -> AOSConfig:
    """The configuration of this process."""
    return AOSConfig.load(environ=os.environ)


def system() -> AgentOperatingSystem:
    """The system of the running loop."""
    loop = asyncio.get_running_loop()
    found = _systems.get(loop)
    if found is None:
        from aos.composition import compose
        from aos.telemetry.logs import configure_logging

        settings = config()
        configure_logging(settings.log_level)
        for closed in [other for other in _systems if other.is_closed()]:
            del _systems[closed]
        found = _systems[loop] = compose(settings)
        collect_less_often()
    return found


async def close() -> None:
    """Close the system of the running loop, if there is one."""
    found = _systems.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.stop()
