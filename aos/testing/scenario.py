"""What an agent under test is sent, what the world answers it, and what must be true at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aos.kernel.message import Message

SENDER = "scenario"
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Finished:
    """What is there when everything has been done.

    Attributes:
        states: The state of each agent, by address.
        dead_letters: Codes of the errors for which messages were given up.
    """

    states: Mapping[str, Any]
    dead_letters: tuple[str, ...]


@dataclass(slots=True)
class Scenario:
    """A story for `crash_test`. Build it by calls, each of which returns the scenario."""

    messages: list[Message] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    checks: list[Callable[[Finished], None]] = field(default_factory=list)

    def send(self, to: str, type: str, data: Any = None, **fields: Any) -> Scenario:
        """Send a message; those of a scenario are sent in order. `fields` are those of `Message`."""
        values = {"id": f"{len(self.messages) + 1}", "source": SENDER, "time": _BEGINNING, **fields}
        self.messages.append(Message(to=to, type=type, data=data, **values))
        return self

    def answer(self, name: str, answer: Any) -> Scenario:
        """What the external call `name` returns: a value, or a function of the call's details."""
        self.answers[name] = answer
        return self

    def check(self, check: Callable[[Finished], None]) -> Scenario:
        """Assert something about the end of every run. It should raise AssertionError where that does not hold."""
        self.checks.append(check)
        return self
