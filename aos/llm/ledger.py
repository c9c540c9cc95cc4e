"""Accounts of money, each one row: what was spent and what is reserved. Writers that collide try again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from aos.kernel.errors import CommitAmbiguous, Conflict, Throttled
from aos.kernel.ports import Entity, Ids, Insert, Replace, TableStore

T = TypeVar("T")
_TRIES = 60
_REMEMBERED = 48
_MOST_RESERVATIONS = 400
MICRO = 1_000_000


@dataclass(slots=True)
class Account:
    """Millionths of a US dollar.

    Attributes:
        spent: What was really paid.
        reserved: Amount and end (seconds since 1970) of each reservation, by its id.
        settled: Ids of the latest reservations that were turned into spending or given back.
    """

    spent: int = 0
    reserved: dict[str, tuple[int, float]] = field(default_factory=dict)
    settled: list[str] = field(default_factory=list)

    def reserve(self, id: str, amount: int, limit: int, now: float, until: float) -> bool:
        """Set an amount aside; False where it does not fit under the limit. Repeating it changes nothing."""
        self.reserved = {key: held for key, held in self.reserved.items() if held[1] > now}
        if id in self.reserved:
            return True
        if self.spent + self.held + amount > limit:
            return False
        if len(self.reserved) >= _MOST_RESERVATIONS:
            raise Throttled(f"{len(self.reserved)} calls on one budget are under way. Try again.", retry_after=1.0)
        self.reserved[id] = (amount, round(until))
        return True

    def settle(self, id: str, amount: int) -> bool:
        """Turn a reservation into what was really paid. Repeating it changes nothing, and is False."""
        if id in self.settled:
            return False
        self.reserved.pop(id, None)
        self.spent += amount
        self.settled = [*self.settled, id][-_REMEMBERED:]
        return True

    @property
    def held(self) -> int:
        return sum(amount for amount, _ in self.reserved.values())

    def dumps(self) -> str:
        document = {"spent": self.spent, "reserved": self.reserved, "settled": self.settled}
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> Account:
        document = json.loads(text)
        reserved = {id: (int(amount), float(until)) for id, (amount, until) in document["reserved"].items()}
        return cls(int(document["spent"]), reserved, list(document["settled"]))


class Ledger(Protocol):
    """Accounts by subject and period."""

    async def read(self, subject: str, period: str) -> Account: ...

    async def update(self, subject: str, period: str, change: Callable[[Account], T]) -> T:
        """Change an account in one step. `change` may be called several times and must bear repetition."""
        ...


class MemoryLedger:
    """Accounts of this process alone, for a router without storage."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[str, str], Account] = {}

    async def read(self, subject: str, period: str) -> Account:
        return self._accounts.setdefault((subject, period), Account())

    async def update(self, subject: str, period: str, change: Callable[[Account], T]) -> T:
        return change(await self.read(subject, period))


class TableLedger:
    """Accounts that all instances share, each a row that is replaced under its ETag.

    Args:
        tables: Where they are.
        ids: For the jitter between tries.
        table: Name of the table.
        sleep: How to wait after a collision.
    """

    def __init__(
        self,
        tables: TableStore,
        ids: Ids,
        *,
        table: str = "modelbudgets",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._tables = tables
        self._ids = ids
        self._table = table
        self._sleep = sleep

    async def read(self, subject: str, period: str) -> Account:
        return (await self._read(subject, period))[0]

    async def update(self, subject: str, period: str, change: Callable[[Account], T]) -> T:
        """Raises `Throttled` where the account is so busy that no try came through."""
        for attempt in range(_TRIES):
            account, etag = await self._read(subject, period)
            before = account.dumps()
            result = change(account)
            after = account.dumps()
            if after == before:
                return result
            entity = Entity(subject, period, {"account": after})
            try:
                await self._tables.commit(self._table, [Replace(entity, etag) if etag else Insert(entity)])
            except (Conflict, CommitAmbiguous):
                # An ambiguous write is found out by reading again: the change knows itself by its id.
                await self._sleep(self._ids.random() * min(0.25, 0.01 * (attempt + 1)))
                continue
            return result
        raise Throttled(
            f"The budget account {subject!r} is written to by too many callers at once. Try again.", retry_after=1.0
        )

    async def _read(self, subject: str, period: str) -> tuple[Account, str | None]:
        entity = await self._tables.get(self._table, subject, period)
        if entity is None:
            return Account(), None
        return Account.loads(str(entity.values["account"])), entity.etag
