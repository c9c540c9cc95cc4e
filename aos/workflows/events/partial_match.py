"""What has come of a pattern so far, for one key: the latest events that may become a match.

For `all_within` and `any` these are the latest of each condition. For a sequence it is, for each of its places, the
chain up to there that began last: any other that leads there runs out of the window earlier.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from aos.kernel.message import parse_time
from aos.workflows.events.pattern import Pattern


class PartialMatch(BaseModel):
    """The events of one key.

    Attributes:
        digest: Of the pattern they were collected for.
        key: What they have in common.
        number: Of the event taken last.
        events: Those that may still matter, by number.
        taken: By condition, or by place in a sequence, the numbers of events.
        quiet_until: Events before this moment belong to the latest match.
        expires: When all of it is of no use any more.
    """

    digest: str
    key: Any = None
    number: int = 0
    events: dict[str, dict[str, Any]] = {}
    taken: list[list[str]] = []
    quiet_until: datetime | None = None
    expires: datetime

    def is_quiet(self, moment: datetime) -> bool:
        return self.quiet_until is not None and moment < self.quiet_until

    def take(self, pattern: Pattern, event: dict[str, Any], met: Collection[int]) -> list[dict[str, Any]] | None:
        """Take in an event.

        Args:
            pattern: What is looked for.
            event: What happened, with its `time`.
            met: Numbers of the conditions it meets.

        Returns:
            The events of a match, in the order they happened, where it completes one; they are then used up.
        """
        self.number += 1
        number = str(self.number)
        self.events[number] = event
        if pattern.temporal_relationship == "sequence":
            found = self._take_in_sequence(pattern, number, met)
        else:
            found = self._take_anyhow(pattern, number, met)
        if found is None:
            kept = {taken for numbers in self.taken for taken in numbers}
            self.events = {name: event for name, event in self.events.items() if name in kept}
            return None
        match = sorted((self.events[name] for name in found), key=lambda event: str(event["time"]))
        self.events, self.taken = {}, []
        return match

    def _take_anyhow(self, pattern: Pattern, number: str, met: Collection[int]) -> list[str] | None:
        taken = self.taken or [[] for _ in pattern.conditions]
        for place in met:
            most = pattern.conditions[place].threshold
            taken[place] = sorted([*taken[place], number], key=self._time)[-most:]
        oldest = max(map(self._time, self.events)) - pattern.window
        self.taken = [[name for name in numbers if self._time(name) >= oldest] for numbers in taken]
        complete = [
            len(numbers) == condition.threshold
            for numbers, condition in zip(self.taken, pattern.conditions, strict=True)
        ]
        if pattern.temporal_relationship == "any":
            return self.taken[complete.index(True)] if any(complete) else None
        return list(dict.fromkeys(name for numbers in self.taken for name in numbers)) if all(complete) else None

    def _take_in_sequence(self, pattern: Pattern, number: str, met: Collection[int]) -> list[str] | None:
        chains = self.taken or [[] for _ in pattern.stages]
        moment = self._time(number)
        # From the last place to the first, so that one event never has two places of a chain.
        for place in reversed(range(len(pattern.stages))):
            if pattern.stages[place] not in met:
                continue
            before = chains[place - 1] if place else []
            if not place or (self._began_within(before, moment, pattern.window) and self._time(before[-1]) <= moment):
                chains[place] = [*before, number]
        newest = max(map(self._time, self.events))
        self.taken = [chain if self._began_within(chain, newest, pattern.window) else [] for chain in chains]
        return chains[-1] if chains[-1] and chains[-1][-1] == number else None

    def _began_within(self, chain: list[str], moment: datetime, window: timedelta) -> bool:
        return bool(chain) and self._time(chain[0]) >= moment - window

    def _time(self, number: str) -> datetime:
        return parse_time(str(self.events[number]["time"]))
