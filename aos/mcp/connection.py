"""One open connection to a server.

A task of its own holds it: the SDK's transports must be closed by the task that opened them, while calls come from
any. Where the connection ends in the midst of a call, the call learns why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from mcp import Client

T = TypeVar("T")

Open = Callable[[Callable[[], None]], AbstractAsyncContextManager["Client"]]
"""Opens a client; given what to call when the server ends the connection."""

CLOSING_SECONDS = 10.0
"""For closing: a process is asked to end, and killed after a few seconds."""


class Ended(Exception):
    """The connection ended before the answer came. Its cause says why, where that is known."""


class Connection:
    """Opened with `open`, used with `run`, given back with `close`.

    Attributes:
        calls: How many calls are under way.
    """

    def __init__(self, open_client: Open) -> None:
        self._open = open_client
        self._end = asyncio.Event()
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(), name="mcp connection")
        self.calls = 0

    @property
    def usable(self) -> bool:
        return not self._end.is_set() and not self._keeper.done()

    async def ready(self) -> Client:
        """Wait until it is open. Raises what opening it raised."""
        return await asyncio.shield(self._ready)

    async def run(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Do something with the client.

        Raises:
            Ended: the connection ended meanwhile.
        """
        client = await self.ready()
        self.calls += 1
        working = asyncio.ensure_future(work(client))
        try:
            await asyncio.wait([working, self._keeper], return_when=asyncio.FIRST_COMPLETED)
            if working.done() and not _is_closed(working):
                return working.result()
            # Only the keeper knows why; it is about to end, if it has not yet.
            await asyncio.wait([self._keeper], timeout=CLOSING_SECONDS)
            raise Ended("the connection ended") from self._failure()
        finally:
            self.calls -= 1
            if not working.done():
                working.cancel()
                await asyncio.wait([working])

    def retire(self) -> None:
        """Have it close, without waiting for it."""
        self._end.set()

    async def close(self) -> None:
        """Close it, and wait until whatever it had running is gone."""
        self._end.set()
        if not self._ready.done():
            self._keeper.cancel()
        await asyncio.wait([self._keeper], timeout=CLOSING_SECONDS)
        if not self._keeper.done():
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        self._failure()

    async def _keep(self) -> None:
        try:
            async with self._open(self._end.set) as client:
                self._ready.set_result(client)
                await self._end.wait()
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(_told(error))
            self._ready.exception()  # whoever opens it is told; where nobody waits any more, nobody is to be warned
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._end.set()

    def _failure(self) -> BaseException | None:
        """What ended the keeper, if something did."""
        if not self._keeper.done() or self._keeper.cancelled():
            return None
        return self._keeper.exception()


def _is_closed(working: asyncio.Future[Any]) -> bool:
    """Whether the SDK gave the work up because the connection ended."""
    from mcp.shared.exceptions import MCPError
    from mcp_types import CONNECTION_CLOSED

    if working.cancelled():
        return True
    error = working.exception()
    return isinstance(error, MCPError) and error.code == CONNECTION_CLOSED


def _told(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else Ended(str(error) or type(error).__name__)


def leaves(error: BaseException) -> list[BaseException]:
    """The errors inside groups of errors and causes, the innermost last."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    found = [error]
    if error.__cause__ is not None:
        found += leaves(error.__cause__)
    return found


def describe(error: BaseException) -> str:
    """The innermost error in words."""
    inner = leaves(error)[-1]
    return f"{type(inner).__name__}: {inner}" if str(inner) else type(inner).__name__
