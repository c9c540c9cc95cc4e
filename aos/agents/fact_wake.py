"""Wakes on facts: an agent is woken when what another agent publishes begins to meet a condition.

A fact is an event of its agent under a topic of its own. The waiting agent looks at the condition in the turn of that
event, and keeps beside its state whether it held: it is woken at the edge, and again only after it did not hold.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from aos.agents.topics import best
from aos.agents.turn import Turn
from aos.agents.wake import WAKE_TYPE, Wake
from aos.kernel.address import check_address
from aos.kernel.errors import InvalidInput

FACT_TYPE = "aos.fact"
HELD = "aos.facts"
_FACT = r"^[a-z0-9][a-z0-9._-]{0,62}$"
_OPERATORS = ("below", "above", "at_most", "at_least", "equals", "differs")


class FactCondition(BaseModel):
    """What must hold of a fact; all that is given must. Comparisons by size hold of numbers only.

    Attributes:
        agent: Whose fact it is: its address.
        fact: Its name.
        below, above, at_most, at_least: Bounds of a number.
        equals, differs: A JSON value; None is one, where it is given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: str
    fact: str = Field(pattern=_FACT)
    below: float | None = None
    above: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    equals: Any = None
    differs: Any = None

    @field_validator("agent")
    @classmethod
    def _address(cls, value: str) -> str:
        return check_address(value)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self._given:
            raise ValueError(f"a condition on {self.fact!r} needs one of: {', '.join(_OPERATORS)}")
        return self

    @property
    def _given(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _OPERATORS if name in self.model_fields_set}

    @property
    def topic(self) -> str:
        return fact_topic(self.agent, self.fact)

    @property
    def words(self) -> str:
        """As a person would say it: `treasury balance below 10000`."""
        return " and ".join(
            [f"{self.agent} {self.fact} {n.replace('_', ' ')} {_plain(v)}" for n, v in self._given.items()]
        )

    @property
    def digest(self) -> str:
        """The same for the same condition; a changed one starts afresh."""
        return hashlib.sha256(self.words.encode()).hexdigest()[:16]

    def holds(self, value: Any) -> bool:
        """Whether a value of the fact meets it."""
        return all(_compare(name, value, wanted) for name, wanted in self._given.items())


class FactWake(BaseModel):
    """A line of a wake plan that waits for a fact. Made by `Wake.when`.

    Attributes:
        name: Tells it from the agent's other wakes; its messages have the subject `wake:<name>`.
        condition: What it waits for.
        message: Type of the message it sends.
        data: What the message holds; by default which wake it is, and the fact with its value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_FACT)
    condition: FactCondition
    message: str = Field(default=WAKE_TYPE, min_length=1, max_length=200)
    data: Any = None


class FactWaking:
    """The part of an agent that has to do with facts.

    Attributes:
        wakes: Its wake plan.
    """

    type: str
    wakes: tuple[Wake | FactWake, ...] = ()

    @property
    def topics(self) -> frozenset[str]:
        """Topics that handlers want."""
        return frozenset()

    @property
    def fact_wakes(self) -> list[FactWake]:
        return [wake for wake in self.wakes if isinstance(wake, FactWake)]

    @property
    def fact_topics(self) -> frozenset[str]:
        return frozenset(wake.condition.topic for wake in self.fact_wakes)

    def take_fact(self, turn: Turn) -> bool:
        """Look whether a fact wakes the agent. False for other messages, and where a handler wants the event too."""
        message = turn.message
        waiting = [wake for wake in self.fact_wakes if wake.condition.topic == message.topic]
        if not waiting:
            return False
        for wake in waiting:
            # Anybody may publish under the topic; only the agent itself says what its facts are.
            if message.type == FACT_TYPE and message.source == wake.condition.agent:
                self._look(turn, wake, message.data)
        return best(self.topics, message.topic or "") is None

    def _look(self, turn: Turn, wake: FactWake, data: Mapping[str, Any]) -> None:
        known = dict(turn.state.get(HELD, {}))
        before = known.get(wake.name, {})
        if before.get("digest") != wake.condition.digest:
            before = {}
        if data["order"] <= before.get("order", [0, 0]):
            return
        holds = wake.condition.holds(data["value"])
        known[wake.name] = {"digest": wake.condition.digest, "order": data["order"], "held": holds}
        if holds and not before.get("held"):
            known[wake.name]["last"] = turn.now.isoformat()
            facts = {"wake": wake.name, "agent": data["agent"], "fact": data["fact"], "value": data["value"]}
            content = facts if wake.data is None else wake.data
            turn.send(turn.agent, wake.message, content, subject=f"wake:{wake.name}")
        elif "last" in before:
            known[wake.name]["last"] = before["last"]
        turn.state[HELD] = {name: known[name] for name in known if any(name == own.name for own in self.fact_wakes)}


def fact_topic(agent: str, fact: str) -> str:
    """The topic of a fact. Raises `InvalidInput` where its name cannot be one."""
    if not re.fullmatch(_FACT, fact):
        raise InvalidInput(f"{fact!r} cannot name a fact. Use lower-case letters, digits and . _ -; at most 63.")
    return f"aos.facts.{agent}.{fact}"


def _compare(operator: str, value: Any, wanted: Any) -> bool:
    if operator in ("equals", "differs"):
        return bool(value == wanted) is (operator == "equals")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    if operator == "below":
        return value < float(wanted)
    if operator == "above":
        return value > float(wanted)
    return value <= float(wanted) if operator == "at_most" else value >= float(wanted)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)
