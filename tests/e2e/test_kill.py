"""`kill -9` of the Functions host in the middle of traffic: nothing is lost, and nothing happens twice."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from aos.local.stack import Stack
from tests.e2e.conftest import caller, options
from tests.e2e.transfers import TransferLoad, audit

pytestmark = pytest.mark.asyncio(loop_scope="session")

KILLS = 3


async def test_a_host_killed_in_the_middle_of_traffic_loses_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(4)
    async with Stack.start(options(tmp_path)) as stack:
        load = TransferLoad(stack.bus_connection_string, accounts=12, window=24)
        running = asyncio.create_task(load.run())
        for _ in range(KILLS):
            await load.reached(load.done + chance.randint(20, 60))
            killed = time.monotonic()
            await stack.kill_host()
            await stack.host_ready()
            await load.settled(killed)
        load.last()
        async with asyncio.timeout(30):
            await running
        assert stack.host_restarts == KILLS
        async with caller(stack) as http:
            ledger = await audit(http, load)
    assert ledger.clean, ledger
    assert ledger.transfers >= KILLS * 20
    assert ledger.refused < ledger.transfers
