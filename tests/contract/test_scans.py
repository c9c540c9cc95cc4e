"""What a table store holds to when it is asked for many rows."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from aos.kernel.errors import InvalidInput
from aos.kernel.ports import Delete, Entity, Insert, TableStore, Value


async def fill(tables: TableStore, table: str, partition: str, values: Mapping[str, Mapping[str, Value]]) -> None:
    inserts = [Insert(Entity(partition, row, properties)) for row, properties in values.items()]
    for start in range(0, len(inserts), 100):
        await tables.commit(table, inserts[start : start + 100])


async def walk(tables: TableStore, table: str, partition: str, limit: int, **question: str) -> list[list[str]]:
    """The row keys of each page."""
    pages: list[list[str]] = []
    cursor: str | None = None
    while True:
        page = await tables.scan(table, partition, limit=limit, cursor=cursor, **question)  # type: ignore[arg-type]
        pages.append([entity.row for entity in page.entities])
        cursor = page.cursor
        if cursor is None:
            return pages


async def keys(tables: TableStore, table: str, partition: str, **question: str) -> list[str]:
    return [key for page in await walk(tables, table, partition, 1_000, **question) for key in page]


async def test_rows_come_in_the_order_of_utf_16_units(tables: TableStore, table: str, partition: str) -> None:
    ordered = [
        "",
        " ",
        "!",
        "/",
        "0",
        "10",
        "9",
        "?",
        "A",
        "Z",
        "a",
        "a/b",
        "a0",
        "~",
        "\x80",
        "é",
        "馬",
        "😀",
        "\uffee",
    ]
    await fill(tables, table, partition, {key: {"n": 1} for key in reversed(ordered)})
    assert await keys(tables, table, partition) == ordered
    for start, key in enumerate(ordered):
        assert await keys(tables, table, partition, first=key) == ordered[start:]
        assert await keys(tables, table, partition, before=key) == ordered[:start]


async def test_a_range_has_its_first_row_and_not_its_last(tables: TableStore, table: str, partition: str) -> None:
    await fill(tables, table, partition, {key: {"n": 1} for key in ("head", "j:1", "j:2", "j:3", "s:1")})
    assert await keys(tables, table, partition, first="j:1", before="j:3") == ["j:1", "j:2"]
    assert await keys(tables, table, partition, first="j:", before="j;") == ["j:1", "j:2", "j:3"]
    assert await keys(tables, table, partition, first="j:2", before="j:2") == []
    assert await keys(tables, table, partition, first="z") == []


async def test_a_scan_stays_in_its_partition(tables: TableStore, table: str, partition: str) -> None:
    await fill(tables, table, partition, {"a": {"n": 1}})
    await fill(tables, table, partition + "0", {"b": {"n": 1}})
    assert await keys(tables, table, partition) == ["a"]


@pytest.mark.parametrize("limit", [1, 3, 10, 25, 26])
async def test_pages_give_every_row_once(tables: TableStore, table: str, partition: str, limit: int) -> None:
    await fill(tables, table, partition, {f"{n:02}": {"n": n} for n in range(25)})
    pages = await walk(tables, table, partition, limit)
    assert [key for page in pages for key in page] == [f"{n:02}" for n in range(25)]
    assert all(len(page) <= limit for page in pages)


async def test_pages_stay_in_the_range(tables: TableStore, table: str, partition: str) -> None:
    await fill(tables, table, partition, {f"{n:02}": {"n": n} for n in range(20)})
    pages = await walk(tables, table, partition, 2, first="05", before="12")
    assert [key for page in pages for key in page] == [f"{n:02}" for n in range(5, 12)]


async def test_a_cursor_stays_good_while_rows_come_and_go(tables: TableStore, table: str, partition: str) -> None:
    await fill(tables, table, partition, {f"{n:02}": {"n": n} for n in range(0, 20, 2)})
    page = await tables.scan(table, partition, limit=4)
    assert [entity.row for entity in page.entities] == ["00", "02", "04", "06"]
    await tables.commit(
        table,
        [
            Delete(partition, "02"),
            Delete(partition, "08"),
            Insert(Entity(partition, "01", {"n": 1})),
            Insert(Entity(partition, "19", {"n": 19})),
        ],
    )
    assert page.cursor is not None
    rest = await tables.scan(table, partition, cursor=page.cursor)
    assert [entity.row for entity in rest.entities] == ["10", "12", "14", "16", "18", "19"]


async def test_an_answer_holds_a_thousand_rows_at_most(tables: TableStore, table: str, partition: str) -> None:
    await fill(tables, table, partition, {f"{n:04}": {"n": n} for n in range(1_050)})
    pages = await walk(tables, table, partition, 1_000)
    assert [len(page) for page in pages] == [1_000, 50]


@pytest.mark.parametrize("limit", [0, -1, 1_001])
async def test_a_page_has_1_to_1000_rows(tables: TableStore, table: str, partition: str, limit: int) -> None:
    with pytest.raises(InvalidInput):
        await tables.scan(table, partition, limit=limit)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"state": "open"}, ["a", "c"]),
        ({"state": "it's"}, ["d"]),
        ({"n": 1}, ["a"]),
        ({"n": 2**40}, ["c"]),
        ({"n": -1}, ["d"]),
        ({"live": True}, ["a", "c"]),
        ({"live": False}, ["b"]),
        ({"state": "open", "live": True, "n": 1}, ["a"]),
        ({"state": "Open"}, []),
        ({"state": "x' or n eq 1 or state eq 'y"}, []),
        ({"missing": "x"}, []),
        ({"only": "here"}, ["d"]),
    ],
)
async def test_rows_can_be_asked_for_by_value(
    tables: TableStore, table: str, partition: str, where: dict[str, str | int | bool], expected: list[str]
) -> None:
    await fill(
        tables,
        table,
        partition,
        {
            "a": {"state": "open", "n": 1, "live": True},
            "b": {"state": "done", "n": 2, "live": False},
            "c": {"state": "open", "n": 2**40, "live": True},
            "d": {"state": "it's", "n": -1, "only": "here"},
        },
    )
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await tables.scan(table, partition, where=where, limit=2, cursor=cursor)
        found += [entity.row for entity in page.entities]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == expected


MISMATCHES: dict[str, dict[str, str | int | bool]] = {
    "1_for_true": {"live": 1},
    "true_for_1": {"n": True},
    "text_for_1": {"n": "1"},
}


@pytest.mark.parametrize("mismatch", MISMATCHES)
async def test_a_value_of_another_type_is_not_equal(
    tables: TableStore, table: str, partition: str, mismatch: str
) -> None:
    await fill(tables, table, partition, {"a": {"n": 1, "live": True}})
    page = await tables.scan(table, partition, where=MISMATCHES[mismatch])
    assert page.entities == []
