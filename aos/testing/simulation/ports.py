"""Stores and bus as one process sees them: every operation takes time, and may go wrong as the simulation decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from aos.kernel.errors import AosError, BusUnavailable, StoreUnavailable
from aos.kernel.ports import BlobStore, MessageBus, OutboundMessage, Page, TableStore
from aos.testing.faults import FaultPlan
from aos.testing.faulty import FaultyBlobs, FaultyBus, FaultyTables
from aos.testing.simulation.trouble import Trouble

_T = TypeVar("_T")


class Process(Protocol):
    """A process that can be stopped at any operation."""

    async def reach(self, operation: str) -> Trouble | None:
        """Called before each operation: waits, and raises `SimulatedCrash` where the process dies.

        Returns:
            What the service does with the operation.
        """
        ...

    async def leave(self) -> None:
        """Called when an operation is done, before its caller learns of it."""
        ...

    def apply_later(self, call: Callable[[], Awaitable[Any]]) -> None:
        """Do it when nobody expects it any more."""
        ...

    def page_size(self, limit: int) -> int:
        """How many rows of those asked for the service gives at once."""
        ...

    def post(self, messages: Sequence[OutboundMessage]) -> Sequence[OutboundMessage]:
        """The messages as the bus takes them: some for later."""
        ...

    async def copy(self, messages: Sequence[OutboundMessage]) -> None:
        """The messages were sent: have some delivered once more."""
        ...


class _Simulated:
    """Does operations as the simulation has it. Stands before the class that names them."""

    _process: Process
    _unavailable: type[AosError] = StoreUnavailable

    async def _do(
        self,
        operation: str,
        call: Callable[[], Awaitable[_T]],
        *,
        unsure: type[AosError] | None = None,
        half: Callable[[], Awaitable[object]] | None = None,
    ) -> _T:
        trouble = await self._process.reach(operation)
        unsure = unsure or self._unavailable
        match trouble:
            case Trouble.FAIL | Trouble.THROTTLE:
                raise self._unavailable(f"{operation}: {trouble.value}.", retry_after=1.0)
            case Trouble.LOSE_REQUEST:
                raise unsure(f"{operation}: {trouble.value}.")
            case Trouble.LATE:
                self._process.apply_later(call)
                raise unsure(f"{operation}: {trouble.value}.")
            case Trouble.HALVE if half is not None:
                await half()
                raise self._unavailable(f"{operation}: {trouble.value}.")
        try:
            result = await call()
        except AosError as error:
            if trouble is Trouble.LOSE_ANSWER:
                raise unsure(f"{operation}: {trouble.value}.") from error
            raise
        await self._process.leave()
        if trouble is Trouble.LOSE_ANSWER:
            raise unsure(f"{operation}: {trouble.value}.")
        return result


class SimulatedTables(_Simulated, FaultyTables):
    def __init__(self, tables: TableStore, process: Process) -> None:
        super().__init__(tables, FaultPlan())
        self._process = process

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
        fewer = self._process.page_size(limit)
        return await super().scan(table, partition, first=first, before=before, where=where, limit=fewer, cursor=cursor)


class SimulatedBlobs(_Simulated, FaultyBlobs):
    def __init__(self, blobs: BlobStore, process: Process) -> None:
        super().__init__(blobs, FaultPlan())
        self._process = process


class SimulatedBus(_Simulated, FaultyBus):
    _unavailable = BusUnavailable

    def __init__(self, bus: MessageBus, process: Process) -> None:
        super().__init__(bus, FaultPlan())
        self._process = process

    async def send(self, messages: Sequence[OutboundMessage]) -> None:
        await super().send(self._process.post(messages))
        await self._process.copy(messages)
