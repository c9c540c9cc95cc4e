"""Sequence numbers by deadline: a heap from which entries can be withdrawn in constant time."""

from __future__ import annotations

from datetime import datetime
from heapq import heapify, heappop, heappush

from aos.local.servicebus.engine.alarms import NEVER

_SLACK = 64


class Deadlines:
    """A withdrawn entry stays in the heap until it surfaces, or until such entries outnumber the others."""

    __slots__ = ("_heap", "_when")

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int]] = []
        self._when: dict[int, datetime] = {}

    def __len__(self) -> int:
        return len(self._when)

    def add(self, sequence_number: int, when: datetime) -> None:
        self._when[sequence_number] = when
        heappush(self._heap, (when, sequence_number))

    def withdraw(self, sequence_number: int) -> None:
        if self._when.pop(sequence_number, None) is not None and len(self._heap) > 2 * len(self._when) + _SLACK:
            self._heap = [(when, number) for number, when in self._when.items()]
            heapify(self._heap)

    def next(self) -> datetime:
        """The earliest deadline, or `NEVER`."""
        heap = self._heap
        while heap and self._when.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else NEVER

    def pop_due(self, now: datetime) -> list[int]:
        """All whose deadline has come, earliest first; they are withdrawn."""
        due: list[int] = []
        while self.next() <= now:
            number = heappop(self._heap)[1]
            del self._when[number]
            due.append(number)
        return due
