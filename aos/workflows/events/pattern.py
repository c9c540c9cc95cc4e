"""A pattern: events that mean something together, within a time, and what is done when they have come."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from aos.kernel.message import Message
from aos.workflows.definition.duration import Duration, PositiveDuration
from aos.workflows.definition.expressions import names_of
from aos.workflows.definition.templates import expression_of
from aos.workflows.events.action import Action
from aos.workflows.events.condition import Condition

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
PATTERN_TYPE = "pattern"
"""Agent type of a pattern: `pattern:<name>`."""
MOST_EVENTS = 200
"""Events that a match may be of; a sequence of fewer, for it keeps what each of its places has."""
MOST_IN_SEQUENCE = 50


class Pattern(BaseModel):
    """A pattern.

    Attributes:
        name: Its agent is `pattern:<name>`; matches are published under `aos.patterns.<name>`.
        conditions: What must come.
        temporal_relationship: `all_within` the window, in any order; in `sequence`; or `any` one of them.
        window: Within which time; `window_minutes` says it in minutes.
        debounce: After a match, events of its key count as its own for so long, and begin no other.
        key: An expression over `event`: only events with the same value belong together.
        then: What is done, besides publishing the match. Templates know `pattern`, `key`, `at` and `events`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    conditions: tuple[Condition, ...] = Field(min_length=1, max_length=20)
    temporal_relationship: Literal["all_within", "sequence", "any"] = "all_within"
    window: PositiveDuration = timedelta(minutes=5)
    debounce: Duration = timedelta(milliseconds=500)
    key: str | None = None
    then: tuple[Action, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _minutes(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        value = dict(value)
        if "window_minutes" in value and "window" not in value:
            value["window"] = f"{value.pop('window_minutes')}m"
        if isinstance(value.get("then"), dict):
            value["then"] = [value["then"]]
        return value

    @field_validator("key")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None and any(name[0] != "event" for name in names_of(expression_of(value))):
            raise ValueError("a key is made of `event` alone: `event.data.customer`")
        return value

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        most = MOST_IN_SEQUENCE if self.temporal_relationship == "sequence" else MOST_EVENTS
        wanted = sum(condition.threshold for condition in self.conditions)
        if wanted > most:
            raise ValueError(f"its thresholds add up to {wanted}; {most} at most")
        return self

    @property
    def address(self) -> str:
        return f"{PATTERN_TYPE}:{self.name}"

    @property
    def topic(self) -> str:
        """Where its matches are published."""
        return f"aos.patterns.{self.name}"

    @cached_property
    def digest(self) -> str:
        """The same for what matches the same events; partial matches of another are of no use."""
        content = self.model_dump(mode="json", exclude={"then", "name"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @cached_property
    def stages(self) -> tuple[int, ...]:
        """In a sequence, the number of the condition whose event comes at each place."""
        return tuple(number for number, condition in enumerate(self.conditions) for _ in range(condition.threshold))

    def concerns(self, event: Message) -> bool:
        """Whether an event may be part of it; its own matches never are."""
        return event.source != self.address and any(condition.concerns(event) for condition in self.conditions)
