"""Conditions on events: which topic or type, and what must hold of their data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from aos.agents.topics import matches
from aos.kernel.message import Message, format_time
from aos.workflows.definition.expressions import names_of
from aos.workflows.definition.templates import expression_of, is_true

MOST_THRESHOLD = 100
_NAMES = {"event"}


class Trigger(BaseModel):
    """Which events are meant.

    Attributes:
        event: Their topic or type; `*` in it stands for one word, `#` for any number.
        where: What must hold of one: an expression over `event` (`event.data.amount > 100`), or values by key of its
            data, with dots for what is below (`{"card.country": "AT"}`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: str = Field(min_length=1, max_length=200)
    where: str | dict[str, Any] | None = None

    @field_validator("where")
    @classmethod
    def _readable(cls, value: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
        if isinstance(value, str):
            unknown = sorted(str(name[0]) for name in names_of(expression_of(value)) if name[0] not in _NAMES)
            if unknown:
                raise ValueError(f"there is no {unknown[0]!r} here; an event is `event`: `event.data.amount > 100`")
        return value

    def concerns(self, event: Message) -> bool:
        """Whether an event has the topic or the type; `holds` tells the rest."""
        return matches(self.event, event.topic or "") or matches(self.event, event.type)

    def holds(self, shown: Mapping[str, Any]) -> bool:
        """Whether `where` holds of an event as `shown_event` gives it. Raises `ExpressionError`."""
        if isinstance(self.where, dict):
            return all(_at(shown["data"], key) == wanted for key, wanted in self.where.items())
        return is_true(self.where, {"event": shown}, where="where")


class Condition(Trigger):
    """A condition of a pattern: as many such events.

    Attributes:
        threshold: How many.
    """

    threshold: int = Field(default=1, ge=1, le=MOST_THRESHOLD)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, value: Any) -> Any:
        """Keys that are no field of a condition are values to compare with."""
        if not isinstance(value, dict) or "where" in value:
            return value
        keys = {name: part for name, part in value.items() if name not in cls.model_fields}
        return {**{n: p for n, p in value.items() if n not in keys}, "where": keys} if keys else value


def shown_event(event: Message) -> dict[str, Any]:
    """An event as expressions see it."""
    return {
        "id": event.id,
        "type": event.type,
        "topic": event.topic,
        "source": event.source,
        "time": format_time(event.time),
        "data": event.data,
    }


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value
