"""Lists of what agents of one type do: rows go forward only, whoever wrote them last."""

from __future__ import annotations

from aos.testing import MemoryTableStore
from aos.workflows.newest_list import NewestList

ID = "20260131-093000-abcd1234"


async def test_a_row_never_goes_back_to_an_older_version() -> None:
    tables = MemoryTableStore()
    first, second = NewestList(tables, "things"), NewestList(tables, "things")
    for listed in (first, second):
        await first.write(ID, 2, {"status": "done"}, {"status": "done"})
        await listed.write(ID, 0, {"status": "new"}, {"status": "new"})
        assert await second.get(ID) == {"status": "done"}
    await second.write(ID, 3, {"status": "gone"}, {"status": "gone"})
    await first.write(ID, 4, {"status": "back"}, {"status": "back"})
    assert await second.page({"status": "back"}) == ([{"status": "back"}], None)
