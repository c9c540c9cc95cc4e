"""Tables in memory, as strict as the real ones: whatever Azure would refuse is refused here too."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aos.kernel import meter
from aos.kernel.errors import Conflict, InvalidInput, PayloadTooLarge
from aos.kernel.ports import Delete, Entity, Insert, Operation, Page, Replace, Value
from aos.testing.entity_size import check_key, measure, request_bytes
from aos.testing.partition import Partition, Row

MAX_OPERATIONS = 100
MAX_TRANSACTION = 4 * 1024 * 1024
MAX_PAGE = 1_000

_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")


class MemoryTableStore:
    """Implements `aos.kernel.ports.TableStore`.

    What is passed in and what is given out is copied: nobody changes a row but through `commit`. Operations are
    counted on `aos.kernel.meter` as those of Azure are.
    """

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Partition]] = {}
        self._writes = 0

    async def get(self, table: str, partition: str, row: str) -> Entity | None:
        found = self._find(table, partition)
        stored = found.rows.get(row) if found else None
        if stored is None:
            meter.count(table_operations=1)
            return None
        meter.count(table_operations=1, bytes_read=stored.size)
        return Entity(partition, row, stored.values.copy(), stored.etag)

    async def commit(self, table: str, operations: Sequence[Operation]) -> list[str | None]:
        partition = _check_group(operations)
        rows = self._open(table, partition)
        written = _check_values(operations)
        meter.count(table_operations=1, bytes_written=sum(size for _, size in written))
        for operation in operations:
            _check_precondition(operation, rows)
        return [
            self._apply(operation, rows, values, size)
            for operation, (values, size) in zip(operations, written, strict=True)
        ]

    async def scan(
        self,
        table: str,
        partition: str,
        *,
        first: str = "",
        before: str | None = None,
        where: Mapping[str, str | int | bool] | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidInput(f"A page holds 1 to {MAX_PAGE} rows, not {limit}.")
        found = self._find(table, partition) or Partition()
        start = found.position(first if cursor is None else cursor)
        end = len(found) if before is None else found.position(before)
        # As the service does, look at so many rows at most, however few of them match.
        reach = min(end, start + MAX_PAGE)
        page: list[Entity] = []
        size = 0
        position = start
        while position < reach and len(page) < limit:
            key = found.key(position)
            stored = found.rows[key]
            position += 1
            if where is None or _matches(stored.values, where):
                page.append(Entity(partition, key, stored.values.copy(), stored.etag))
                size += stored.size
        meter.count(table_operations=1, bytes_read=size)
        return Page(page, found.key(position) if position < end else None)

    def tables(self) -> list[str]:
        """Names of the tables that were written to, in lower case."""
        return sorted(self._tables)

    def entities(self, table: str) -> list[Entity]:
        """All rows of a table, by partition and row: for looking at what a test left behind. Not counted."""
        partitions = self._tables.get(_check_table(table), {})
        return [
            Entity(partition, key, found.rows[key].values.copy(), found.rows[key].etag)
            for partition, found in sorted(partitions.items())
            for key in (found.key(position) for position in range(len(found)))
        ]

    def _find(self, table: str, partition: str) -> Partition | None:
        return self._tables.get(_check_table(table), {}).get(partition)

    def _open(self, table: str, partition: str) -> Partition:
        rows = self._find(table, partition)
        if rows is None:
            rows = self._tables.setdefault(_check_table(table), {})[partition] = Partition()
        return rows

    def _apply(self, operation: Operation, rows: Partition, values: dict[str, Value], size: int) -> str | None:
        if isinstance(operation, Delete):
            rows.remove(operation.row)
            return None
        self._writes += 1
        etag = f'W/"{self._writes}"'
        rows.put(operation.entity.row, Row(values, etag, size))
        return etag


_checked_tables: dict[str, str] = {}


def _check_table(name: str) -> str:
    """The table's name as names are compared: without regard to case."""
    key = _checked_tables.get(name)
    if key is None:
        if not _TABLE_NAME.fullmatch(name):
            raise InvalidInput(f"{name!r} cannot name a table: use 3 to 63 letters and digits, a letter first.")
        key = _checked_tables[name] = name.lower()
    return key


def _keys(operation: Operation) -> tuple[str, str]:
    if isinstance(operation, Delete):
        return operation.partition, operation.row
    return operation.entity.partition, operation.entity.row


def _check_group(operations: Sequence[Operation]) -> str:
    """The one partition of a transaction. Raises for a transaction the service would not look at."""
    if not 1 <= len(operations) <= MAX_OPERATIONS:
        raise InvalidInput(f"A transaction has 1 to {MAX_OPERATIONS} operations, not {len(operations)}. Split it.")
    partition, row = _keys(operations[0])
    check_key(partition)
    if len(operations) == 1:
        check_key(row)
        return partition
    rows: set[str] = set()
    for operation in operations:
        other, row = _keys(operation)
        if other != partition:
            raise InvalidInput(f"A transaction stays in one partition; this has {partition!r} and {other!r}.")
        check_key(row)
        rows.add(row)
    if len(rows) < len(operations):
        raise InvalidInput(f"A transaction may touch each row of {partition!r} once; one is there twice.")
    return partition


def _check_values(operations: Sequence[Operation]) -> list[tuple[dict[str, Value], int]]:
    """The copied values and size of each operation."""
    written: list[tuple[dict[str, Value], int]] = []
    total = 0
    for operation in operations:
        if isinstance(operation, Delete):
            written.append(({}, 0))
            continue
        values, size = measure(operation.entity)
        total += size
        written.append((values, size))
    if total > MAX_TRANSACTION // 4 and request_bytes(operations) > MAX_TRANSACTION:
        raise PayloadTooLarge("The transaction is over 4 MiB. Write less at once, or keep large values in blobs.")
    return written


def _check_precondition(operation: Operation, stored: Partition) -> None:
    partition, key = _keys(operation)
    row = stored.rows.get(key)
    if isinstance(operation, Insert):
        if row is not None:
            raise Conflict(f"Row {key!r} of partition {partition!r} exists already.")
    elif isinstance(operation, Replace):
        if row is None or row.etag != operation.etag:
            raise Conflict(f"Row {key!r} of partition {partition!r} has changed since it was read. Read it again.")
    elif isinstance(operation, Delete):
        if row is None:
            raise Conflict(f"Row {key!r} of partition {partition!r} is not there to be deleted.")
        if operation.etag is not None and row.etag != operation.etag:
            raise Conflict(f"Row {key!r} of partition {partition!r} has changed since it was read. Read it again.")


def _matches(values: Mapping[str, Value], where: Mapping[str, str | int | bool]) -> bool:
    """Equal in value and in type: the service does not take 1 for true."""
    for name, wanted in where.items():
        value = values.get(name)
        if type(value) is not type(wanted) or value != wanted:
            return False
    return True
