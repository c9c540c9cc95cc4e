"""Holds acknowledgements back until what they acknowledge is safe, so that one flush serves all that wait."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aos.kernel.errors import AosError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aos.local.servicebus.engine import Bus

_log = logging.getLogger(__name__)


class Committer:
    """Runs callbacks after the engine's next flush, in the order they were given."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: list[Callable[[AosError | None], None]] = []
        self._task: asyncio.Task[None] | None = None

    def after_commit(self, then: Callable[[AosError | None], None]) -> None:
        """Call `then` with None once all that was accepted is kept, or with why it cannot be."""
        self._waiting.append(then)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._commit())

    async def _commit(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                self._answer(batch, await self._flush())
        finally:
            self._task = None

    async def _flush(self) -> AosError | None:
        try:
            await self._bus.flush()
        except AosError as error:
            return error
        return None

    def _answer(self, batch: list[Callable[[AosError | None], None]], failure: AosError | None) -> None:
        for then in batch:
            try:
                then(failure)
            except Exception:  # noqa: BLE001 - the others' acknowledgements still go out
                _log.exception("An acknowledgement could not be given.")

    async def drain(self) -> None:
        """Return when nothing waits any more."""
        if self._task is not None:
            await self._task
