"""A rule of a choreography: an event leads to actions of agents, without anybody who directs them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aos.kernel.message import Message
from aos.workflows.events.action import Action
from aos.workflows.events.condition import Trigger
from aos.workflows.events.pattern import Name

RULE_TYPE = "rule"
"""Agent type of a rule: `rule:<name>`."""


class Rule(BaseModel):
    """A rule.

    Attributes:
        name: Its agent is `rule:<name>`.
        trigger: Which events lead to the actions. In files `trigger_event` names topic or type, and `where` the rest.
        actions: What each event leads to, once. Templates know `event`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    trigger: Trigger
    actions: tuple[Action, ...] = Field(min_length=1, max_length=20)

    @model_validator(mode="before")
    @classmethod
    def _written(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "trigger_event" not in value:
            return value
        value = dict(value)
        trigger = {"event": value.pop("trigger_event"), "where": value.pop("where", None)}
        return {**value, "trigger": trigger}

    @property
    def address(self) -> str:
        return f"{RULE_TYPE}:{self.name}"

    def concerns(self, event: Message) -> bool:
        return self.trigger.concerns(event)
