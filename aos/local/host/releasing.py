"""Giving things back to a bus that may be gone already."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from aos.kernel.errors import AosError
from aos.local.host.source import Settling
from aos.local.servicebus.client.received import ReceivedMessage

_logger = logging.getLogger(__name__)
_PATIENCE = 5.0


async def close_quietly(settling: Settling) -> None:
    """Close a receiver. If that fails the bus finds out by itself, when the connection or the lock ends."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await settling.close()
    except (AosError, OSError, TimeoutError) as error:
        _logger.debug("a receiver was not closed cleanly", extra={"reason": repr(error)})


async def release_quietly(settling: Settling, messages: Sequence[ReceivedMessage]) -> None:
    """Give messages back untouched. If that fails their lock runs out instead."""
    try:
        await settling.release(messages)
    except AosError as error:
        _logger.debug("messages were not released", extra={"reason": error.code})
