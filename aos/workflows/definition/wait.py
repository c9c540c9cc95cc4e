"""What a step may wait for: time to pass, a moment, an event, or a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aos.workflows.definition.duration import Duration
from aos.workflows.definition.expressions import ExpressionError, evaluate
from aos.workflows.definition.templates import expression_of


class EventWait(BaseModel):
    """An event a step waits for.

    Attributes:
        topic: Where it is published.
        where: An expression over `event`, its data; the first event of which it is true counts. Any without one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: str = Field(min_length=1, max_length=200)
    where: str | None = None


class Wait(BaseModel):
    """Exactly one of these.

    Attributes:
        length: `for` in a file: how long.
        until: A moment in ISO 8601, or an expression that gives one.
        event: The output is the event's data.
        approval, question: Fields of a `HumanRequest`; templates are filled in. The output is the answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    length: Duration | None = Field(default=None, alias="for")
    until: str | None = None
    event: EventWait | None = None
    approval: dict[str, Any] | None = None
    question: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(given is not None for given in self._kinds().values()) != 1:
            raise ValueError("a wait needs exactly one of `for`, `until`, `event`, `approval` and `question`")
        return self

    def moment(self, context: Mapping[str, Any], *, where: str = "") -> datetime:
        """When `until` is; in UTC where it has no offset. Raises `ExpressionError`."""
        text = self.until or ""
        value = text if is_moment(text) else evaluate(expression_of(text), context, where=where)
        if not isinstance(value, str) or not is_moment(value):
            raise ExpressionError(f"{where or text}: {value!r} is not a time; it must be such as 2030-01-31T12:00:00Z.")
        found = datetime.fromisoformat(value)
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    @property
    def kind(self) -> str:
        """`for`, `until`, `event`, `approval` or `question`."""
        return next(name for name, given in self._kinds().items() if given is not None)

    def _kinds(self) -> dict[str, timedelta | str | EventWait | dict[str, Any] | None]:
        return {
            "for": self.length,
            "until": self.until,
            "event": self.event,
            "approval": self.approval,
            "question": self.question,
        }


def is_moment(text: str) -> bool:
    """Whether it is a date or a time in ISO 8601."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
