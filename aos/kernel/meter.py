"""Counts what work costs: adapters report each operation, whoever holds a meter sees the sum.

A meter nests: what is counted in an inner one is counted in the outer ones and in `process_total` too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Usage:
    """Billable operations, and the bytes they carried."""

    table_operations: int = 0
    blob_operations: int = 0
    bus_sends: int = 0
    bus_receives: int = 0
    bus_completes: int = 0
    bytes_written: int = 0
    bytes_read: int = 0

    @property
    def storage_operations(self) -> int:
        return self.table_operations + self.blob_operations

    @property
    def bus_operations(self) -> int:
        return self.bus_sends + self.bus_receives + self.bus_completes

    def to_json(self) -> dict[str, int]:
        """Only what is not zero."""
        return {name: value for name in _NAMES if (value := getattr(self, name))}


_NAMES = tuple(field.name for field in fields(Usage))


@dataclass(slots=True)
class _Node:
    usage: Usage
    parent: _Node | None = field(default=None)


process_total = Usage()
_root = _Node(process_total)
_current: ContextVar[_Node] = ContextVar("aos_meter", default=_root)


@contextmanager
def metered() -> Iterator[Usage]:
    """Count everything done inside the block (and in tasks started from it)."""
    node = _Node(Usage(), _current.get())
    token = _current.set(node)
    try:
        yield node.usage
    finally:
        _current.reset(token)


def count(**amounts: int) -> None:
    """Add amounts, named as the fields of `Usage`, to every meter in force."""
    node: _Node | None = _current.get()
    while node is not None:
        for name, amount in amounts.items():
            setattr(node.usage, name, getattr(node.usage, name) + amount)
        node = node.parent
