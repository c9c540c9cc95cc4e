"""What happened in a run, in order: its digest tells whether two runs were the same."""

from __future__ import annotations

import hashlib
from collections import deque

from aos.kernel.ports import Clock


class Trace:
    """Takes a line for everything that happens.

    Attributes:
        latest: The last lines, to read after a failure.
    """

    def __init__(self, clock: Clock, *, keep: int = 400) -> None:
        self._clock = clock
        self._hash = hashlib.sha256()
        self.latest: deque[str] = deque(maxlen=keep)

    def note(self, who: str, what: str, *, worth_reading: bool = True) -> None:
        line = f"{self._clock.monotonic():.6f} {who} {what}"
        self._hash.update(line.encode() + b"\n")
        if worth_reading:
            self.latest.append(line)

    def digest(self) -> str:
        return self._hash.hexdigest()
