"""All rows of a range, over more than one page."""

from __future__ import annotations

from aos.kernel.ports import Entity, Insert
from aos.kernel.scanning import all_rows
from aos.testing import MemoryTableStore


async def test_all_rows_of_a_range_are_read_page_by_page() -> None:
    tables = MemoryTableStore()
    for number in range(1_201):
        await tables.commit("things", [Insert(Entity("p", f"{number:05d}", {"n": number}))])
    rows = await all_rows(tables, "things", "p")
    assert [row.values["n"] for row in rows] == list(range(1_201))
    assert [row.row for row in await all_rows(tables, "things", "p", first="00002", before="00004")] == [
        "00002",
        "00003",
    ]
    assert await all_rows(tables, "things", "nobody") == []
