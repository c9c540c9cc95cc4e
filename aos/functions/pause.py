"""A pause before a failed message goes back to the bus, which would hand it out again at once.

Without it an outage of some seconds uses up a message's deliveries, and what only had to wait is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aos.kernel.errors import Conflict, LockLost

FIRST = 0.5
LONGEST = 30.0
"""Seconds. With ten deliveries the pauses add up to about two and a half minutes."""


def seconds_before(delivery_count: int, error: Exception) -> float:
    """How long to wait after delivery number `delivery_count` (from 1) failed with `error`.

    Who lost a race for an agent does not wait the first time: the winner is done already.
    """
    if delivery_count <= 1 and isinstance(error, Conflict | LockLost):
        return 0.0
    return min(LONGEST, FIRST * 2.0 ** min(delivery_count - 1, 16))


@asynccontextmanager
async def pausing(delivery_count: int | None) -> AsyncIterator[None]:
    """Run an invocation; where it fails, wait before the error goes on to the host."""
    try:
        yield
    except Exception as error:
        await asyncio.sleep(seconds_before(delivery_count or 1, error))
        raise
