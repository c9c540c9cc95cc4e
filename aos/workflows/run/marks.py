"""How each step of a run stands, one letter each, kept so that a run's state stays small and changes little in a turn.

Letters stand in chunks of 100, with equal neighbours counted: `c57r2q.40`. Only chunks that change are written anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from aos.workflows.status import StepStatus

CHUNK = 100
_PART = re.compile(r"([a-z.])(\d*)")


class Mark(StrEnum):
    """How a step stands."""

    PENDING = "."
    READY = "q"
    RUNNING = "r"
    COMPLETED = "c"
    FAILED = "f"
    TOLERATED = "t"
    """Failed, but optional."""
    PASSED = "p"
    """Skipped by its own condition."""
    SKIPPED = "s"
    """Skipped because of another step's failure."""
    CANCELLED = "x"
    COMPENSATED = "u"

    @property
    def status(self) -> StepStatus:
        return _STATUSES[self]

    @property
    def satisfies(self) -> bool:
        """Whether steps that need this one can be done."""
        return self in (Mark.COMPLETED, Mark.TOLERATED, Mark.PASSED)

    @property
    def is_settled(self) -> bool:
        return self not in (Mark.PENDING, Mark.READY, Mark.RUNNING)

    @property
    def has_record(self) -> bool:
        """Whether the step's end is on record in a row."""
        return self in (Mark.COMPLETED, Mark.FAILED, Mark.TOLERATED, Mark.COMPENSATED)


_STATUSES = {
    Mark.PENDING: StepStatus.PENDING,
    Mark.READY: StepStatus.PENDING,
    Mark.RUNNING: StepStatus.RUNNING,
    Mark.COMPLETED: StepStatus.COMPLETED,
    Mark.FAILED: StepStatus.FAILED,
    Mark.TOLERATED: StepStatus.FAILED,
    Mark.PASSED: StepStatus.SKIPPED,
    Mark.SKIPPED: StepStatus.SKIPPED,
    Mark.CANCELLED: StepStatus.CANCELLED,
    Mark.COMPENSATED: StepStatus.COMPENSATED,
}


class Marks:
    """The marks of a run's steps, by their places.

    Args:
        chunks: As stored; changed in place.
    """

    def __init__(self, chunks: list[str]) -> None:
        self._chunks = chunks
        self._open: dict[int, str] = {}

    @classmethod
    def fresh(cls, count: int) -> list[str]:
        """Chunks of so many pending steps."""
        return [_packed(Mark.PENDING * min(CHUNK, count - start)) for start in range(0, count, CHUNK)]

    def __getitem__(self, place: int) -> Mark:
        return Mark(self._letters(place // CHUNK)[place % CHUNK])

    def __setitem__(self, place: int, mark: Mark) -> None:
        number, at = divmod(place, CHUNK)
        letters = self._letters(number)
        self._write(number, letters[:at] + mark.value + letters[at + 1 :])

    def __iter__(self) -> Iterator[Mark]:
        for number in range(len(self._chunks)):
            yield from (Mark(letter) for letter in self._letters(number))

    def first(self, mark: Mark) -> int | None:
        """The first place with this mark."""
        for number, chunk in enumerate(self._chunks):
            if mark.value in chunk:
                return number * CHUNK + self._letters(number).index(mark.value)
        return None

    def places(self, *marks: Mark) -> list[int]:
        """All places with one of these marks."""
        wanted = {mark.value for mark in marks}
        return [
            number * CHUNK + at
            for number, chunk in enumerate(self._chunks)
            if wanted & set(chunk)
            for at, letter in enumerate(self._letters(number))
            if letter in wanted
        ]

    def has(self, mark: Mark) -> bool:
        return any(mark.value in chunk for chunk in self._chunks)

    def replace(self, old: Mark, new: Mark) -> None:
        """Put one mark in place of another everywhere."""
        for number, chunk in enumerate(self._chunks):
            if old.value in chunk:
                self._write(number, self._letters(number).replace(old.value, new.value))

    def _letters(self, number: int) -> str:
        if number not in self._open:
            self._open[number] = _unpacked(self._chunks[number])
        return self._open[number]

    def _write(self, number: int, letters: str) -> None:
        self._open[number] = letters
        self._chunks[number] = _packed(letters)


def _packed(letters: str) -> str:
    return re.sub(r"(.)\1+", lambda found: f"{found[1]}{len(found[0])}", letters)


def _unpacked(chunk: str) -> str:
    return "".join(letter * int(count or 1) for letter, count in _PART.findall(chunk))
