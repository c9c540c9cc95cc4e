"""What a table store holds to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from aos.kernel import meter
from aos.kernel.errors import Conflict, InvalidInput, PayloadTooLarge
from aos.kernel.ports import Delete, Entity, Insert, Operation, Replace, TableStore, Upsert, Value

EVERY_TYPE: dict[str, Value] = {
    "text": "line\nand 'quotes' and \"more\"",
    "empty": "",
    "unicode": "žluťoučký 馬 😀 \u2028",
    "small": 7,
    "negative": -1,
    "large": 2**53 + 1,
    "largest": 2**63 - 1,
    "least": -(2**63),
    "yes": True,
    "no": False,
    "half": 0.5,
    "whole_float": 3.0,
    "tiny": 5e-324,
    "binary": bytes(range(256)),
    "no_bytes": b"",
    "moment": datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC),
    "epoch": datetime(1970, 1, 1, tzinfo=UTC),
}


async def insert(tables: TableStore, table: str, partition: str, row: str, **values: Value) -> str:
    etag = (await tables.commit(table, [Insert(Entity(partition, row, values))]))[0]
    assert etag is not None
    return etag


async def rows(tables: TableStore, table: str, partition: str) -> dict[str, dict[str, Value]]:
    page = await tables.scan(table, partition, limit=1_000)
    return {entity.row: dict(entity.values) for entity in page.entities}


async def test_a_row_that_is_not_there_is_none(tables: TableStore, table: str, partition: str) -> None:
    assert await tables.get(table, partition, "nothing") is None


async def test_a_table_that_was_never_written_to_is_empty(tables: TableStore, partition: str) -> None:
    assert await tables.get("neverwritten", partition, "row") is None
    assert (await tables.scan("neverwritten", partition)).entities == []


async def test_values_keep_their_types(tables: TableStore, table: str, partition: str) -> None:
    await insert(tables, table, partition, "row", **EVERY_TYPE)
    found = await tables.get(table, partition, "row")
    assert found is not None
    assert found.values == EVERY_TYPE
    assert {name: type(value) for name, value in found.values.items()} == {
        name: type(value) for name, value in EVERY_TYPE.items()
    }
    assert (await rows(tables, table, partition))["row"] == EVERY_TYPE


async def test_a_time_comes_back_in_utc(tables: TableStore, table: str, partition: str) -> None:
    elsewhere = datetime(2026, 1, 1, 9, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    await insert(tables, table, partition, "row", moment=elsewhere)
    found = await tables.get(table, partition, "row")
    assert found is not None
    moment = found.values["moment"]
    assert isinstance(moment, datetime)
    assert moment == elsewhere
    assert moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "key",
    ["a/b", "a\\b", "a#b", "a?b", "100%", "50%2F", "it's", "tab\tnew\nline", "é馬😀", "  ", "+", "a\x7fb\x85", "&<>"],
)
async def test_keys_may_be_any_text(tables: TableStore, table: str, partition: str, key: str) -> None:
    etag = (await tables.commit(table, [Insert(Entity(partition + key, key, {"n": 1}))]))[0]
    found = await tables.get(table, partition + key, key)
    assert found == Entity(partition + key, key, {"n": 1}, etag)
    page = await tables.scan(table, partition + key)
    assert [(entity.partition, entity.row) for entity in page.entities] == [(partition + key, key)]
    await tables.commit(table, [Delete(partition + key, key, etag)])
    assert await tables.get(table, partition + key, key) is None


async def test_case_matters_in_keys(tables: TableStore, table: str, partition: str) -> None:
    await insert(tables, table, partition, "Row", n=1)
    await insert(tables, table, partition, "row", n=2)
    assert await rows(tables, table, partition) == {"Row": {"n": 1}, "row": {"n": 2}}


async def test_every_write_gives_a_new_etag(tables: TableStore, table: str, partition: str) -> None:
    seen = [await insert(tables, table, partition, "row", n=1)]
    for _ in range(3):
        entity = Entity(partition, "row", {"n": 1})
        etag = (await tables.commit(table, [Replace(entity, seen[-1])]))[0]
        assert etag is not None
        seen.append(etag)
    upserted = (await tables.commit(table, [Upsert(Entity(partition, "row", {"n": 1}))]))[0]
    assert len({*seen, upserted}) == 5
    found = await tables.get(table, partition, "row")
    assert found is not None
    assert found.etag == upserted
    assert (await tables.scan(table, partition)).entities[0].etag == upserted


async def test_etags_of_a_transaction_are_those_of_its_rows_in_order(
    tables: TableStore, table: str, partition: str
) -> None:
    await insert(tables, table, partition, "old", n=1)
    etags = await tables.commit(
        table,
        [
            Insert(Entity(partition, "b", {"n": 1})),
            Delete(partition, "old"),
            Upsert(Entity(partition, "a", {"n": 2})),
        ],
    )
    assert etags[1] is None
    for row, etag in (("b", etags[0]), ("a", etags[2])):
        found = await tables.get(table, partition, row)
        assert found is not None
        assert found.etag == etag


async def test_an_insert_of_what_exists_conflicts(tables: TableStore, table: str, partition: str) -> None:
    await insert(tables, table, partition, "row", n=1)
    with pytest.raises(Conflict):
        await insert(tables, table, partition, "row", n=2)
    assert await rows(tables, table, partition) == {"row": {"n": 1}}


async def test_a_replace_takes_the_place_of_the_whole_row(tables: TableStore, table: str, partition: str) -> None:
    etag = await insert(tables, table, partition, "row", n=1, gone="x")
    await tables.commit(table, [Replace(Entity(partition, "row", {"n": 2}), etag)])
    assert await rows(tables, table, partition) == {"row": {"n": 2}}


async def test_a_replace_of_what_has_changed_conflicts(tables: TableStore, table: str, partition: str) -> None:
    stale = await insert(tables, table, partition, "row", n=1)
    await tables.commit(table, [Replace(Entity(partition, "row", {"n": 2}), stale)])
    with pytest.raises(Conflict):
        await tables.commit(table, [Replace(Entity(partition, "row", {"n": 3}), stale)])
    assert await rows(tables, table, partition) == {"row": {"n": 2}}


async def test_a_replace_of_what_is_gone_conflicts(tables: TableStore, table: str, partition: str) -> None:
    etag = await insert(tables, table, partition, "row", n=1)
    await tables.commit(table, [Delete(partition, "row")])
    with pytest.raises(Conflict):
        await tables.commit(table, [Replace(Entity(partition, "row", {"n": 2}), etag)])
    assert await tables.get(table, partition, "row") is None


async def test_an_upsert_writes_in_any_case(tables: TableStore, table: str, partition: str) -> None:
    await tables.commit(table, [Upsert(Entity(partition, "row", {"n": 1, "gone": "x"}))])
    await tables.commit(table, [Upsert(Entity(partition, "row", {"n": 2}))])
    assert await rows(tables, table, partition) == {"row": {"n": 2}}


async def test_a_delete_of_what_is_not_there_conflicts(tables: TableStore, table: str, partition: str) -> None:
    await insert(tables, table, partition, "other", n=1)
    with pytest.raises(Conflict):
        await tables.commit(table, [Delete(partition, "row")])
    with pytest.raises(Conflict):
        await tables.commit(table, [Delete(partition, "row"), Delete(partition, "other")])
    assert await rows(tables, table, partition) == {"other": {"n": 1}}


async def test_a_delete_of_what_has_changed_conflicts(tables: TableStore, table: str, partition: str) -> None:
    stale = await insert(tables, table, partition, "row", n=1)
    fresh = (await tables.commit(table, [Replace(Entity(partition, "row", {"n": 2}), stale)]))[0]
    with pytest.raises(Conflict):
        await tables.commit(table, [Delete(partition, "row", stale)])
    assert await tables.commit(table, [Delete(partition, "row", fresh)]) == [None]
    assert await rows(tables, table, partition) == {}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("fault", ["insert", "replace", "delete", "stale delete"])
async def test_a_transaction_is_all_or_nothing(
    tables: TableStore, table: str, partition: str, fault: str, place: int
) -> None:
    stale = await insert(tables, table, partition, "there", n=1)
    kept = await insert(tables, table, partition, "kept", n=1)
    await tables.commit(table, [Replace(Entity(partition, "there", {"n": 2}), stale)])
    bad: dict[str, Operation] = {
        "insert": Insert(Entity(partition, "there", {"n": 3})),
        "replace": Replace(Entity(partition, "there", {"n": 3}), stale),
        "delete": Delete(partition, "missing"),
        "stale delete": Delete(partition, "there", stale),
    }
    operations: list[Operation] = [
        Insert(Entity(partition, "new", {"n": 3})),
        Replace(Entity(partition, "kept", {"n": 3}), kept),
    ]
    operations.insert(place, bad[fault])
    with pytest.raises(Conflict):
        await tables.commit(table, operations)
    assert await rows(tables, table, partition) == {"there": {"n": 2}, "kept": {"n": 1}}


async def test_a_transaction_takes_a_hundred_operations(tables: TableStore, table: str, partition: str) -> None:
    inserts = [Insert(Entity(partition, f"{n:03}", {"n": n})) for n in range(101)]
    with pytest.raises(InvalidInput):
        await tables.commit(table, inserts)
    assert await rows(tables, table, partition) == {}
    assert len(await tables.commit(table, inserts[:100])) == 100
    assert len(await rows(tables, table, partition)) == 100


async def test_an_empty_transaction_is_refused(tables: TableStore, table: str) -> None:
    with pytest.raises(InvalidInput):
        await tables.commit(table, [])


async def test_a_transaction_stays_in_its_partition(tables: TableStore, table: str, partition: str) -> None:
    with pytest.raises(InvalidInput):
        await tables.commit(
            table, [Insert(Entity(partition, "row", {"n": 1})), Insert(Entity(partition + "x", "row", {"n": 1}))]
        )
    assert await rows(tables, table, partition) == {}


async def test_a_transaction_touches_a_row_once(tables: TableStore, table: str, partition: str) -> None:
    etag = await insert(tables, table, partition, "row", n=1)
    with pytest.raises(InvalidInput):
        await tables.commit(table, [Replace(Entity(partition, "row", {"n": 2}), etag), Delete(partition, "row")])
    assert await rows(tables, table, partition) == {"row": {"n": 1}}


@pytest.mark.parametrize("fits", ["x" * 32_768, "é" * 32_768, "😀" * 16_384, b"x" * 65_536])
async def test_a_property_may_have_64_kib(tables: TableStore, table: str, partition: str, fits: str | bytes) -> None:
    await insert(tables, table, partition, "row", data=fits)
    assert await rows(tables, table, partition) == {"row": {"data": fits}}
    over = fits + fits[:1]  # type: ignore[operator]  # both halves are of one type
    with pytest.raises(PayloadTooLarge):
        await insert(tables, table, partition, "over", data=over)
    with pytest.raises(PayloadTooLarge):
        await tables.commit(
            table,
            [Insert(Entity(partition, "small", {"n": 1})), Insert(Entity(partition, "over", {"data": over}))],
        )
    assert list(await rows(tables, table, partition)) == ["row"]


async def test_an_entity_may_have_one_mib(tables: TableStore, table: str, partition: str) -> None:
    full: dict[str, Value] = {f"p{n:02}": "x" * 32_000 for n in range(16)}
    await insert(tables, table, partition, "row", **full)
    assert await rows(tables, table, partition) == {"row": full}
    with pytest.raises(PayloadTooLarge):
        await insert(tables, table, partition, "over", **full, p16="x" * 32_000)
    assert list(await rows(tables, table, partition)) == ["row"]


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # aiohttp, of the SDK's request
async def test_a_transaction_may_have_four_mib(tables: TableStore, table: str, partition: str) -> None:
    def filled(count: int) -> list[Operation]:
        return [Insert(Entity(partition, f"{n:02}", {"data": b"x" * 60_000})) for n in range(count)]

    with pytest.raises(PayloadTooLarge):
        await tables.commit(table, filled(53))
    assert await rows(tables, table, partition) == {}
    await tables.commit(table, filled(48))
    assert len(await rows(tables, table, partition)) == 48


async def test_an_entity_has_252_properties(tables: TableStore, table: str, partition: str) -> None:
    values = {f"p{n}": n for n in range(252)}
    await insert(tables, table, partition, "row", **values)
    assert await rows(tables, table, partition) == {"row": values}
    with pytest.raises(InvalidInput):
        await insert(tables, table, partition, "over", **values, one_more=1)


@pytest.mark.parametrize("name", ["PartitionKey", "RowKey", "Timestamp", "with space", "a-b", "1st", "", "n" * 256])
async def test_some_names_cannot_name_a_property(tables: TableStore, table: str, partition: str, name: str) -> None:
    with pytest.raises(InvalidInput):
        await insert(tables, table, partition, "row", **{name: 1})


@pytest.mark.parametrize(
    "value",
    [
        2**63,
        -(2**63) - 1,
        datetime(2026, 1, 1),  # noqa: DTZ001  # what is tested
        datetime(1600, 12, 31, tzinfo=UTC),
        None,
        ["a"],
        {"a": 1},
        "\ud800",
    ],
)
async def test_some_values_cannot_be_stored(tables: TableStore, table: str, partition: str, value: Any) -> None:
    with pytest.raises(InvalidInput):
        await insert(tables, table, partition, "row", value=value)
    assert await rows(tables, table, partition) == {}


@pytest.mark.parametrize("key", ["k" * 513, "\ud800"])
async def test_some_keys_cannot_be_stored(tables: TableStore, table: str, partition: str, key: str) -> None:
    with pytest.raises(InvalidInput):
        await insert(tables, table, partition, key, n=1)
    with pytest.raises(InvalidInput):
        await insert(tables, table, key, partition, n=1)


@pytest.mark.parametrize("name", ["ab", "1abc", "a-b", "a_b", "", "a" * 64])
async def test_some_names_cannot_name_a_table(tables: TableStore, partition: str, name: str) -> None:
    with pytest.raises(InvalidInput):
        await insert(tables, name, partition, "row", n=1)
    with pytest.raises(InvalidInput):
        await tables.get(name, partition, "row")
    with pytest.raises(InvalidInput):
        await tables.scan(name, partition)


async def test_what_was_passed_in_may_be_changed_afterwards(tables: TableStore, table: str, partition: str) -> None:
    values: dict[str, Value] = {"n": 1}
    await tables.commit(table, [Insert(Entity(partition, "row", values))])
    values["n"] = 2
    assert await rows(tables, table, partition) == {"row": {"n": 1}}


async def test_what_was_given_out_may_be_changed(tables: TableStore, table: str, partition: str) -> None:
    await insert(tables, table, partition, "row", n=1)
    found = await tables.get(table, partition, "row")
    scanned = (await tables.scan(table, partition)).entities[0]
    for entity in (found, scanned):
        assert entity is not None
        assert isinstance(entity.values, dict)
        entity.values["n"] = 2
    assert await rows(tables, table, partition) == {"row": {"n": 1}}


async def test_of_many_writers_with_one_etag_one_wins(tables: TableStore, table: str, partition: str) -> None:
    etag = await insert(tables, table, partition, "row", n=0)
    answers = await asyncio.gather(
        *(
            tables.commit(
                table,
                [Replace(Entity(partition, "row", {"n": n}), etag), Insert(Entity(partition, f"log{n}", {"n": n}))],
            )
            for n in range(1, 9)
        ),
        return_exceptions=True,
    )
    winners = [n for n, answer in enumerate(answers, 1) if not isinstance(answer, BaseException)]
    assert len(winners) == 1
    assert all(isinstance(answer, list | Conflict) for answer in answers)
    assert await rows(tables, table, partition) == {"row": {"n": winners[0]}, f"log{winners[0]}": {"n": winners[0]}}


async def test_each_call_is_one_operation(tables: TableStore, table: str, partition: str) -> None:
    await insert(tables, table, partition, "row", n=0)
    with meter.metered() as usage:
        await tables.commit(table, [Insert(Entity(partition, f"{n:02}", {"n": n})) for n in range(100)])
    assert usage.table_operations == 1
    assert usage.bytes_written > 0
    with meter.metered() as usage:
        await tables.get(table, partition, "row")
    assert usage.table_operations == 1
    assert usage.bytes_read > 0
    with meter.metered() as usage:
        await tables.get(table, partition, "missing")
        await tables.scan(table, partition)
        with pytest.raises(Conflict):
            await insert(tables, table, partition, "row", n=1)
    assert usage.table_operations == 3
