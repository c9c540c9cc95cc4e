"""The real clock and real ids. Tests and simulations bring their own."""

from __future__ import annotations

import os
import random
import time
from datetime import UTC, datetime


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class RandomIds:
    def new(self) -> str:
        return os.urandom(16).hex()

    def random(self) -> float:
        return random.random()  # noqa: S311  # for pauses and trace ids, which are no secrets
