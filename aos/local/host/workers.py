"""Tasks that run on their own and can be waited for, and then cut short, when the host stops."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Workers:
    """A set of running tasks. Each must handle its own errors: what escapes goes to the loop's handler."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, Any], name: str | None = None) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def drain(self, grace: float) -> int:
        """Wait up to `grace` seconds for all to end, then cancel the rest; how many were cancelled."""
        late: set[asyncio.Task[Any]] = set()
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        return len(late)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler(
                {"message": f"{task.get_name()} failed", "exception": error, "task": task}
            )
