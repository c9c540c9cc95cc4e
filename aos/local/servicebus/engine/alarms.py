"""Deadlines of the whole bus: one alarm an entity, one heap for all, driven by whoever holds the clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from heapq import heappop, heappush

NEVER = datetime.max.replace(tzinfo=UTC)


class Alarm:
    """The next deadline of one owner.

    `fire(now)` does all that is due and returns the owner's next deadline, or `NEVER`. `due` may be earlier
    than needed (a deadline that went away is not withdrawn), never later.
    """

    __slots__ = ("_alarms", "_fire", "due")

    def __init__(self, alarms: Alarms, fire: Callable[[datetime], datetime]) -> None:
        self._alarms = alarms
        self._fire = fire
        self.due = NEVER

    def by(self, when: datetime) -> None:
        """Fire no later than `when`."""
        if when < self.due:
            self.due = when
            self._alarms.push(when, self)

    def run(self, now: datetime) -> None:
        self.due = NEVER
        self.by(self._fire(now))


class Alarms:
    """All alarms. `on_earlier` is called when the next deadline has become earlier than it was."""

    __slots__ = ("_heap", "_order", "on_earlier")

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Alarm]] = []
        self._order = 0
        self.on_earlier: Callable[[], None] | None = None

    def push(self, when: datetime, alarm: Alarm) -> None:
        earlier = not self._heap or when < self._heap[0][0]
        self._order += 1
        heappush(self._heap, (when, self._order, alarm))
        if earlier and self.on_earlier is not None:
            self.on_earlier()

    def next_due(self) -> datetime | None:
        while self._heap and self._heap[0][2].due != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def advance(self, now: datetime) -> None:
        """Fire all alarms due at `now`, in the order of their deadlines."""
        while (due := self.next_due()) is not None and due <= now:
            alarm = heappop(self._heap)[2]
            alarm.run(now)
