"""One partition of a table in memory: rows by key, and in the order the service gives them."""

from __future__ import annotations

from bisect import bisect_left, insort

from aos.kernel.ports import Value


class Row:
    """A stored row. Its values are never changed, only replaced."""

    __slots__ = ("etag", "size", "values")

    def __init__(self, values: dict[str, Value], etag: str, size: int) -> None:
        self.values = values
        self.etag = etag
        self.size = size


class Partition:
    """Rows of one partition key."""

    __slots__ = ("_order", "rows")

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._order: list[str] = []

    def __len__(self) -> int:
        return len(self._order)

    def put(self, key: str, row: Row) -> None:
        if key not in self.rows:
            insort(self._order, _ordinal(key))
        self.rows[key] = row

    def remove(self, key: str) -> None:
        del self.rows[key]
        del self._order[self.position(key)]

    def position(self, key: str) -> int:
        """Of the first row that does not come before `key`."""
        return bisect_left(self._order, _ordinal(key))

    def key(self, position: int) -> str:
        ordinal = self._order[position]
        return ordinal if ordinal.isascii() else ordinal.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _ordinal(key: str) -> str:
    """The service compares UTF-16 units: beyond the basic plane these sort otherwise than characters do."""
    if key.isascii() or max(key) <= "\uffff":
        return key
    units = key.encode("utf-16-le")
    return "".join(chr(int.from_bytes(units[i : i + 2], "little")) for i in range(0, len(units), 2))
