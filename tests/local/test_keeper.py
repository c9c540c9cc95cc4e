from __future__ import annotations

import asyncio

import pytest

from aos.kernel.errors import BusUnavailable
from aos.local.keeper import Keeper


class FakeServer:
    name = "The server"

    def __init__(self) -> None:
        self.launches = 0
        self.failing = 0
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def launch(self) -> None:
        self.launches += 1
        if self.failing:
            self.failing -= 1
            raise BusUnavailable("no")
        self.ended = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)

    async def stop(self) -> None:
        await self.kill()

    async def kill(self) -> None:
        if not self.ended.done():
            self.ended.set_result(-9)


async def test_a_server_that_dies_is_started_again_with_growing_pauses_and_a_word_about_it() -> None:
    server, said, pauses = FakeServer(), list[str](), list[float]()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    keeper = Keeper(server, said.append, sleep)
    await keeper.start()
    server.failing = 2
    await keeper.kill()
    await keeper.ready()
    await keeper.kill()
    await keeper.ready()
    await keeper.stop()
    assert (server.launches, keeper.restarts) == (5, 2)
    assert pauses == [0.2, 0.4, 0.8, 1.6]
    assert said[0] == "The server ended unexpectedly (signal 9); starting it again."
    assert said.count("The server is back.") == 2


async def test_a_server_that_is_stopped_stays_so() -> None:
    server, said = FakeServer(), list[str]()
    keeper = Keeper(server, said.append)
    await keeper.start()
    await keeper.stop()
    await asyncio.sleep(0)
    assert (server.launches, said) == (1, [])
    await keeper.start()
    await keeper.stop()
    assert server.launches == 2


async def test_a_first_start_that_fails_is_the_callers() -> None:
    server = FakeServer()
    server.failing = 1
    keeper = Keeper(server, lambda _: None)
    with pytest.raises(BusUnavailable):
        await keeper.start()
    await keeper.stop()
