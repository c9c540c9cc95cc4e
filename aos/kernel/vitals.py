"""Signs of how an agent does, kept in its head and bounded: how its latest messages went, and what failed last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aos.kernel.errors import AosError, AttemptsExhausted

LATEST = 50
"""Messages whose outcome is remembered."""
_LETTERS = {"applied": "a", "retried": "r", "dead": "d"}
_MOST_TEXT = 300


@dataclass(slots=True)
class Vitals:
    """What the head remembers of the latest messages.

    Attributes:
        orders: Turns that were orders of an operator.
        latest: A letter for each of the latest messages, oldest first: applied, retried, dead.
        error: The last failure: `code`, `message`, `time`, `type` and `message_id` of what was being handled.
        same: How many messages in a row have failed with that code.
    """

    orders: int = 0
    latest: str = ""
    error: dict[str, Any] | None = None
    same: int = 0

    def copy(self) -> Vitals:
        return Vitals(self.orders, self.latest, self.error, self.same)

    def note(self, outcome: str, error: AosError | None, about: dict[str, str]) -> None:
        """Remember how a message went; `about` is the time, the type and the id."""
        letter = _LETTERS.get(outcome)
        if letter is None:
            return
        self.latest = (self.latest + letter)[-LATEST:]
        if error is None:
            self.same = 0
            return
        # A message given up after its tries failed for the reason of the last one.
        cause = error.__cause__ if isinstance(error, AttemptsExhausted) else None
        code = cause.code if isinstance(cause, AosError) else error.code
        self.same = self.same + 1 if self.error is not None and self.error["code"] == code else 1
        self.error = {"code": code, "message": error.message[:_MOST_TEXT], **about}

    @property
    def failure_rate(self) -> float:
        """Share of the latest messages that failed, 0 to 1."""
        failed = len(self.latest) - self.latest.count("a")
        return round(failed / len(self.latest), 4) if self.latest else 0.0

    def to_json(self) -> list[Any]:
        return [self.orders, self.latest, self.error, self.same]
