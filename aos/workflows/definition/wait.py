"""What a step may wait for: time to pass, a moment, an event, or a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aos.workflows.definition.duration import Duration


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
