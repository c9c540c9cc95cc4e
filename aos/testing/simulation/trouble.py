"""What can go wrong in a simulation, how often, and how often it did."""

from __future__ import annotations

import random
from collections import Counter
from enum import Enum


class Trouble(Enum):
    """One kind of fault."""

    CRASH = "instance dies before an operation"
    CRASH_AFTER = "instance dies after an operation"
    FREEZE = "instance stands still before an operation, past its locks"
    FREEZE_AFTER = "instance stands still after an operation, past its locks"
    THEFT = "session lock taken"
    SLOW = "operation takes long"
    FAIL = "operation fails"
    THROTTLE = "service throttles"
    LOSE_REQUEST = "times out, not applied"
    LOSE_ANSWER = "times out, applied"
    LATE = "times out, applied later"
    HALVE = "half of the messages sent"
    SHORT_PAGE = "page shorter than asked for"
    DUPLICATE = "message delivered twice"
    POSTPONE = "message overtaken by later ones"
    BURST = "storage and bus out of reach for a while"


_EVERYWHERE = {
    Trouble.CRASH: 0.004,
    Trouble.CRASH_AFTER: 0.004,
    Trouble.FREEZE: 0.003,
    Trouble.FREEZE_AFTER: 0.003,
    Trouble.THEFT: 0.006,
    Trouble.SLOW: 0.01,
    Trouble.BURST: 0.0006,
}
_SERVICE = {Trouble.FAIL: 0.01, Trouble.THROTTLE: 0.01}
_WRITE = {Trouble.LOSE_REQUEST: 0.015, Trouble.LOSE_ANSWER: 0.02, Trouble.LATE: 0.015}
_OF_OPERATION: dict[str, dict[Trouble, float]] = {
    "tables.get": _SERVICE,
    "tables.scan": _SERVICE,
    "tables.commit": {**_SERVICE, **_WRITE},
    "blobs.get": _SERVICE,
    "blobs.put": {**_SERVICE, **_WRITE},
    "bus.send": {**_SERVICE, **_WRITE, Trouble.HALVE: 0.01},
    "bus.complete": {Trouble.LOSE_REQUEST: 0.01, Trouble.LOSE_ANSWER: 0.01},
}
_BESIDES = {Trouble.SHORT_PAGE: 0.2, Trouble.DUPLICATE: 0.04, Trouble.POSTPONE: 0.04}


class Troubles:
    """Decides what goes wrong with each operation. Every seed has a mixture of its own: some kinds are left out.

    Args:
        chance: Decides.
        without: Kinds that the workload's promises do not cover.

    Attributes:
        counted: How often each kind struck.
        calm: Set it, and nothing goes wrong any more.
    """

    def __init__(self, chance: random.Random, *, without: frozenset[Trouble] = frozenset()) -> None:
        self._chance = chance
        factors = {trouble: chance.choice((0.0, 0.5, 1.0, 2.0)) for trouble in Trouble}
        factors.update(dict.fromkeys(without, 0.0))
        self._rates = {
            operation: _running_sums({**_EVERYWHERE, **rates}, factors) for operation, rates in _OF_OPERATION.items()
        }
        self._elsewhere = _running_sums(_EVERYWHERE, factors)
        self._besides = {trouble: rate * factors[trouble] for trouble, rate in _BESIDES.items()}
        self.counted: Counter[Trouble] = Counter()
        self.calm = False

    def strike(self, operation: str) -> Trouble | None:
        """What befalls this operation."""
        if self.calm:
            return None
        rates = self._rates.get(operation, self._elsewhere)
        roll = self._chance.random()
        if not rates or roll >= rates[-1][0]:
            return None
        return next(trouble for limit, trouble in rates if roll < limit)

    def befalls(self, trouble: Trouble) -> bool:
        """Whether one of the faults strikes that change what an operation is about."""
        struck = not self.calm and self._chance.random() < self._besides[trouble]
        if struck:
            self.count(trouble)
        return struck

    def count(self, trouble: Trouble) -> None:
        self.counted[trouble] += 1


def _running_sums(rates: dict[Trouble, float], factors: dict[Trouble, float]) -> list[tuple[float, Trouble]]:
    total = 0.0
    sums: list[tuple[float, Trouble]] = []
    for trouble, rate in rates.items():
        if factors[trouble]:
            total += rate * factors[trouble]
            sums.append((total, trouble))
    return sums
