from __future__ import annotations

from datetime import date

import pytest

from aos.llm import errors as e
from aos.llm.prices import Price
from aos.llm.request import ModelRequest
from aos.llm.response import Usage
from aos.llm.router_settings import RouterSettings
from aos.llm.spending import SpendingEntry, SpendingLog, recommendations, summarize
from aos.testing.clock import SeededIds, VirtualClock
from aos.testing.tables import MemoryTableStore
from tests.llm.scripted import profile, stage

ASK = ModelRequest.ask("Hello", max_tokens=100)
DAY = date(2026, 1, 1)


async def test_each_try_is_written_down() -> None:
    price = Price(provider="a", model="a-1", input=1, output=1, since=date(2025, 1, 1))
    scene = stage(
        profile("a"),
        profile("b", priority=60),
        tables=MemoryTableStore(),
        settings=RouterSettings(record_spending=True, prices=(price,)),
    )
    await scene.router.complete(ASK)
    scene.script.plays["a"] = [e.ModelTimedOut("slow")]
    await scene.router.complete(ASK)
    assert scene.router.spending is not None
    found = await scene.router.spending.summary(DAY, DAY)
    assert (found.total_requests, found.total_tokens) == (3, 3_000)
    assert found.total_cost_usd == pytest.approx(0.0015)
    assert found.requests_of_unknown_cost == 1
    assert found.requests_by_provider == {"a": 2, "b": 1}
    entries = await scene.router.spending.entries(DAY)
    assert [(each.provider, each.success) for each in entries] == [("a", True), ("a", False), ("b", True)]


async def test_entries_are_kept_for_a_month() -> None:
    clock, tables = VirtualClock(), MemoryTableStore()
    log = SpendingLog(tables, clock, SeededIds())
    await log.record("a", "m", Usage(input_tokens=1), 0.1, 1.0, success=True)
    clock.advance(30 * 86_400)
    assert await log.prune() == 0
    clock.advance(86_400)
    assert await log.prune() == 1
    assert await log.entries(DAY) == []


def test_advice() -> None:
    entry = SpendingEntry("r", "t", "a", "m", 2_000, 1_000, 3_000, 60.0, 10.0, success=True)
    found = recommendations(summarize([entry], DAY, DAY), today_usd=81.0)
    assert [each["type"] for each in found] == ["model_optimization", "token_optimization", "budget_alert"]
    assert recommendations(summarize([], DAY, DAY), today_usd=0) == []
