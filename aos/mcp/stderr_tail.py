"""Keeps the end of what a process writes to its stderr: why it did not start is mostly written there."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_KEPT = 2_000
_SHOWN = 300
_PATIENCE = 0.5


class StderrTail:
    """The last characters written. A thread reads them, since not every event loop can read a pipe."""

    def __init__(self) -> None:
        self._kept = b""
        self._reader: threading.Thread | None = None

    @contextmanager
    def writing(self) -> Iterator[TextIO]:
        """A file for a process to write to; what it writes is read until all who have the file have closed it."""
        reading, writing = os.pipe()
        self._reader = threading.Thread(target=self._read, args=(reading,), name="mcp-stderr", daemon=True)
        self._reader.start()
        with os.fdopen(writing, "w", encoding="utf-8") as file:
            yield file

    async def last_line(self) -> str:
        """The last line that says something; empty where none does."""
        if self._reader is not None:
            await asyncio.to_thread(self._reader.join, _PATIENCE)
        lines = [line.strip() for line in self._kept.decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:_SHOWN] if lines else ""

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            while chunk := file.read(4_096):
                self._kept = (self._kept + chunk)[-_KEPT:]
