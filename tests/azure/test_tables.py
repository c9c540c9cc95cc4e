from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from aos.azure.tables import AzureTableStore
from aos.kernel.errors import Conflict, InvalidInput, PayloadTooLarge
from aos.kernel.meter import metered
from aos.kernel.ports import Delete, Entity, Insert, Operation, Replace, Upsert, Value


def row(key: str, **values: Value) -> Entity:
    return Entity("p", key, values)


async def test_nothing_is_found_where_no_table_is(tables: AzureTableStore) -> None:
    assert await tables.get("agents", "p", "head") is None
    assert (await tables.scan("agents", "p")).entities == []


async def test_every_type_of_value_comes_back(tables: AzureTableStore) -> None:
    values: dict[str, Value] = {
        "text": "plain",
        "empty": "",
        "odd": "a\x00\n€\U0001f600 \\ \"'",
        "number": 5,
        "big": 2**63 - 1,
        "small": -(2**63),
        "real": 2.5,
        "round": 3.0,
        "huge": 1e300,
        "endless": float("inf"),
        "yes": True,
        "no": False,
        "data": b"\x00\xff",
        "nothing": b"",
        "when": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "whole": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    }
    etags = await tables.commit("agents", [Insert(row("r", **values))])
    found = await tables.get("agents", "p", "r")
    assert found is not None
    assert found.values == values
    assert {name: type(value) for name, value in found.values.items()} == {
        name: type(value) for name, value in values.items()
    }
    assert found.etag == etags[0]
    assert found.etag


async def test_a_time_of_another_zone_comes_back_in_utc(tables: AzureTableStore) -> None:
    there = datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=5)))
    await tables.commit("agents", [Upsert(row("r", at=there))])
    found = await tables.get("agents", "p", "r")
    assert found is not None
    assert found.values["at"] == there
    assert found.values["at"].tzinfo is UTC  # type: ignore[union-attr]  # it is a datetime


async def test_keys_of_any_text(tables: AzureTableStore) -> None:
    for key in ("a/b\\c#d?e", "100% 'sure'", "~\x7f\x01", "schön € \U0001f600", "+&="):
        await tables.commit("agents", [Insert(Entity(key, key, {"n": 1}))])
        found = await tables.get("agents", key, key)
        assert found is not None
        assert (found.partition, found.row) == (key, key)
        assert [entity.row for entity in (await tables.scan("agents", key)).entities] == [key]


async def test_single_operations(tables: AzureTableStore) -> None:
    first = await tables.commit("agents", [Insert(row("r", n=1))])
    with pytest.raises(Conflict):
        await tables.commit("agents", [Insert(row("r", n=2))])
    second = await tables.commit("agents", [Replace(row("r", m=2), first[0] or "")])
    with pytest.raises(Conflict):
        await tables.commit("agents", [Replace(row("r", n=3), first[0] or "")])
    found = await tables.get("agents", "p", "r")
    assert found is not None
    assert found.values == {"m": 2}, "a replaced row keeps nothing of what it was"
    assert found.etag == second[0] != first[0]
    assert (await tables.commit("agents", [Upsert(row("r", k=4))]))[0] not in {None, first[0], second[0]}
    with pytest.raises(Conflict):
        await tables.commit("agents", [Delete("p", "r", first[0])])
    assert await tables.commit("agents", [Delete("p", "r")]) == [None]
    assert await tables.get("agents", "p", "r") is None


@pytest.mark.parametrize("operation", [Delete("p", "absent"), Delete("p", "absent", 'W/"x"')])
async def test_a_row_that_is_not_there_cannot_be_deleted(tables: AzureTableStore, operation: Delete) -> None:
    with pytest.raises(Conflict):
        await tables.commit("agents", [operation])
    await tables.commit("agents", [Insert(row("r"))])
    with pytest.raises(Conflict):
        await tables.commit("agents", [operation])
    with pytest.raises(Conflict):
        await tables.commit("agents", [operation, Insert(row("q"))])
    assert await tables.get("agents", "p", "q") is None


async def test_a_row_that_is_not_there_cannot_be_replaced(tables: AzureTableStore) -> None:
    with pytest.raises(Conflict):
        await tables.commit("agents", [Replace(row("absent"), 'W/"x"')])


async def test_a_transaction_is_all_or_nothing(tables: AzureTableStore) -> None:
    etags = await tables.commit("agents", [Insert(row("head", n=1)), Insert(row("j:1")), Upsert(row("k"))])
    assert all(etags)
    with pytest.raises(Conflict):
        await tables.commit("agents", [Replace(row("head", n=2), etags[0] or ""), Insert(row("j:1"))])
    with pytest.raises(Conflict):
        await tables.commit("agents", [Replace(row("head", n=2), 'W/"stale"'), Insert(row("j:2"))])
    found = await tables.get("agents", "p", "head")
    assert found is not None
    assert found.values == {"n": 1}
    assert await tables.get("agents", "p", "j:2") is None
    again = await tables.commit(
        "agents", [Replace(row("head", n=2), etags[0] or ""), Delete("p", "k"), Insert(row("j:2"))]
    )
    assert again[1] is None
    found = await tables.get("agents", "p", "head")
    assert found is not None
    assert found.etag == again[0]


async def test_of_many_writers_with_one_etag_one_wins(tables: AzureTableStore) -> None:
    etag = (await tables.commit("agents", [Insert(row("head", n=0))]))[0] or ""
    tries = [tables.commit("agents", [Replace(row("head", n=n), etag), Insert(row(f"j:{n}"))]) for n in range(8)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, list) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 7
    assert len((await tables.scan("agents", "p", first="j:", before="j;")).entities) == 1


async def test_the_limits_are_checked_before_sending(azurite: str, tables: AzureTableStore) -> None:
    many: list[Operation] = [Upsert(row(f"r{n:03}")) for n in range(101)]
    with metered() as usage:
        refused: list[list[Operation]] = [
            [],
            many,
            [Upsert(row("r")), Delete("p", "r")],
            [Upsert(row("r")), Delete("q", "r")],
        ]
        for operations in refused:
            with pytest.raises(InvalidInput):
                await tables.commit("agents", operations)
        for values in ({"s": "x" * 32_769}, {"b": b"x" * 65_537}, {f"b{n}": b"x" * 65_536 for n in range(17)}):
            with pytest.raises(PayloadTooLarge):
                await tables.commit("agents", [Upsert(row("r", **values))])
        full: dict[str, Value] = {f"b{n}": b"x" * 60_000 for n in range(8)}
        with pytest.raises(PayloadTooLarge):
            await tables.commit("agents", [Upsert(Entity("p", f"r{n}", full)) for n in range(8)])
        odd: list[dict[str, object]] = [
            {"naive": datetime(2026, 1, 1)},  # noqa: DTZ001  # refused for it
            {"old": datetime(1600, 1, 1, tzinfo=UTC)},
            {"n": 2**63},
            {"none": None},
            {"list": []},
            {"Timestamp": 1},
            {"a b": 1},
            {"x" * 256: 1},
            {f"n{n}": n for n in range(253)},
            {"s": "\ud800"},
        ]
        for wrong in odd:
            with pytest.raises(InvalidInput):
                await tables.commit("agents", [Upsert(Entity("p", "r", wrong))])  # type: ignore[arg-type]  # on purpose
        for table in ("-", "a-b", "", "a" * 64):
            with pytest.raises(InvalidInput):
                await AzureTableStore.from_connection_string(azurite).get(table, "p", "r")
    assert usage.table_operations == 0


async def test_what_just_fits_is_taken(tables: AzureTableStore) -> None:
    await tables.commit("agents", [Upsert(row(f"r{n:03}", s="€" * 8_000)) for n in range(80)])
    await tables.commit("agents", [Upsert(row("s", s="x" * 32_768, b=b"x" * 65_536))])
    found = await tables.get("agents", "p", "s")
    assert found is not None
    assert found.values["b"] == b"x" * 65_536


async def test_scan_is_a_range_in_order_with_filters_and_pages(tables: AzureTableStore) -> None:
    for start in (0, 100):
        await tables.commit(
            "agents",
            [
                Upsert(row(f"r{n:03}", even=n % 2 == 0, mod=n % 5, name=f"it's {n % 3}"))
                for n in range(start, start + 100)
            ],
        )
    await tables.commit("agents", [Upsert(Entity("q", "r050", {"even": True}))])
    page = await tables.scan("agents", "p", first="r010", before="r020")
    assert [entity.row for entity in page.entities] == [f"r{n:03}" for n in range(10, 20)]
    assert page.cursor is None
    rows, cursor, pages = [], None, 0
    while True:
        page = await tables.scan(
            "agents", "p", first="r001", where={"even": True, "mod": 2, "name": "it's 0"}, limit=3, cursor=cursor
        )
        rows += [entity.row for entity in page.entities]
        cursor, pages = page.cursor, pages + 1
        assert len(page.entities) <= 3
        if cursor is None:
            break
    assert rows == [f"r{n:03}" for n in range(200) if n % 2 == 0 and n % 5 == 2 and n % 3 == 0]
    assert pages > 1


async def test_scan_keeps_the_order_of_awkward_rows(tables: AzureTableStore) -> None:
    keys = ["a", "a b", "a/b", "a.b", "a#", 'a"', "a~", "a\x01", "aé", "a[", "a\\", "a>", "a?", "a%"]
    await tables.commit("agents", [Upsert(row(key)) for key in keys])
    page = await tables.scan("agents", "p")
    assert [entity.row for entity in page.entities] == sorted(keys)
    page = await tables.scan("agents", "p", first="a#", before="a?")
    assert [entity.row for entity in page.entities] == [key for key in sorted(keys) if "a#" <= key < "a?"]


@pytest.mark.parametrize(
    "asked", [{"limit": 0}, {"limit": 1_001}, {"cursor": "?"}, {"cursor": "bm8="}, {"where": {"a b": 1}}]
)
async def test_scan_refuses_what_it_cannot_do(tables: AzureTableStore, asked: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        await tables.scan("agents", "p", **asked)  # type: ignore[arg-type]  # on purpose


async def test_each_call_costs_one_transaction_once_the_table_is_there(tables: AzureTableStore) -> None:
    with metered() as first:
        await tables.commit("agents", [Insert(row("head", text="x" * 1_000))])
    assert first.table_operations == 3, "a refusal, the making of the table, and the write again"
    with metered() as usage:
        await tables.get("agents", "p", "head")
    assert usage.table_operations == 1
    assert usage.bytes_read > 1_000
    assert usage.bytes_written == 0
    with metered() as usage:
        await tables.commit("agents", [Upsert(row("head", text="x" * 5_000)), Insert(row("j:1"))])
    assert usage.table_operations == 1
    assert usage.bytes_written > 5_000
    with metered() as usage:
        await tables.commit("agents", [Delete("p", "head")])
        await tables.scan("agents", "p")
    assert usage.table_operations == 2


async def test_many_may_make_the_table_at_once(tables: AzureTableStore) -> None:
    await asyncio.gather(*(tables.commit("agents", [Insert(row(f"r{n}"))]) for n in range(8)))
    assert len((await tables.scan("agents", "p")).entities) == 8


async def test_prefixes_keep_stores_apart(azurite: str, tables: AzureTableStore, unique: str) -> None:
    other = AzureTableStore.from_connection_string(azurite, prefix=f"{unique}x")
    await tables.commit("agents", [Insert(row("r"))])
    assert await other.get("agents", "p", "r") is None
    await other.close()


def test_each_event_loop_has_a_client_of_its_own(azurite: str, unique: str) -> None:
    store = AzureTableStore.from_connection_string(azurite, prefix=unique)

    async def use() -> list[str | None]:
        written = await store.commit("agents", [Upsert(row("r"))])
        await store.close()
        return written

    assert asyncio.run(use())[0]
    assert asyncio.run(use())[0]
