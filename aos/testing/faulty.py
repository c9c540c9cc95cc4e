"""Stores and bus with faults: each wraps a real one, and asks the plan before every operation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from aos.kernel.errors import AosError, BusUnavailable, CommitAmbiguous, InvalidInput, StoreUnavailable
from aos.kernel.ports import (
    BlobInfo,
    BlobPage,
    BlobStore,
    Entity,
    MessageBus,
    Operation,
    OutboundMessage,
    Page,
    TableStore,
)
from aos.testing.clock import VirtualClock
from aos.testing.faults import Action, Fault, Faults

_T = TypeVar("_T")


class _Faulty:
    """Does operations as the plan has it.

    Args:
        faults: What goes wrong.
        clock: What a delay waits on; only needed for that.
    """

    _unavailable: type[AosError] = StoreUnavailable

    def __init__(self, faults: Faults, clock: VirtualClock | None = None) -> None:
        self._faults = faults
        self._clock = clock

    async def _do(
        self,
        operation: str,
        call: Callable[[], Awaitable[_T]],
        *,
        unsure: type[AosError] | None = None,
        half: Callable[[], Awaitable[object]] | None = None,
    ) -> _T:
        fault = self._faults.next(operation)
        if fault is None:
            return await call()
        if fault.action is Action.HALVE and half is not None:
            await half()
        await self._before(operation, fault, unsure or self._unavailable)
        try:
            result = await call()
        except AosError as error:
            # Whatever the service said, nobody hears it.
            self._after(operation, fault, unsure or self._unavailable, error)
            raise
        self._after(operation, fault, unsure or self._unavailable, None)
        return result

    async def _before(self, operation: str, fault: Fault, unsure: type[AosError]) -> None:
        match fault.action:
            case Action.FAIL | Action.HALVE:
                raise self._unavailable(f"{operation} fails by an injected fault.")
            case Action.THROTTLE:
                raise self._unavailable(f"{operation} is throttled by an injected fault.", retry_after=fault.seconds)
            case Action.LOSE_REQUEST:
                raise unsure(f"{operation} was not done, but an injected fault keeps that from being known.")
            case Action.CRASH:
                raise self._faults.crash(f"before {operation}")
            case Action.DELAY:
                if self._clock is None:
                    raise InvalidInput("A delay needs a clock to wait on: give one to the faulty store.")
                await self._clock.sleep(fault.seconds)
            case _:
                pass

    def _after(self, operation: str, fault: Fault, unsure: type[AosError], error: AosError | None) -> None:
        if fault.action is Action.CRASH_AFTER:
            raise self._faults.crash(f"after {operation}") from error
        if fault.action is Action.LOSE_ANSWER:
            raise unsure(f"{operation} was answered, but an injected fault keeps that from being known.") from error


class FaultyTables(_Faulty):
    """A `TableStore` with faults. Operations: `tables.get`, `tables.commit`, `tables.scan`."""

    def __init__(self, tables: TableStore, faults: Faults, clock: VirtualClock | None = None) -> None:
        super().__init__(faults, clock)
        self._tables = tables

    async def get(self, table: str, partition: str, row: str) -> Entity | None:
        return await self._do("tables.get", lambda: self._tables.get(table, partition, row))

    async def commit(self, table: str, operations: Sequence[Operation]) -> list[str | None]:
        return await self._do("tables.commit", lambda: self._tables.commit(table, operations), unsure=CommitAmbiguous)

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
        return await self._do(
            "tables.scan",
            lambda: self._tables.scan(
                table, partition, first=first, before=before, where=where, limit=limit, cursor=cursor
            ),
        )


class FaultyBlobs(_Faulty):
    """A `BlobStore` with faults. Operations: `blobs.put`, `blobs.get`, `blobs.stream`, and so on."""

    def __init__(self, blobs: BlobStore, faults: Faults, clock: VirtualClock | None = None) -> None:
        super().__init__(faults, clock)
        self._blobs = blobs

    async def put(
        self,
        name: str,
        data: bytes | AsyncIterator[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        await self._do("blobs.put", lambda: self._blobs.put(name, data, content_type=content_type, metadata=metadata))

    async def get(self, name: str) -> bytes | None:
        return await self._do("blobs.get", lambda: self._blobs.get(name))

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        """A fault strikes before the first chunk, or after the last."""
        fault = self._faults.next("blobs.stream")
        if fault is not None:
            await self._before("blobs.stream", fault, self._unavailable)
        async for chunk in self._blobs.stream(name):
            yield chunk
        if fault is not None:
            self._after("blobs.stream", fault, self._unavailable, None)

    async def stat(self, name: str) -> BlobInfo | None:
        return await self._do("blobs.stat", lambda: self._blobs.stat(name))

    async def list(self, prefix: str, *, limit: int = 100, cursor: str | None = None) -> BlobPage:
        return await self._do("blobs.list", lambda: self._blobs.list(prefix, limit=limit, cursor=cursor))

    async def delete(self, name: str) -> bool:
        return await self._do("blobs.delete", lambda: self._blobs.delete(name))


class FaultyBus(_Faulty):
    """A `MessageBus` with faults. Its one operation is `bus.send`."""

    _unavailable = BusUnavailable

    def __init__(self, bus: MessageBus, faults: Faults, clock: VirtualClock | None = None) -> None:
        super().__init__(faults, clock)
        self._bus = bus

    async def send(self, messages: Sequence[OutboundMessage]) -> None:
        await self._do(
            "bus.send",
            lambda: self._bus.send(messages),
            half=lambda: self._bus.send(messages[: (len(messages) + 1) // 2]),
        )
