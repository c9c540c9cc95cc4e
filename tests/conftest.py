"""Servers that many tests share, started once and only when a test asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from aos.local.azurite import Azurite

AOS_HOME = Path(__file__).resolve().parents[1] / ".aos"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def azurite() -> AsyncIterator[str]:
    """The connection string of a storage emulator in memory. Tests share it: use names of your own."""
    async with Azurite.start(home=AOS_HOME) as server:
        yield server.connection_string
