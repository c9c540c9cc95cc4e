"""The store in memory does what the real one does, whatever is asked of it: the same random operations on both."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from aos.kernel.errors import AosError
from aos.kernel.ports import Delete, Entity, Insert, Operation, Replace, TableStore, Upsert, Value
from aos.testing import MemoryTableStore

ROWS = ("head", "j:1", "j:2", "j:3", "s:a/b", "é")
VALUES: tuple[Value, ...] = (0, 1, -5, 2**40, True, False, 0.5, "", "text", "é😀", b"", b"\x00\xff")


class Pair:
    """Two stores that are asked the same. Their ETags differ, so each keeps its own."""

    def __init__(self, memory: TableStore, real: TableStore, table: str, partition: str) -> None:
        self._stores = (memory, real)
        self._table = table
        self._partition = partition
        # For each store every ETag a row ever had, oldest first: a stale one is as good a question as a fresh one.
        self._etags: tuple[dict[str, list[str]], ...] = ({}, {})

    async def commit(self, plan: Sequence[tuple[str, str, dict[str, Value], int]]) -> None:
        outcomes = [await self._commit(index, plan) for index in (0, 1)]
        assert outcomes[0] == outcomes[1], plan

    async def _commit(self, index: int, plan: Sequence[tuple[str, str, dict[str, Value], int]]) -> Any:
        operations = [self._operation(index, *step) for step in plan]
        try:
            etags = await self._stores[index].commit(self._table, operations)
        except AosError as error:
            return type(error)
        for (_, row, _, _), etag in zip(plan, etags, strict=True):
            if etag is not None:
                self._etags[index].setdefault(row, []).append(etag)
        return [etag is None for etag in etags]

    def _operation(self, index: int, kind: str, row: str, values: dict[str, Value], age: int) -> Operation:
        known = self._etags[index].get(row, [])
        etag = known[-min(age, len(known))] if known else None
        if kind == "delete":
            return Delete(self._partition, row, etag if age else None)
        entity = Entity(self._partition, row, values)
        if kind == "replace" and etag is not None:
            return Replace(entity, etag)
        return Insert(entity) if kind == "insert" else Upsert(entity)

    async def get(self, row: str) -> None:
        found = [await store.get(self._table, self._partition, row) for store in self._stores]
        assert len({entity is None for entity in found}) == 1
        for etags, entity in zip(self._etags, found, strict=True):
            assert entity is None or entity.etag == etags[row][-1]
        assert len({str(entity and sorted(entity.values.items())) for entity in found}) == 1

    async def scan(self, **question: Any) -> None:
        found = [await self._all(store, **question) for store in self._stores]
        assert found[0] == found[1], question

    async def _all(self, store: TableStore, **question: Any) -> list[tuple[str, str]]:
        rows: list[tuple[str, str]] = []
        cursor: str | None = None
        while True:
            page = await store.scan(self._table, self._partition, cursor=cursor, **question)
            rows += [(entity.row, str(sorted(entity.values.items()))) for entity in page.entities]
            cursor = page.cursor
            if cursor is None:
                return rows


@pytest.mark.parametrize("seed", range(6))
async def test_random_operations_have_one_outcome(tables: TableStore, table: str, partition: str, seed: int) -> None:
    chance = random.Random(seed)
    pair = Pair(MemoryTableStore(), tables, table, partition)

    def step() -> tuple[str, str, dict[str, Value], int]:
        names = chance.sample(("a", "b", "c"), chance.randrange(1, 4))
        kind = chance.choice(("insert", "insert", "replace", "replace", "upsert", "delete"))
        return (
            kind,
            chance.choice(ROWS),
            {name: chance.choice(VALUES) for name in names},
            chance.choice((0, 1, 1, 1, 2)),
        )

    for _ in range(60):
        match chance.randrange(5):
            case 0:
                await pair.get(chance.choice(ROWS))
            case 1:
                question: dict[str, Any] = {"limit": chance.choice((1, 2, 100))}
                if chance.random() < 0.5:
                    question["first"] = chance.choice(ROWS)
                if chance.random() < 0.5:
                    question["before"] = chance.choice(ROWS)
                if chance.random() < 0.3:
                    question["where"] = {"a": chance.choice(("text", "é😀"))}
                await pair.scan(**question)
            case _:
                await pair.commit([step() for _ in range(chance.choice((1, 1, 2, 3, 4)))])
    await pair.scan(limit=100)
