"""Kernels and tables that are broken on purpose, each in one way, to see that the simulation finds it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aos.kernel.batch import Batch
from aos.kernel.commit import Committed
from aos.kernel.head import Head
from aos.kernel.journal import JournalEntry
from aos.kernel.kernel import Kernel
from aos.kernel.order import HeldRows
from aos.kernel.ports import Insert, Operation, Replace, TableStore, Upsert


class Unfenced:
    """Tables that write over whatever is there: without the head's ETag, and without the journal's row being new.

    Either alone keeps a writer out that was outlived, so that both have to go to let it in.
    """

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    async def commit(self, table: str, operations: Sequence[Operation]) -> list[str | None]:
        careless: list[Operation] = [
            Upsert(operation.entity) if isinstance(operation, Replace | Insert) else operation
            for operation in operations
        ]
        return await self._tables.commit(table, careless)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)


def publishing_before_the_commit(kernel: Kernel) -> None:
    """Messages leave before it is certain that the turn will have been."""
    commit = kernel._committer.commit

    async def hasty(batch: Batch, entry: JournalEntry, *held: HeldRows) -> Committed:
        await kernel._publisher.publish(entry, batch.head)
        return await commit(batch, entry, *held)

    async def remember(committed: Committed, head: Head) -> None:
        if committed.head is None:
            kernel.heads.forget(head.agent)
        else:
            kernel.heads.remember(committed.head)

    kernel._committer.commit = hasty  # type: ignore[method-assign]
    kernel._publish = remember  # type: ignore[method-assign]


class Silent:
    async def publish(self, entry: JournalEntry, head: Head) -> None:
        """Nothing."""


def not_publishing_again(kernel: Kernel) -> None:
    """A message that returns is acknowledged without a look at what it led to."""

    class Silenced:
        _publisher = Silent()
        journal = kernel.journal

    async def forgetting(*arguments: Any) -> Any:
        return await Kernel._sort_out(Silenced(), *arguments)  # type: ignore[arg-type]

    kernel._sort_out = forgetting  # type: ignore[method-assign, assignment]
