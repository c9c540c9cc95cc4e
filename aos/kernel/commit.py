"""Writes a turn: head and journal entry in one entity-group transaction, or nothing.

The journal entry is written with the messages it will send, so that whoever finds it can send them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aos.kernel import patch, rows
from aos.kernel.batch import Batch
from aos.kernel.errors import CommitAmbiguous, Conflict
from aos.kernel.head import Head
from aos.kernel.journal import JournalEntry, row_key
from aos.kernel.json_text import from_bytes, length_if_over
from aos.kernel.message import format_time
from aos.kernel.order import HeldRows
from aos.kernel.packing import Packed
from aos.kernel.ports import BlobStore, Clock, Delete, Insert, Operation, Replace, TableStore
from aos.kernel.settings import KernelSettings

_MOST_OPERATIONS = 100


@dataclass(frozen=True, slots=True)
class Committed:
    """A turn that is written. `head` is None where another instance has gone on from it since."""

    entry: JournalEntry
    head: Head | None


class Committer:
    """Turns a handled batch into a transaction."""

    def __init__(self, tables: TableStore, blobs: BlobStore, clock: Clock, settings: KernelSettings) -> None:
        self._tables = tables
        self._blobs = blobs
        self._clock = clock
        self._settings = settings

    async def commit(self, batch: Batch, entry: JournalEntry, *held: HeldRows) -> Committed:
        """Write the batch, and the lines of held messages it changed.

        Raises:
            Conflict: another writer had the agent; nothing of this turn is kept.
            CommitAmbiguous, StoreUnavailable: storage failed; the message's return will tell what was kept.
        """
        head = batch.head
        previous_etag = head.etag
        head.turn, head.updated = entry.turn, entry.time
        head.created = head.created or entry.time
        journal_row, journal_packed = entry.seal(head.chain)
        head.chain = entry.hash
        head_row, packed = head.encode()
        changes = batch.effects.rows
        await self._spill([journal_packed, *packed, *(row.packed for row in changes.values() if row.packed)])
        first: Operation = Replace(head_row, previous_etag) if previous_etag else Insert(head_row)
        operations: list[Operation] = [first, Insert(journal_row)]
        for line in held:
            operations += line.operations()
        operations += rows.operations(head.agent, changes)
        steps = sorted(batch.finished_steps)
        room = _MOST_OPERATIONS - len(operations)
        operations += [Delete(head.agent, row) for row in steps[:room]]
        try:
            etags = await self._tables.commit(self._settings.agents_table, operations)
        except (Conflict, CommitAmbiguous):
            if not await self._is_ours(entry):
                raise
            return Committed(entry, None)
        head.etag = etags[0]
        await self._clear(head.agent, steps[room:])
        return Committed(entry, head)

    async def _is_ours(self, entry: JournalEntry) -> bool:
        """Whether the transaction that reported a failure was applied after all."""
        stored = await self._tables.get(self._settings.agents_table, entry.agent, row_key(entry.version))
        return stored is not None and stored.values["turn"] == entry.turn

    async def _spill(self, packed: list[Packed]) -> None:
        for part in packed:
            if part.blob:
                await self._blobs.put(part.blob[0], part.blob[1])

    async def _clear(self, agent: str, keys: list[str]) -> None:
        """Steps that did not fit the transaction: their message is done, nobody looks for them again."""
        for start in range(0, len(keys), _MOST_OPERATIONS):
            chunk = keys[start : start + _MOST_OPERATIONS]
            await self._tables.commit(self._settings.agents_table, [Delete(agent, row) for row in chunk])


def describe(batch: Batch, entry: JournalEntry, settings: KernelSettings) -> None:
    """Fill the entry with what the batch decided."""
    effects = batch.effects
    entry.received = [_received(outcome, settings.journal_data_bytes) for outcome in batch.outcomes]
    entry.sent = [
        outgoing.record(f"{entry.agent}:{entry.version}:{number}") for number, outgoing in enumerate(effects.outgoing)
    ]
    entry.patch = patch.diff(batch.before, from_bytes(batch.head.state))
    entry.decisions = effects.decisions
    entry.facts = effects.facts
    entry.dead = effects.dead
    entry.rows = rows.digests(effects.rows)
    entry.usage |= effects.usage


def _received(outcome: Any, data_limit: int) -> dict[str, Any]:
    envelope = outcome.message.to_json()
    size = length_if_over(envelope["data"], data_limit)
    if size is not None:
        envelope["data"] = None
        envelope["datasize"] = size
    record: dict[str, Any] = {"message": envelope, "outcome": outcome.kind}
    if outcome.error is not None:
        record["error"] = outcome.error.to_json()
    return record


def new_entry(agent: str, version: int, turn: str, trace: str, clock: Clock) -> JournalEntry:
    return JournalEntry(agent=agent, version=version, turn=turn, time=format_time(clock.now()), trace=trace)
