"""Waiting for something that nobody announces: looking again, more and more rarely, for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Seen = TypeVar("Seen")

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_GROWTH = 1.5


async def look_until(enough: Callable[[Seen], bool], look: Callable[[], Awaitable[Seen]], *, seconds: float) -> Seen:
    """Look until what is seen is enough or the time is up.

    Args:
        enough: Whether what was seen will do.
        look: Looks; whatever it raises ends the waiting.
        seconds: How long to go on looking; with 0 there is one look.

    Returns:
        What the last look showed.
    """
    time = asyncio.get_running_loop().time
    until, pause = time() + seconds, _FIRST_PAUSE
    while True:
        seen = await look()
        left = until - time()
        if left <= 0 or enough(seen):
            return seen
        await asyncio.sleep(min(pause, left))
        pause = min(pause * _GROWTH, _LONGEST_PAUSE)
