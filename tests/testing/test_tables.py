"""What the tables in memory add to the contract: looking at what a test left behind."""

from __future__ import annotations

from aos.kernel import meter
from aos.kernel.ports import Entity, Insert
from aos.testing import MemoryTableStore


async def test_entities_shows_a_table_in_order_and_costs_nothing() -> None:
    tables = MemoryTableStore()
    etags = [
        (await tables.commit("Agents", [Insert(Entity(partition, row, {"n": 1}))]))[0]
        for partition, row in (("b", "1"), ("a", "2"), ("a", "1"))
    ]
    with meter.metered() as usage:
        found = tables.entities("agents")
    assert usage.to_json() == {}
    assert [(entity.partition, entity.row) for entity in found] == [("a", "1"), ("a", "2"), ("b", "1")]
    assert [entity.etag for entity in found] == [etags[2], etags[1], etags[0]]
    assert tables.tables() == ["agents"]
    assert tables.entities("other") == []


async def test_a_page_may_be_short_and_still_not_be_the_last() -> None:
    """As on Azure, an answer ends after a thousand rows looked at, however few of them match."""
    tables = MemoryTableStore()
    for start in range(0, 2_500, 100):
        rows = [Entity("p", f"{n:04}", {"last": n == 2_499}) for n in range(start, start + 100)]
        await tables.commit("agents", [Insert(row) for row in rows])
    first = await tables.scan("agents", "p", where={"last": True})
    second = await tables.scan("agents", "p", where={"last": True}, cursor=first.cursor)
    third = await tables.scan("agents", "p", where={"last": True}, cursor=second.cursor)
    assert [len(page.entities) for page in (first, second, third)] == [0, 0, 1]
    assert first.cursor is not None
    assert second.cursor is not None
    assert third.cursor is None
