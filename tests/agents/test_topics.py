from __future__ import annotations

import pytest
from pydantic import BaseModel

from aos.agents import Agent, Turn, on_event
from aos.agents.topics import best, matches
from tests.harness import MemorySystem


class Log(BaseModel):
    heard: list[str] = []


class Watcher(Agent[Log]):
    type = "watcher"

    @on_event("orders.*")
    async def order(self, turn: Turn, state: Log, data: str) -> None:
        state.heard.append(f"order {data}")

    @on_event("orders.placed")
    async def placed(self, turn: Turn, state: Log, data: str) -> None:
        state.heard.append(f"placed {data}")

    @on_event("stock.#")
    async def stock(self, turn: Turn, state: Log, data: str) -> None:
        state.heard.append(f"stock {data}")


async def test_events_reach_the_handler_whose_pattern_says_most() -> None:
    world = MemorySystem(Watcher())
    for topic in ("orders.placed", "orders.sent", "orders.sent.late", "orders", "stock", "stock.eu.low", "news"):
        await world.system.messages.publish(topic, "it.happened", topic)
    await world.settle()
    heard = (await world.state("watcher"))["heard"]
    assert heard == ["placed orders.placed", "order orders.sent", "stock stock", "stock stock.eu.low"]


@pytest.mark.parametrize(
    ("pattern", "topic", "fits"),
    [
        ("a.b", "a.b", True),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("*.b", "a.b", True),
        ("#", "a.b.c", True),
        ("a.#", "a", True),
        ("a.#.c", "a.b.x.c", True),
        ("a.#.c", "a.b", False),
        ("*", "a.b", False),
    ],
)
def test_patterns(pattern: str, topic: str, fits: bool) -> None:
    assert matches(pattern, topic) is fits


def test_the_best_pattern_has_most_words_of_its_own() -> None:
    assert best(["#", "a.*", "a.b"], "a.b") == "a.b"
    assert best(["#", "a.*"], "a.b") == "a.*"
    assert best(["b.*"], "a.b") is None
